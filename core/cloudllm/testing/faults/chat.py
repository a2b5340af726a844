"""Pieces of OpenAI's stream, whole and broken, for the faults that are made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudllm.testing.script import Reply
from cloudllm.testing.wires.base import sse

WORDS = ("Red ", "green ", "blue ", "and ", "grey.")
TEXT = "".join(WORDS)
BEGUN = "".join(WORDS[:3])

_BASE: Mapping[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1}
_COUNTS = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def event(payload: object) -> bytes:
    """Any JSON as an event, allowed or not."""
    return f"data: {json.dumps(payload)}\n\n".encode()


def chunk(delta: object, finish: object = None, **fields: object) -> bytes:
    """A chunk with this delta; `fields` replace those around it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({**_BASE, "model": "m", "choices": [choice], **fields})


def said(*words: str) -> bytes:
    """A chunk for each word."""
    return b"".join(chunk({"content": word}) for word in words)


def thought(*words: str) -> bytes:
    """The same, of reasoning."""
    return b"".join(chunk({"reasoning_content": word}) for word in words)


def usage(report: object) -> bytes:
    """The chunk without choices that reports usage."""
    return event({**_BASE, "model": "m", "choices": [], "usage": report})


def late_error(error: object) -> bytes:
    """An error where a chunk should be."""
    return event({"error": error})


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk({}, "stop")
USAGE = usage(_COUNTS)
DONE = b"data: [DONE]\n\n"
HALF = said(*WORDS[:3])
REST = said(*WORDS[3:])
END = STOP + USAGE + DONE
OVERLOADED = sse(
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, event="error"
)


def completion(text: str = TEXT, finish: str = "stop") -> dict[str, Any]:
    """A whole answer, as it comes without a stream."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    base = {**_BASE, "object": "chat.completion", "model": "m"}
    return {**base, "choices": [choice], "usage": _COUNTS}


def streamed(*steps: bytes | float, **fields: Any) -> Reply:  # noqa: ANN401 - Reply's own
    """A stream of these steps, from its first byte to its last."""
    return Reply(stream=steps, **fields)


def answered(*steps: bytes | float, **fields: Any) -> Reply:  # noqa: ANN401 - Reply's own
    """A healthy stream but for these steps in the middle of its text."""
    return Reply(stream=(ROLE, HALF, *steps, REST, END), **fields)


def begun(*steps: bytes | float, **fields: Any) -> Reply:  # noqa: ANN401 - Reply's own
    """A stream that begins well and goes on with these steps."""
    return Reply(stream=(ROLE, HALF, *steps), **fields)


def http(status: str, *headers: str, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    """A response as it stands: whatever these headers say of the body, this is what is sent."""
    return "\r\n".join([f"{version} {status}", *headers, "", ""]).encode("latin-1") + body


def raw(*steps: bytes | float, **fields: Any) -> Reply:  # noqa: ANN401 - Reply's own
    """These bytes and pauses, and nothing else."""
    return Reply(raw=steps, **fields)


def in_chunks(body: bytes) -> bytes:
    """A body as one chunk and the end."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
