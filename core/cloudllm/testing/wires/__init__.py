"""The wire formats that the scripted provider speaks, one module each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudllm.testing.wires.anthropic import Messages
from cloudllm.testing.wires.base import Asked, Frames, Wire
from cloudllm.testing.wires.bedrock import Converse
from cloudllm.testing.wires.gemini import Gemini
from cloudllm.testing.wires.ollama import Ollama
from cloudllm.testing.wires.openai import Chat, OpenRouter
from cloudllm.testing.wires.responses import Responses

__all__ = ("WIRES", "Asked", "Frames", "Wire", "listing", "wire_of")

WIRES: tuple[Wire, ...] = (
    OpenRouter(),
    Chat(),
    Messages(),
    Responses(),
    Gemini(),
    Ollama(),
    Converse(),
)
"""Every format; a request is in the first one that speaks its path."""


def wire_of(path: str) -> Wire | None:
    """The format of a POST to `path`; whatever stands before the path's end is accepted."""
    return next((wire for wire in WIRES if wire.speaks(path)), None)


def listing(path: str, models: Sequence[str]) -> Mapping[str, Any] | None:
    """The answer to a GET for a list of models; `None` if `path` is not that of one."""
    if path.endswith("/api/tags"):
        return {"models": [{"name": name, "model": name} for name in models]}
    if path.endswith("/v1beta/models"):
        return {"models": [{"name": f"models/{name}"} for name in models]}
    if path.endswith("/models"):
        data = [{"id": name, "object": "model", "owned_by": "test"} for name in models]
        return {"object": "list", "data": data}
    return None
