"""All faults that come with cloudllm."""

from __future__ import annotations

from cloudllm.testing.faults import (
    addresses,
    answers,
    bodies,
    endings,
    framing,
    oddities,
    redirects,
    silences,
    statuses,
    usages,
    waits,
)
from cloudllm.testing.faults.model import Fault

FAULTS: tuple[Fault, ...] = (
    *answers.FAULTS,
    *addresses.FAULTS,
    *statuses.FAULTS,
    *waits.FAULTS,
    *redirects.FAULTS,
    *framing.FAULTS,
    *bodies.FAULTS,
    *silences.FAULTS,
    *endings.FAULTS,
    *oddities.FAULTS,
    *usages.FAULTS,
)
