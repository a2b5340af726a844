"""HTTP that is broken below the answer: headers, lengths, chunks, protocols."""

from __future__ import annotations

from collections.abc import Iterator

from cloudllm.testing.faults.chat import (
    BEGUN,
    DONE,
    END,
    HALF,
    REST,
    ROLE,
    TEXT,
    http,
    in_chunks,
    raw,
)
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Received, Reply

_SSE = "content-type: text/event-stream"
_CHUNKED = "transfer-encoding: chunked"
_HEAD = http("200 OK", _SSE, _CHUNKED)
_OPENING = ROLE + HALF
_WHOLE = ROLE + HALF + REST + END
_MIB = 1 << 20
_LATER = 0.05  # seconds, so that what comes before is a packet of its own


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _cut(
    name: str, what: str, *steps: bytes | float, text: str = BEGUN, by_deadline: bool = False
) -> Fault:
    """Something of the reply came before it broke."""
    return Fault(
        id=name,
        what=what,
        answer=raw(*steps, cut="close"),
        outcome="partial",
        text=text,
        by_deadline=by_deadline,
    )


def _garbage(name: str, what: str, *steps: bytes | float, requests: int = 1) -> Fault:
    """What came is no response at all."""
    return Fault(id=name, what=what, answer=raw(*steps, cut="close"), requests=requests)


def _whole(name: str, what: str, *steps: bytes | float) -> Fault:
    return Fault(
        id=name, what=what, answer=raw(*steps, cut="close"), outcome="done", text=TEXT, counted=True
    )


def _flood(_: Received) -> Reply:
    """Headers without end, nearly."""
    headers = (f"x-{number}: {'y' * 20}" for number in range(40_000))
    return raw(http("200 OK", *headers, "content-length: 0"), cut="close")


def _interim(_: Received) -> Reply:
    """Interim responses without end."""

    def steps() -> Iterator[bytes | float]:
        while True:
            yield http("103 Early Hints", "link: </x>")
            yield 0.02

    return Reply(raw=steps())


FAULTS = (
    _cut(
        "content-length-too-long",
        "closes before the length that it told",
        http("200 OK", _SSE, f"content-length: {len(_WHOLE)}"),
        _OPENING,
    ),
    _cut(
        "chunk-size-too-long",
        "closes in the middle of a chunk",
        _HEAD,
        _chunk(_OPENING),
        b"fff\r\n",
        REST,
        text=TEXT,
    ),
    _cut(
        "chunk-size-too-short",
        "a chunk that is longer than it says",
        _HEAD,
        _chunk(_OPENING),
        _LATER,
        b"5\r\n" + REST + b"\r\n",
        _chunk(END),
        by_deadline=True,
    ),
    _cut(
        "chunk-size-junk",
        "a chunk whose length is no number",
        _HEAD,
        _chunk(_OPENING),
        _LATER,
        b"zz\r\n" + REST,
        by_deadline=True,
    ),
    _cut(
        "chunk-size-negative",
        "a chunk whose length is negative",
        _HEAD,
        _chunk(_OPENING),
        _LATER,
        b"-5\r\n" + REST,
        by_deadline=True,
    ),
    _cut(
        "chunk-size-huge",
        "a chunk that says it has 10^18 bytes",
        _HEAD,
        _chunk(_OPENING),
        b"de0b6b3a7640000\r\n",
    ),
    _whole(
        "chunk-end-missing", "closes after [DONE], without the last chunk", _HEAD, _chunk(_WHOLE)
    ),
    _whole(
        "chunk-end-missing-usage",
        "closes after the usage, without [DONE] and the last chunk",
        _HEAD,
        _chunk(_WHOLE.removesuffix(DONE)),
    ),
    _garbage(
        "content-length-junk",
        "a length that is no number",
        http("200 OK", _SSE, "content-length: many"),
        _WHOLE,
    ),
    _garbage(
        "content-length-negative",
        "a negative length",
        http("200 OK", _SSE, "content-length: -1"),
        _WHOLE,
    ),
    _garbage(
        "content-length-twice",
        "two lengths that differ",
        http("200 OK", _SSE, "content-length: 5", "content-length: 9"),
        _WHOLE,
    ),
    # Each in one piece: what comes later could be taken for the answer to somebody else's request.
    _garbage(
        "content-length-zero",
        "a length of zero, and then an answer",
        http("200 OK", _SSE, "content-length: 0", body=_WHOLE),
    ),
    _garbage(
        "content-length-too-short",
        "tells a length and sends more",
        http("200 OK", _SSE, f"content-length: {len(_OPENING)}", body=_WHOLE),
    ),
    _garbage(
        "header-without-colon",
        "a header without a colon",
        http("200 OK", "nonsense", _SSE, _CHUNKED),
        in_chunks(_WHOLE),
    ),
    _garbage(
        "header-nul",
        "a header with a NUL",
        http("200 OK", "x-a: b\x00c", _SSE, _CHUNKED),
        in_chunks(_WHOLE),
    ),
    _garbage(
        "header-1mb",
        "a header of 1 MiB",
        http("200 OK", "x-big: " + "y" * _MIB, _SSE, _CHUNKED),
        in_chunks(_WHOLE),
    ),
    Fault(id="header-flood", what="40,000 headers", answer=_flood),
    _garbage(
        "status-line-long",
        "a status line of 1 MiB",
        b"HTTP/1.1 200 " + b"y" * _MIB + b"\r\n\r\n",
    ),
    _garbage(
        "status-line-junk", "a status line without a status", b"HTTP/1.1 fine\r\n\r\n", requests=1
    ),
    _garbage(
        "http-version-junk",
        "HTTP of a version yet to come",
        http("200 OK", _SSE, version="HTTP/9.9"),
    ),
    _garbage("http09", "an answer without a status line", _WHOLE),
    _garbage(
        "http2-preface", "the settings frame of HTTP/2", b"\x00\x00\x12\x04" + bytes(23), requests=1
    ),
    _garbage(
        "tls-on-plain",
        "TLS records on a port that was asked for http",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ),
    _garbage("binary", "random bytes", bytes(range(255, 127, -1)) * 8),
    _garbage(
        "ssh-banner", "the greeting of another service", b"SSH-2.0-OpenSSH_9.9\r\n", requests=1
    ),
    _garbage(
        "head-cut",
        "closes in the middle of the headers",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/eve",
        requests=3,
    ),
    Fault(
        id="interim-forever",
        what="interim responses for ever",
        answer=_interim,
        says="timeout.first_token",
        requests=2,
        by_deadline=True,
    ),
    Fault(
        id="header-slow",
        what="a complete head, but for its last line",
        answer=raw(b"HTTP/1.1 200 OK\r\n", float("inf")),
        says="timeout.first_token",
        requests=2,
        by_deadline=True,
    ),
)
