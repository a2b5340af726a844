"""Faults of providers and networks as data, and the server that commits them; see `FaultServer`.

    from cloudllm.testing import FaultServer

    with FaultServer() as server:
        server.url                      # the api_base
        server.faults["429-no-header"]  # what the model "fault-429-no-header" does, and
                                        # what must come of it

`FAULTS` is the whole table; each of its parts is a module here, by what goes wrong.
"""

from __future__ import annotations

from cloudllm.testing.faults.model import Fault
from cloudllm.testing.faults.server import FaultServer
from cloudllm.testing.faults.table import FAULTS

__all__ = ("FAULTS", "Fault", "FaultServer")
