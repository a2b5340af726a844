"""OpenAI's responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudllm.testing.script import Problem, Received, Reply
from cloudllm.testing.wires.base import Asked, Frames, Wire, pieces, plain_messages, sse

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Responses(Wire):
    """POST …/responses."""

    name = "OpenAI responses"

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return path.endswith("/responses")

    def frames(self, reply: Reply, model: str) -> Frames:
        """Deltas of the reasoning's summary and of the text; the last event holds everything."""

        def event(kind: str, **payload: Any) -> bytes:  # noqa: ANN401 - JSON
            return sse({"type": kind, **payload}, event=kind, escaped=reply.escaped)

        started = {**_base(model), "status": "in_progress", "output": []}
        thought = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
        said = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        chunks = [
            event("response.reasoning_summary_text.delta", **thought, delta=piece)
            for piece in pieces(reply.reasoning)
        ]
        chunks += [
            event("response.output_text.delta", **said, delta=piece) for piece in pieces(reply.text)
        ]
        closing = event("response.output_text.done", **said, text="".join(reply.text))
        if reply.finish_reason:
            complete = self.whole(reply, model)
            closing += event(f"response.{complete['status']}", response=complete)
        return Frames(event("response.created", response=started), chunks, closing)

    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:
        """A response."""
        cut = _INCOMPLETE.get(reply.finish_reason or "")
        content = {"type": "output_text", "text": "".join(reply.text), "annotations": []}
        said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        return {
            **_base(model),
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": cut} if cut else None,
            "output": [{**said, "content": [content]}],
            "usage": _usage(reply),
        }

    def failure(self, problem: Problem) -> bytes:
        """Its own event."""
        words = {"code": problem.code or "server_error", "message": problem.message}
        return sse({"type": "error", **words, "param": None}, event="error")

    def asked(self, request: Received) -> Asked:
        """The system prompt stands in `instructions`, or among the messages."""
        body = request.body
        given = body.get("input")
        messages = (("user", given),) if isinstance(given, str) else plain_messages(given)
        system = body.get("instructions")
        return Asked(
            model=str(body.get("model", "")),
            messages=((("system", str(system)),) if system else ()) + messages,
            temperature=body.get("temperature"),
            max_output_tokens=body.get("max_output_tokens"),
        )


def _base(model: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "error": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def _usage(reply: Reply) -> dict[str, Any] | None:
    counts = reply.usage
    if counts is None:
        return None
    return {
        "input_tokens": counts.input_tokens,
        "input_tokens_details": {"cached_tokens": counts.cached_tokens or 0},
        "output_tokens": counts.output_tokens,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning_tokens or 0},
        "total_tokens": counts.total_tokens,
    }
