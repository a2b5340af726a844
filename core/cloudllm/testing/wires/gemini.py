"""Google's Gemini, on its own address and on Vertex."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from cloudllm.testing.script import Problem, Received, Reply
from cloudllm.testing.wires.base import Asked, Frames, Wire, pieces, sse, text_of

_PATH = re.compile(r"/models/(.+):(streamGenerateContent|generateContent)$")
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class Gemini(Wire):
    """POST …/models/MODEL:streamGenerateContent?alt=sse, or :generateContent."""

    name = "Gemini"
    words: ClassVar[Mapping[str, str]] = {
        "stop": "STOP",
        "length": "MAX_TOKENS",
        "content_filter": "SAFETY",
    }

    def speaks(self, path: str) -> bool:
        """By the end of the path."""
        return _PATH.search(path) is not None

    def streams(self, request: Received) -> bool:
        """The path says it."""
        return request.path.endswith(":streamGenerateContent")

    def frames(self, reply: Reply, model: str) -> Frames:
        """A chunk is a whole candidate; usage comes with the last one."""
        chunks = [
            sse(_candidate(model, {"text": piece, "thought": True}), escaped=reply.escaped)
            for piece in pieces(reply.reasoning)
        ]
        chunks += [
            sse(_candidate(model, {"text": piece}), escaped=reply.escaped)
            for piece in pieces(reply.text)
        ]
        word = self.finish_word(reply)
        if word is None:
            return Frames(b"", chunks, b"")
        text = pieces(reply.text)[-1] if reply.joined and chunks else ""
        last = _candidate(model, {"text": text}, finishReason=word)
        if text:
            chunks.pop()
        return Frames(b"", chunks, sse({**last, **_usage(reply)}))

    def whole(self, reply: Reply, model: str) -> Mapping[str, Any]:
        """One candidate with all of it."""
        part = {"text": "".join(reply.text)}
        word = self.finish_word(reply)
        return {**_candidate(model, part, finishReason=word), **_usage(reply)}

    def problem(self, problem: Problem) -> Mapping[str, Any]:
        """Google's form."""
        status = _STATUS.get(problem.status, "INTERNAL")
        return {"error": {"code": problem.status, "message": problem.message, "status": status}}

    def asked(self, request: Received) -> Asked:
        """Its names of the parts: contents, system instruction, generation config."""
        body = request.body
        found = _PATH.search(request.path)
        system = _parts(body.get("systemInstruction") or body.get("system_instruction"))
        said = tuple(
            ("assistant" if entry.get("role") == "model" else "user", _parts(entry))
            for entry in body.get("contents", ())
        )
        config = body.get("generationConfig") or body.get("generation_config") or {}
        return Asked(
            model=unquote(found[1]) if found else "",
            messages=((("system", system),) if system else ()) + said,
            temperature=config.get("temperature"),
            max_output_tokens=config.get("maxOutputTokens", config.get("max_output_tokens")),
        )


def _candidate(model: str, part: Mapping[str, Any], **more: object) -> dict[str, Any]:
    content = {"role": "model", "parts": [part]}
    candidate = {"index": 0, "content": content, **more}
    return {"candidates": [candidate], "modelVersion": model}


def _parts(content: object) -> str:
    return text_of(content.get("parts")) if isinstance(content, Mapping) else ""


def _usage(reply: Reply) -> dict[str, Any]:
    counts = reply.usage
    if counts is None:
        return {}
    thoughts = counts.reasoning_tokens or 0
    report = {
        "promptTokenCount": counts.input_tokens,
        "candidatesTokenCount": counts.output_tokens - thoughts,
        "totalTokenCount": counts.total_tokens,
    }
    if counts.cached_tokens is not None:
        report["cachedContentTokenCount"] = counts.cached_tokens
    if counts.reasoning_tokens is not None:
        report["thoughtsTokenCount"] = thoughts
    return {"usageMetadata": report}
