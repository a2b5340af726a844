"""Anthropic's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from cloudllm.testing.script import Received, Reply
from cloudllm.testing.wires.base import Asked, Frames, Wire, pieces, plain_messages, sse, text_of


class Messages(Wire):
    """POST …/messages."""

    name = "Anthropic messages"
    always_limited = True
    words: ClassVar[Mapping[str, str]] = {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "refusal",
    }

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return path.endswith("/messages")

    def frames(self, reply: Reply, model: str) -> Frames:
        """Blocks of thinking and text; usage stands in the first event and in the last but one."""
        counts = reply.usage
        usage = {"input_tokens": counts.input_tokens, "output_tokens": 1} if counts else {}
        message = {**_base(model), "content": [], "stop_reason": None, "usage": usage}
        closing = _event("content_block_stop", reply, index=0)
        if word := self.finish_word(reply):
            count = {"output_tokens": counts.output_tokens} if counts else {}
            closing += _event("message_delta", reply, delta={"stop_reason": word}, usage=count)
            closing += _event("message_stop", reply)
        return Frames(_event("message_start", reply, message=message), [*_blocks(reply)], closing)

    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:
        """A message."""
        counts = reply.usage
        return {
            **_base(model),
            "content": [{"type": "text", "text": "".join(reply.text)}],
            "stop_reason": self.finish_word(reply),
            "usage": counts
            and {"input_tokens": counts.input_tokens, "output_tokens": counts.output_tokens},
        }

    def asked(self, request: Received) -> Asked:
        """The system prompt stands apart from the messages."""
        body = request.body
        system = text_of(body.get("system"))
        return Asked(
            model=str(body.get("model", "")),
            messages=(
                *((("system", system),) if system else ()),
                *plain_messages(body.get("messages")),
            ),
            temperature=body.get("temperature"),
            max_output_tokens=body.get("max_tokens"),
        )


def _blocks(reply: Reply) -> Iterator[bytes]:
    """The deltas of the thinking block and of the text block, with what opens and closes them."""
    thoughts = pieces(reply.reasoning)
    opening = b""
    if thoughts:
        block = {"type": "thinking", "thinking": ""}
        opening = _event("content_block_start", reply, index=0, content_block=block)
    for thought in thoughts:
        delta = {"type": "thinking_delta", "thinking": thought}
        yield opening + _event("content_block_delta", reply, index=0, delta=delta)
        opening = b""
    if thoughts:
        opening = _event("content_block_stop", reply, index=0)
    block = {"type": "text", "text": ""}
    opening += _event("content_block_start", reply, index=0, content_block=block)
    for piece in pieces(reply.text):
        delta = {"type": "text_delta", "text": piece}
        yield opening + _event("content_block_delta", reply, index=0, delta=delta)
        opening = b""


def _base(model: str) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": model}


def _event(event: str, reply: Reply, **payload: Any) -> bytes:  # noqa: ANN401 - JSON
    return sse({"type": event, **payload}, event=event, escaped=reply.escaped)
