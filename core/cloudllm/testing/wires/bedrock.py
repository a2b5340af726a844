"""Amazon Bedrock's converse, with its binary event stream.

The framing is AWS's `vnd.amazon.eventstream`: two lengths, their CRC, headers, payload, CRC.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote
from zlib import crc32

from cloudllm.testing.script import Problem, Received, Reply
from cloudllm.testing.wires.base import Asked, Frames, Wire, packed, pieces, plain_messages, text_of

_PATH = re.compile(r"/model/(.+)/(converse-stream|converse)$")
_STRING = 7  # the type of a header's value


class Converse(Wire):
    """POST …/model/MODEL/converse-stream, or /converse."""

    name = "Bedrock converse"
    content_type = "application/vnd.amazon.eventstream"
    silence = b""  # it knows none
    text = False
    words: ClassVar[Mapping[str, str]] = {
        "stop": "end_turn",
        "length": "max_tokens",
        "content_filter": "content_filtered",
    }

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return _PATH.search(path) is not None

    def streams(self, request: Received) -> bool:
        """The path says it."""
        return request.path.endswith("/converse-stream")

    def frames(self, reply: Reply, model: str) -> Frames:  # noqa: ARG002 - the path names it
        """A message per delta; usage comes last, after the stop."""

        def delta(content: Mapping[str, Any]) -> bytes:
            payload = {"contentBlockIndex": 0, "delta": content}
            return _message("contentBlockDelta", payload, escaped=reply.escaped)

        chunks = [delta({"reasoningContent": {"text": p}}) for p in pieces(reply.reasoning)]
        chunks += [delta({"text": piece}) for piece in pieces(reply.text)]
        closing = _message("contentBlockStop", {"contentBlockIndex": 0})
        if word := self.finish_word(reply):
            closing += _message("messageStop", {"stopReason": word})
            if reply.usage:
                closing += _message("metadata", _usage(reply))
        return Frames(_message("messageStart", {"role": "assistant"}), chunks, closing)

    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:  # noqa: ARG002 - the path names it
        """The message with all of the text."""
        message = {"role": "assistant", "content": [{"text": "".join(reply.text)}]}
        word = self.finish_word(reply)
        return {"output": {"message": message}, "stopReason": word, **_usage(reply)}

    def problem(self, problem: Problem) -> Mapping[str, Any]:
        """A bare message."""
        return {"message": problem.message}

    def failure(self, problem: Problem) -> bytes:
        """An exception among the messages."""
        payload = {"message": problem.message}
        return _message("internalServerException", payload, kind="exception")

    def asked(self, request: Received) -> Asked:
        """The system prompt stands apart, parameters in an inference config."""
        body = request.body
        found = _PATH.search(request.path)
        system = text_of(body.get("system"))
        config = body.get("inferenceConfig") or {}
        return Asked(
            model=unquote(found[1]) if found else "",
            messages=((("system", system),) if system else ())
            + plain_messages(body.get("messages")),
            temperature=config.get("temperature"),
            max_output_tokens=config.get("maxTokens"),
        )


def _usage(reply: Reply) -> dict[str, Any]:
    counts = reply.usage
    if counts is None:
        return {}
    report = {
        "inputTokens": counts.input_tokens,
        "outputTokens": counts.output_tokens,
        "totalTokens": counts.total_tokens,
    }
    return {"usage": report, "metrics": {"latencyMs": 1}}


def _message(
    name: str, payload: Mapping[str, Any], *, kind: str = "event", escaped: bool = False
) -> bytes:
    """One message of the event stream."""
    headers = {
        ":message-type": kind,
        f":{kind}-type": name,
        ":content-type": "application/json",
    }
    head = b"".join(
        struct.pack("!B", len(key)) + key.encode() + struct.pack("!BH", _STRING, len(value))
        + value.encode()
        for key, value in headers.items()
    )  # fmt: skip
    body = packed(payload, escaped=escaped).encode()
    prelude = struct.pack("!II", len(head) + len(body) + 16, len(head))
    message = prelude + struct.pack("!I", crc32(prelude)) + head + body
    return message + struct.pack("!I", crc32(message))
