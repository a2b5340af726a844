"""The fault server: its table makes sense, and its models and addresses do what they are named for."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from cloudllm.testing import FAULTS, Fault, FaultServer, Reply

_ISSUE_4 = """
dns tls-to-plain proxy-refused plain-http-remote-key 400-bad-param 401-echoes-key 402-credits
403-region 404-html 408-then-ok 409-then-ok 413-too-large 429-retry-after 429-date-clock-skew
429-no-header 429-retry-after-3600 500-then-ok 529-overloaded 200-html 200-empty truncated-json
gzip-sse gzip-bomb redirect-loop no-response close-no-response slow-headers headers-then-reset
reset-mid-stream finish-no-done dup-done slow-tokens error-mid-stream error-event-mid-stream
garbage-lines invalid-utf8 crlf-multiline huge-chunk null-content no-usage finish-length
finish-filter empty-reply reasoning ansi-injection http10-close-delimited ok ok-slow
"""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def _ask(server: FaultServer, model: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    try:
        body = json.dumps({"model": model, "stream": True})
        connection.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer sk-1"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_each_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
    assert all(fault.what and "~" not in fault.id and "/" not in fault.id for fault in FAULTS)


def test_what_must_come_of_each_can_be() -> None:
    for fault in FAULTS:
        assert 1 <= fault.requests <= 3, fault.id
        if fault.outcome == "error":
            assert (fault.text, fault.reasoning, fault.counted) == ("", "", False), fault.id
        else:
            assert fault.requests == 1 + (fault.heals_after or 0), fault.id
        if fault.outcome == "partial":
            assert not fault.counted, fault.id


def test_the_cases_of_issue_4_are_there() -> None:
    assert {fault.id for fault in FAULTS} >= set(_ISSUE_4.split())


def test_the_model_chooses_and_each_name_counts_for_itself(server: FaultServer) -> None:
    assert _ask(server, "fault-402-credits")[0] == 402
    assert _ask(server, "any/fault-402-credits~again")[0] == 402
    assert [_ask(server, "fault-500-then-ok~1")[0] for _ in range(3)] == [500, 500, 200]
    assert _ask(server, "fault-500-then-ok~2")[0] == 500
    assert server.asked("fault-500-then-ok~1") == 3
    assert server.asked("fault-402-credits") == 1
    server.forget()
    assert server.asked("fault-500-then-ok~1") == 0
    assert _ask(server, "fault-500-then-ok~1")[0] == 500


def test_a_fault_that_is_not_there_says_so(server: FaultServer) -> None:
    status, body = _ask(server, "fault-of-nobody")
    assert status == 404
    assert b"there is no fault 'fault-of-nobody' here" in body


def test_faults_of_ones_own() -> None:
    mine = Fault(id="mine", what="a teapot", answer=lambda _: Reply.error(418, "short and stout"))
    with FaultServer([*FAULTS, mine]) as server:
        assert "fault-mine" in server.models
        assert _ask(server, mine.model) == (418, _ask(server, mine.model)[1])
        assert _ask(server, "fault-402-credits")[0] == 402


def test_redirects_lead_to_the_other_server(server: FaultServer) -> None:
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    connection.request("POST", "/v1/chat/completions", '{"model": "fault-redirect-other-host"}')
    target = urlsplit(connection.getresponse().headers["location"])
    connection.close()
    assert (target.hostname, target.port) == ("localhost", server.other.address[1])
    assert server.other.requests == []


def _connect(url: str) -> socket.socket:
    target = urlsplit(url)
    assert target.hostname
    assert target.port
    return socket.create_connection((target.hostname, target.port), timeout=0.3)


def test_places(server: FaultServer) -> None:
    url = {fault.place: server.url_of(fault) for fault in FAULTS if fault.place != "stranger"}
    assert url["here"] == server.url
    assert url["plain"] == server.url.replace("http:", "https:")
    with pytest.raises(ConnectionRefusedError):
        _connect(url["refused"])
    with pytest.raises(TimeoutError):
        _connect(url["full"])
    with _connect(url["deaf"]) as caller, pytest.raises(TimeoutError):
        caller.recv(1)
    with _connect(url["hasty"]) as caller:
        caller.sendall(b"x" * 64)
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
    context = ssl.create_default_context()
    with _connect(url["no-cipher"]) as caller, pytest.raises(ssl.SSLError):
        context.wrap_socket(caller, server_hostname="localhost")


def test_the_strangers_certificate(server: FaultServer) -> None:
    fault = server.faults["tls-self-signed"]
    try:
        url = server.url_of(fault)
    except LookupError as missing:
        pytest.skip(str(missing))
    context = ssl.create_default_context()
    with _connect(url) as caller, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(caller, server_hostname="localhost")


def test_the_way_to_a_proxy_is_a_variable(server: FaultServer) -> None:
    proxy = server.environment_of(server.faults["proxy-refused"])["HTTPS_PROXY"]
    with pytest.raises(ConnectionRefusedError):
        _connect(proxy)
    assert server.environment_of(server.faults["ok"]) == {}


def test_it_can_be_started_by_hand() -> None:
    command = [sys.executable, "-m", "cloudllm.testing.faults"]
    listed = subprocess.run([*command, "--list"], check=True, capture_output=True, text=True)
    assert len(listed.stdout.splitlines()) == len(FAULTS)
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        url = program.stdout.readline().split()[-1]
        with _connect(url) as caller:
            caller.sendall(b"GET /v1/models HTTP/1.0\r\n\r\n")
            assert b"200" in caller.recv(64)
        program.terminate()
