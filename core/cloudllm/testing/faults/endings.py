"""Replies that break off, or end oddly, after something of them was visible."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from cloudllm.testing.faults.chat import (
    BEGUN,
    DONE,
    HALF,
    OVERLOADED,
    REST,
    ROLE,
    STOP,
    TEXT,
    USAGE,
    begun,
    chunk,
    late_error,
    said,
    streamed,
    thought,
)
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Received, Reply, Script

_CALL = chunk(
    {
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "delete_file", "arguments": ""},
            }
        ]
    }
)
_ARGUMENTS = chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"path": "notes'}}]})
_PACE = 0.02


def _cut(
    name: str, what: str, answer: Script, says: str = "", *, text: str = BEGUN, reasoning: str = ""
) -> Fault:
    return Fault(
        id=name,
        what=what,
        answer=answer,
        outcome="partial",
        text=text,
        says=says,
        reasoning=reasoning,
    )


def _silent(name: str, what: str, answer: Script, says: str = "no text for") -> Fault:
    return Fault(
        id=name,
        what=what,
        answer=answer,
        outcome="partial",
        text=BEGUN,
        says=says,
        by_deadline=True,
    )


def _whole(name: str, what: str, answer: Reply, *, counted: bool = True) -> Fault:
    return Fault(id=name, what=what, answer=answer, outcome="done", text=TEXT, counted=counted)


def _forever(sign: bytes) -> Script:
    def steps() -> Iterator[bytes | float]:
        yield ROLE + HALF
        while True:
            yield sign
            yield _PACE

    return lambda _: Reply(stream=steps())


def _endless(_: Received) -> Reply:
    """A reply that never ends, as fast as it is read."""

    def steps() -> Iterator[bytes]:
        word = said("w" * 65_535 + " ")
        while True:
            yield word

    return Reply(stream=steps())


FAULTS = (
    _cut("reset-mid-stream", "resets the connection", begun(0.02, cut="reset")),
    _cut("eof-mid-stream", "closes the connection", begun(cut="close")),
    _cut("clean-eof-no-finish", "ends the body without a finish reason", begun()),
    _cut("done-no-finish", "[DONE] without a finish reason", begun(DONE)),
    _cut("usage-no-finish", "usage without a finish reason", begun(USAGE, DONE)),
    _cut("finish-empty", "an empty finish reason", begun(chunk({}, ""), DONE)),
    _cut(
        "cut-in-event",
        "closes in the middle of an event",
        begun(said("and ")[:-20], cut="close"),
        text=BEGUN + "and ",
    ),
    _cut(
        "end-in-event",
        "ends the body in the middle of an event",
        begun(said("and ")[:-20]),
        text=BEGUN + "and ",
    ),
    _cut(
        "error-mid-stream",
        "an error among the chunks",
        begun(
            late_error({"message": "Provider disconnected", "type": "server_error", "code": 502}),
            DONE,
        ),
        "Provider disconnected",
    ),
    _cut("error-event-mid-stream", "an event named error", begun(OVERLOADED), "Overloaded"),
    _cut(
        "error-text-mid-stream",
        "an error that is a bare text",
        begun(late_error("no more")),
        "no more",
    ),
    _cut(
        "error-rate-limit-mid-stream",
        "a rate limit in the middle",
        begun(late_error({"message": "Slow down", "code": "rate_limit_exceeded"})),
        "Slow down",
    ),
    _cut(
        "error-ansi-mid-stream",
        "an error with control sequences for a terminal",
        begun(late_error({"message": "no \x1b]0;pwned\x07\x9b2J more"})),
        "more",
    ),
    _cut(
        "reasoning-then-reset",
        "resets the connection after some reasoning",
        streamed(ROLE, thought("Hm, ", "so."), 0.02, cut="reset"),
        text="",
        reasoning="Hm, so.",
    ),
    _cut(
        "reasoning-then-end",
        "ends the body after some reasoning",
        streamed(ROLE, thought("Hm, ", "so."), DONE),
        text="",
        reasoning="Hm, so.",
    ),
    _cut(
        "tool-call-truncated",
        "resets the connection in the middle of a tool call",
        streamed(ROLE, _CALL, _ARGUMENTS, 0.05, cut="reset"),
        text="",
    ),
    _cut(
        "tool-call-then-end",
        "ends the body in the middle of a tool call",
        streamed(ROLE, _CALL, _ARGUMENTS, DONE),
        text="",
    ),
    _cut(
        "text-then-tool-call-reset",
        "resets the connection in a tool call after some text",
        begun(_CALL, _ARGUMENTS, 0.05, cut="reset"),
    ),
    _silent("stall-mid-stream", "goes silent", begun(inf)),
    _silent("stall-with-comments", "goes on with comments", _forever(b": PROCESSING\n\n")),
    _silent("stall-with-empty-deltas", "goes on with chunks without content", _forever(chunk({}))),
    _whole(
        "finish-then-reset",
        "resets the connection after the finish reason",
        streamed(ROLE, HALF, REST, STOP, USAGE, 0.02, cut="reset"),
    ),
    _whole(
        "finish-then-reset-no-usage",
        "resets the connection before the usage",
        streamed(ROLE, HALF, REST, STOP, 0.02, cut="reset"),
        counted=False,
    ),
    _whole(
        "finish-then-close",
        "closes the connection before the usage",
        streamed(ROLE, HALF, REST, STOP, cut="close"),
        counted=False,
    ),
    Fault(
        id="finish-then-stall",
        what="goes silent before the usage",
        answer=streamed(ROLE, HALF, REST, STOP, inf),
        outcome="done",
        text=TEXT,
        seconds=1,
    ),
    _whole(
        "done-then-stall",
        "goes silent after [DONE]",
        streamed(ROLE, HALF, REST, STOP, USAGE, DONE, inf),
    ),
    Fault(
        id="endless",
        what="a reply without an end",
        answer=_endless,
        outcome="partial",
        says="MiB",
        seconds=10,
    ),
)
