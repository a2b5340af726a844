"""OpenAI's chat completions, which most services speak; Azure's path ends in the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from cloudllm.messages import Usage
from cloudllm.testing.script import Received, Reply
from cloudllm.testing.wires.base import Asked, Frames, Wire, pieces, plain_messages, sse

_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")
_BASE = {"id": "chatcmpl-1", "created": 1}


class Chat(Wire):
    """POST …/chat/completions."""

    name = "OpenAI chat"
    thoughts: ClassVar[str] = "reasoning_content"  # the field for them, which OpenAI lacks

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return path.endswith("/chat/completions")

    def frames(self, reply: Reply, model: str) -> Frames:
        """Chunks with deltas, one with the finish reason, one with nothing but usage."""
        base = {**_BASE, "object": "chat.completion.chunk", "model": model}

        def event(delta: Mapping[str, str], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return sse({**base, "choices": [choice]}, escaped=reply.escaped)

        chunks = [event({self.thoughts: piece}) for piece in pieces(reply.reasoning)]
        chunks += [event({"content": piece}) for piece in pieces(reply.text)]
        word = self.finish_word(reply)
        closing = event({}, word) if word else b""
        if word and reply.joined and chunks:
            closing = b""
            chunks[-1] = event({"content": pieces(reply.text)[-1]}, word)
        if reply.usage:
            closing += sse({**base, "choices": [], "usage": usage_report(reply.usage)})
        opening = event({"role": "assistant", "content": ""})
        return Frames(opening, chunks, closing + b"data: [DONE]\n\n")

    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:
        """A chat completion."""
        message = {"role": "assistant", "content": "".join(reply.text)}
        if reply.reasoning:
            message[self.thoughts] = "".join(reply.reasoning)
        choice = {"index": 0, "message": message, "finish_reason": self.finish_word(reply)}
        base = {**_BASE, "object": "chat.completion", "model": model}
        return {**base, "choices": [choice], "usage": reply.usage and usage_report(reply.usage)}

    def asked(self, request: Received) -> Asked:
        """Azure names the model in the path, as a deployment."""
        body = request.body
        deployment = _DEPLOYMENT.search(request.path)
        longest = body.get("max_completion_tokens", body.get("max_tokens"))
        return Asked(
            model=deployment[1] if deployment else str(body.get("model", "")),
            messages=plain_messages(body.get("messages")),
            temperature=body.get("temperature"),
            max_output_tokens=longest,
        )


class OpenRouter(Chat):
    """POST …/api/v1/chat/completions."""

    name = "OpenRouter chat"
    thoughts = "reasoning"

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return path.endswith("/api/v1/chat/completions")


def usage_report(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's words; details only where they are known."""
    report: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        report["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        report["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return report
