"""The pytest plugin: the fixture `wire_server`. Every run of pytest loads it, so it imports little."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cloudllm.testing.server import WireServer


@pytest.fixture
def wire_server() -> Iterator[WireServer]:
    """A scripted provider on the loopback interface; point `api_base` at its `url`."""
    from cloudllm.testing.server import WireServer  # noqa: PLC0415 - only for those who use it

    with WireServer() as server:
        yield server
