"""A fault of each kind, met by the installed program: its exit code and what a person sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudllm.testing import FAULTS, Fault, FaultServer
from tests.core.faults.program import ask, check_shown

_OF_EACH_KIND = """
ok dns refused proxy-refused plain-http-remote-key tls-to-plain 400-bad-param 400-ansi
400-context 401-echoes-key 401-echoes-key-basic 404-html 429-retry-after-ms 429-quota
429-retry-after-3600 500-forever 500-traceback 200-html 200-empty truncated-json gzip-sse
redirect-other-host header-flood binary no-response headers-then-reset reset-mid-stream
stall-mid-stream error-ansi-mid-stream tool-call-truncated invalid-utf8 finish-length
finish-filter empty-reply reasoning lone-surrogate ansi-injection usage-huge usage-negative
"""

_KINDS = [fault for fault in FAULTS if fault.id in _OF_EACH_KIND.split()]
_DEADLINES = {"CLOUDLLM_TIMEOUT__FIRST_TOKEN": "2", "CLOUDLLM_TIMEOUT__GAP": "1"}
_MOST = 200  # MiB that a reply may take, however it is packed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.mark.parametrize("fault", _KINDS, ids=lambda fault: fault.id)
def test_fault(fault: Fault, server: FaultServer, home: Path) -> None:
    environ = server.environment_of(fault) | (_DEADLINES if fault.by_deadline else {})
    ended = ask(server.url_of(fault), fault.model, home, environ)
    check_shown(ended, home)
    assert (ended.code, ended.err) == (fault.exit_code, ended.err)
    shown = fault.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if fault.id != "ansi-injection":  # a pipe gets what is safe of it, which other tests know
        assert ended.out == (f"{shown}\n" if shown else "")
    if fault.outcome == "done":
        assert len(ended.err.splitlines()) < fault.requests + 1
    else:
        assert fault.says in ended.err.splitlines()[-1]
    if fault.place == "here":  # of a first turn there is nothing to leave out
        assert server.asked(fault.model) == (1 if fault.exit_code == 6 else fault.requests)
    assert server.other.requests == []


def test_a_bomb_is_not_unpacked(server: FaultServer, home: Path) -> None:
    healthy = ask(server.url, "fault-ok", home, {})
    ended = ask(server.url, "fault-gzip-bomb", home, {})
    check_shown(ended, home)
    assert ended.code == 5
    assert ended.mebibytes - healthy.mebibytes < _MOST
