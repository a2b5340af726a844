"""Spares long histories a walk: the OpenAI SDK gets messages as they stand, in the `extra_body`.

It looks at every value of every message for types to convert, 0.11 ms a message, and finds none:
what litellm hands over is plain JSON already. What is in the `extra_body` is merged over the body
as it is, so the same bytes go out.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from cloudllm.gateway.network import current

_PLACES = (
    (
        "litellm.llms.openai.openai",
        "OpenAIChatCompletion",
        "make_openai_chat_completion_request",
    ),
    (
        "litellm.llms.azure.azure",
        "AzureChatCompletion",
        "make_azure_openai_chat_completion_request",
    ),
)

_Call = Callable[..., Awaitable[Any]]


def take() -> None:
    """Have our calls take the shortcut where this litellm has it; elsewhere they walk."""
    for module, owner, name in _PLACES:
        try:
            cls = getattr(import_module(module), owner)
            call = getattr(cls, name)
        except (ImportError, AttributeError):  # another litellm
            continue
        setattr(cls, name, _sparing(call))


def _sparing(call: _Call) -> _Call:
    """Their call into the SDK, with messages that it need not walk."""

    @functools.wraps(call)
    async def make(*args: Any, **given: Any) -> Any:  # noqa: ANN401 - litellm's
        data = given.get("data")
        if current.get() is not None and isinstance(data, dict) and _plain(data.get("messages")):
            given["data"] = _moved(data)
        return await call(*args, **given)

    return make


def _plain(messages: object) -> bool:
    return isinstance(messages, list) and all(type(message) is dict for message in messages)


def _moved(data: dict[str, Any]) -> dict[str, Any]:
    """The same request; an `extra_body` that has messages of its own prevails as it would have."""
    extra = {"messages": data["messages"], **(data.get("extra_body") or {})}
    return {**data, "messages": [], "extra_body": extra}
