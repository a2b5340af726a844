"""Chunks that can't be, among chunks that are well.

A broken one ends the reply where it stands: what came before it is kept, and marked.
"""

from __future__ import annotations

from cloudllm.testing.faults.chat import (
    BEGUN,
    DONE,
    END,
    HALF,
    REST,
    ROLE,
    TEXT,
    WORDS,
    answered,
    chunk,
    event,
    said,
    streamed,
)
from cloudllm.testing.faults.model import Fault
from cloudllm.testing.script import Reply

_NOT_UTF8 = said("bad XX bytes ").replace(b"XX", b"\xff\xfe")


def _cut(name: str, what: str, *middle: bytes) -> Fault:
    return Fault(id=name, what=what, answer=answered(*middle), outcome="partial", text=BEGUN)


def _passed(name: str, what: str, answer: Reply) -> Fault:
    return Fault(id=name, what=what, answer=answer, outcome="done", text=TEXT, counted=True)


def _empty(name: str, what: str, *steps: bytes) -> Fault:
    return Fault(id=name, what=what, answer=streamed(*steps, DONE), says="empty", requests=2)


FAULTS = (
    _passed(
        "garbage-lines",
        "lines that are no events",
        answered(b"this is not sse\n\nfoo: bar\n\n{\n\n"),
    ),
    _cut(
        "bad-json-chunk",
        "an event that is no JSON",
        b'data: {"choices":[{"index":0,"delta":{"con\n\n',
    ),
    _cut("invalid-utf8", "bytes that are no UTF-8", _NOT_UTF8),
    _cut(
        "two-objects-in-a-line",
        "two objects in one event",
        said("and ").strip() + said("grey.").removeprefix(b"data: "),
    ),
    _cut("deep-nesting", "JSON 100,000 levels deep", b"data: " + b'{"a":' * 100_000 + b"\n\n"),
    _cut(
        "number-too-long",
        "a number of 10,000 digits",
        chunk({"content": "and "}).replace(b'"created": 1', b'"created": ' + b"1" * 10_000),
    ),
    _cut("delta-list", "a delta that is a list", chunk([1, 2])),
    _passed("choices-object", "choices that are no list", answered(chunk({}, choices={"a": 1}))),
    _passed("choices-text", "choices that are a text", answered(chunk({}, choices="none"))),
    _passed("choice-text", "a choice that is a text", answered(chunk({}, choices=["none"]))),
    _passed(
        "tool-calls-text", "tool calls that are a text", answered(chunk({"tool_calls": "none"}))
    ),
    _passed(
        "nan-numbers",
        "NaN and infinity",
        answered(event({"choices": [], "created": float("nan"), "x": float("inf")})),
    ),
    _passed("event-list", "an event that is a list", answered(event([]))),
    _passed("event-text", "an event that is a text", answered(event("word"))),
    _passed("event-null", "an event that is null", answered(event(None))),
    _passed("event-number", "an event that is a number", answered(event(7))),
    _passed("event-empty", "an event without data", answered(b"data:\n\n")),
    _passed("event-object-empty", "an empty object", answered(event({}))),
    _passed("choices-null", "choices that are null", answered(chunk({}, choices=None))),
    _passed("delta-null", "a delta that is null", answered(chunk(None))),
    _passed(
        "delta-missing",
        "a choice without a delta",
        answered(chunk({}, choices=[{"index": 0, "finish_reason": None}])),
    ),
    _passed(
        "index-missing",
        "choices without an index",
        streamed(ROLE, *(chunk({}, choices=[{"delta": {"content": word}}]) for word in WORDS), END),
    ),
    _cut("content-number", "a number where text should be", chunk({"content": 42})),
    _cut("content-object", "an object where text should be", chunk({"content": {"a": 1}})),
    _passed("content-false", "false where text should be", answered(chunk({"content": False}))),
    _passed(
        "reasoning-object",
        "an object where reasoning should be",
        answered(chunk({"reasoning_content": {"a": 1}})),
    ),
    _passed("role-user", "a delta that says it is the user's", answered(chunk({"role": "user"}))),
    _passed("tool-calls-null", "tool calls that are null", answered(chunk({"tool_calls": None}))),
    _passed("tool-calls-empty", "an empty list of tool calls", answered(chunk({"tool_calls": []}))),
    _passed(
        "duplicate-keys",
        "a chunk with two choices of one name",
        answered(b'data: {"choices":[],"choices":[]}\n\n'),
    ),
    _empty(
        "only-index-1",
        "only an answer that was not asked for",
        chunk({}, choices=[{"index": 1, "delta": {"content": "GHOST"}}]),
    ),
    _empty("only-empty-choices", "choices without any", chunk({}, choices=[])),
    _empty("only-comments", "comments, and then the end", b": PROCESSING\n\n" * 3),
    Fault(
        id="finish-number",
        what="a finish reason that is a number",
        outcome="partial",
        text=TEXT,
        answer=streamed(ROLE, HALF, REST, chunk({}, 7), DONE),
    ),
    Fault(
        id="finish-false",
        what="a finish reason that is false",
        outcome="partial",
        text=TEXT,
        answer=streamed(ROLE, HALF, REST, chunk({}, finish=False), DONE),
    ),
    Fault(
        id="long-line",
        what="an event of 1 MiB",
        outcome="done",
        text="A" * (1 << 20),
        answer=Reply(text=["A" * (1 << 20)]),
        counted=True,
    ),
)
