"""Before the first visible token: silence, signs of life without content, and connections that end."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from cloudllm.testing.faults.chat import (
    OVERLOADED,
    ROLE,
    TEXT,
    chunk,
    http,
    late_error,
    raw,
    said,
    streamed,
    usage,
)
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Received, Reply, Script

_EVERY = 0.02  # seconds between two signs of life
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-pad: " + b"z" * 1_000_000


def _silent(name: str, what: str, answer: Script) -> Fault:
    return Fault(
        id=name, what=what, answer=answer, says="timeout.first_token", requests=2, by_deadline=True
    )


def _gone(name: str, what: str, answer: Reply) -> Fault:
    return Fault(id=name, what=what, answer=answer, requests=3)


def _heals(name: str, what: str, answer: Reply) -> Fault:
    return Fault(
        id=name,
        what=f"{what}, twice",
        answer=answer,
        heals_after=2,
        outcome="done",
        requests=3,
        text=TEXT,
        counted=True,
    )


def _over_and_over(sign: bytes) -> Script:
    """This, again and again, until the caller leaves."""

    def steps() -> Iterator[bytes | float]:
        while True:
            yield sign
            yield _EVERY

    return lambda _: Reply(stream=steps())


def _dripping(whole: bytes) -> Iterator[bytes | float]:
    for byte in whole:
        yield bytes([byte])
        yield _EVERY


def _drip_of_event(_: Received) -> Reply:
    return Reply(stream=_dripping(said("word " * 5_000)))


def _drip_of_head(_: Received) -> Reply:
    return Reply(raw=_dripping(_HEAD))


FAULTS = (
    _silent("no-response", "accepts the request and never answers", Reply(stall_after=-1)),
    _silent("slow-headers", "a byte of the headers at a time", _drip_of_head),
    _silent("headers-then-stall", "headers, and nothing more", Reply(stall_after=0)),
    _silent("keepalive-forever", "comments for ever", _over_and_over(b": PROCESSING\n\n")),
    _silent("blank-lines-forever", "blank lines for ever", _over_and_over(b"\n\n")),
    _silent(
        "empty-deltas-forever",
        "chunks without content for ever",
        _over_and_over(chunk({"content": ""})),
    ),
    _silent("roles-forever", "the role for ever", _over_and_over(ROLE)),
    _silent(
        "usage-forever",
        "usage for ever, and no text",
        _over_and_over(usage({"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7})),
    ),
    _silent(
        "empty-choices-forever",
        "chunks without choices for ever",
        _over_and_over(chunk({}, choices=[])),
    ),
    _silent("drip-of-one-event", "the bytes of an event, one at a time", _drip_of_event),
    _silent(
        "long-chunk-stalled",
        "the beginning of an event, and nothing more",
        streamed(ROLE, said("word")[:-10], inf),
    ),
    _gone("close-no-response", "closes without a byte", Reply(cut_after=-1, cut="close")),
    _gone(
        "reset-no-response",
        "resets the connection without a byte",
        Reply(cut_after=-1, cut="reset"),
    ),
    _gone(
        "headers-then-close",
        "closes after the headers",
        raw(
            http("200 OK", "content-type: text/event-stream", "transfer-encoding: chunked"),
            cut="close",
        ),
    ),
    _gone(
        "headers-then-reset", "resets the connection after the role", streamed(ROLE, cut="reset")
    ),
    _gone("role-then-close", "closes after the role", streamed(ROLE, cut="close")),
    _heals("close-then-ok", "closes without a byte", Reply(cut_after=-1, cut="close")),
    _heals("reset-then-ok", "resets the connection after the role", streamed(ROLE, cut="reset")),
    Fault(
        id="role-then-end",
        what="a role, and the end of the body",
        answer=streamed(ROLE),
        says="empty",
        requests=2,
    ),
    Fault(
        id="error-first",
        what="an error as the first event",
        says="Overloaded",
        requests=3,
        answer=streamed(OVERLOADED),
    ),
    Fault(
        id="error-first-refused",
        what="a refusal as the first event",
        says="No such thing",
        answer=streamed(late_error({"message": "No such thing", "code": 400})),
    ),
    Fault(
        id="error-after-role",
        what="an error after the role",
        says="disconnected",
        requests=3,
        answer=streamed(ROLE, late_error({"message": "Provider disconnected", "code": 502})),
    ),
    _heals("error-first-then-ok", "an error as the first event", streamed(OVERLOADED)),
)
