"""Our words in litellm's form, and litellm's chunks in ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

from cloudllm.events import ReasoningDelta, StreamEvent, TextDelta
from cloudllm.gateway import backends
from cloudllm.gateway.ends import first
from cloudllm.messages import Message, Role
from cloudllm.provider import Client, Request

_NO_KEY = "none"  # else litellm looks for one in the environment, and sends it anywhere
_NO_TIMEOUT = 86_400.0  # the deadlines are ours; a constant, since litellm keeps a client for each
_EMPTY_REPLY = "(no reply)"  # some providers refuse empty content


def arguments(client: Client, request: Request, call_id: str | None) -> dict[str, Any]:
    """All that litellm is called with; what is ours to decide stands last and wins."""
    given: dict[str, Any] = {**request.params}
    if request.max_output_tokens is not None:
        given["max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        given["temperature"] = request.temperature
    if call_id is not None:
        given[backends.CALL_ID] = call_id
    given |= {name: secret.get_secret_value() for name, secret in client.secrets.items()}
    if client.api_key or not client.own_credentials:
        given |= _keyed(_key(client), client.route, given)
    return {
        **given,
        "model": f"{backends.ROUTE if call_id else client.route}/{client.model}",
        "messages": [_wire(message) for message in request.messages],
        "api_base": client.api_base,
        "timeout": _NO_TIMEOUT,
        "max_retries": 0,
        "num_retries": 0,
        "drop_params": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _key(client: Client) -> str:
    """The key; without one, a word, or nothing where Bedrock is to sign with the secrets."""
    if client.api_key:
        return client.api_key.get_secret_value()
    return "" if client.secrets else _NO_KEY


def _keyed(key: str, route: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The key, and what keeps a route from preferring something that the environment offers."""
    if route != "azure":
        return {"api_key": key}
    headers = {"api-key": key, **(given.get("extra_headers") or {})}
    return {"api_key": key, "azure_username": "", "extra_headers": headers}


def _wire(message: Message) -> dict[str, Any]:
    """A message in OpenAI's form, which litellm turns into each provider's."""
    content = message.content
    if message.role is Role.ASSISTANT and not message.tool_calls:
        content = content or _EMPTY_REPLY
    wire: dict[str, Any] = {"role": str(message.role), "content": content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


async def chunks(stream: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - litellm's
    """The provider's chunks inside litellm's stream.

    That stream would change some of them, drop others, copy each, and at the end rebuild the answer
    and invent what it lacks. Some routes send their request only here.
    """
    inner = stream.completion_stream or await stream.fetch_stream()
    iterator: AsyncIterator[Any] = aiter(inner)
    # The OpenAI SDK's stream is an iterator itself, which it wraps in a generator here.
    return cast("AsyncIterator[Any]", inner) if hasattr(inner, "__anext__") else iterator


def deltas(chunk: Any) -> Iterator[StreamEvent | None]:  # noqa: ANN401 - differs by route
    """What a chunk shows; `None` is a visible token that has no event yet, a tool call's."""
    match chunk:
        case TextDelta() | ReasoningDelta():  # of a backend
            yield chunk
        case {"text": text, **rest}:
            if text:
                yield TextDelta(text)
            if rest.get("tool_use"):
                yield None
        case _ if delta := getattr(_choice(chunk), "delta", None):
            yield from _parts(delta)


def claimed_finish(chunk: Any) -> str | None:  # noqa: ANN401 - differs by route
    """The finish reason that litellm reports, for formats that `ends` does not know."""
    found = chunk.get("finish_reason") if isinstance(chunk, dict) else None
    return found or getattr(_choice(chunk), "finish_reason", None) or None


def _choice(chunk: Any) -> Any:  # noqa: ANN401 - differs by route
    return first(getattr(chunk, "choices", None) or ())


def _parts(delta: Any) -> Iterator[StreamEvent | None]:  # noqa: ANN401 - differs by route
    reasoning = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
    if isinstance(reasoning, str) and reasoning:
        yield ReasoningDelta(reasoning)
    refusal = getattr(delta, "refusal", None)
    if isinstance(refusal, str) and refusal:
        yield TextDelta(refusal)
    if isinstance(delta.content, str):
        if delta.content:
            yield TextDelta(delta.content)
    elif delta.content:  # a list, as Mistral's own format has it
        for part in delta.content:
            yield from _listed(part)
    if getattr(delta, "tool_calls", None):
        yield None


def _listed(part: Mapping[str, Any]) -> Iterator[StreamEvent]:
    if isinstance(part.get("text"), str):
        yield TextDelta(part["text"])
    for thought in part.get("thinking") or ():
        yield ReasoningDelta(str(thought.get("text", "")))
