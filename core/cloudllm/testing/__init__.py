"""For tests of plugins and of cloudllm itself: a scripted provider, and the conformance kit.

    from cloudllm.testing import provider_tests

    test_acme = provider_tests("acme")        # a pytest test for each item of the kit

`WireServer` answers like a service, or like a broken one; under pytest, the fixture `wire_server`
is one. `FaultServer` is broken in every way that we know, each under a name of its own. Everything is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudllm.testing.conformance import check_plugin, check_provider
    from cloudllm.testing.conformance.model import Item, Verdict
    from cloudllm.testing.faults.model import Fault
    from cloudllm.testing.faults.server import FaultServer
    from cloudllm.testing.faults.table import FAULTS
    from cloudllm.testing.pytest_tests import plugin_tests, provider_tests
    from cloudllm.testing.runner import run_check
    from cloudllm.testing.script import Problem, Received, Reply
    from cloudllm.testing.server import WireServer

_MODULE_OF = {
    "conformance": "check_plugin check_provider",
    "conformance.model": "Item Verdict",
    "faults.model": "Fault",
    "faults.server": "FaultServer",
    "faults.table": "FAULTS",
    "pytest_tests": "plugin_tests provider_tests",
    "runner": "run_check",
    "script": "Problem Received Reply",
    "server": "WireServer",
}
_HOME = {name: module for module, names in _MODULE_OF.items() for name in names.split()}

__all__ = (
    "FAULTS",
    "Fault",
    "FaultServer",
    "Item",
    "Problem",
    "Received",
    "Reply",
    "Verdict",
    "WireServer",
    "check_plugin",
    "check_provider",
    "plugin_tests",
    "provider_tests",
    "run_check",
)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'cloudllm.testing' has no attribute {name!r}")
    value = getattr(import_module(f"cloudllm.testing.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
