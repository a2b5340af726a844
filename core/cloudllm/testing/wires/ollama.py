"""Ollama's own chat: a JSON object a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudllm.testing.script import Problem, Received, Reply
from cloudllm.testing.wires.base import Asked, Frames, Wire, packed, pieces, plain_messages


class Ollama(Wire):
    """POST …/api/chat."""

    name = "Ollama"
    content_type = "application/x-ndjson"
    silence = b""  # it knows none

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return path.endswith("/api/chat")

    def streams(self, request: Received) -> bool:
        """It streams unless told not to."""
        return bool(request.body.get("stream", True))

    def frames(self, reply: Reply, model: str) -> Frames:
        """A line per chunk; the last one is done and carries usage."""

        def line(message: Mapping[str, str], **more: object) -> bytes:
            spoken = {"role": "assistant", "content": "", **message}
            payload = {**_base(model), "message": spoken, "done": False, **more}
            return packed(payload, escaped=reply.escaped).encode() + b"\n"

        chunks = [line({"thinking": piece}) for piece in pieces(reply.reasoning)]
        chunks += [line({"content": piece}) for piece in pieces(reply.text)]
        word = self.finish_word(reply)
        text = pieces(reply.text)[-1] if reply.joined and word and chunks else ""
        if text:
            chunks.pop()
        closing = (
            line({"content": text}, done=True, done_reason=word, **_usage(reply)) if word else b""
        )
        return Frames(b"", chunks, closing)

    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:
        """The same with all of the text."""
        message = {"role": "assistant", "content": "".join(reply.text)}
        if reply.reasoning:
            message["thinking"] = "".join(reply.reasoning)
        ended = {"done": True, "done_reason": self.finish_word(reply)}
        return {**_base(model), "message": message, **ended, **_usage(reply)}

    def problem(self, problem: Problem) -> Mapping[str, Any]:
        """A bare text."""
        return {"error": problem.message}

    def failure(self, problem: Problem) -> bytes:
        """The same, as a line."""
        return packed({"error": problem.message}).encode() + b"\n"

    def asked(self, request: Received) -> Asked:
        """Parameters are options."""
        body = request.body
        options = body.get("options") or {}
        return Asked(
            model=str(body.get("model", "")),
            messages=plain_messages(body.get("messages")),
            temperature=options.get("temperature"),
            max_output_tokens=options.get("num_predict"),
        )


def _base(model: str) -> dict[str, Any]:
    return {"model": model, "created_at": "2026-01-01T00:00:00Z"}


def _usage(reply: Reply) -> dict[str, int]:
    counts = reply.usage
    if counts is None:
        return {}
    return {"prompt_eval_count": counts.input_tokens, "eval_count": counts.output_tokens}
