"""Our words in litellm's form, and litellm's chunks in ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, cast

from cloudllm.events import ReasoningDelta, StreamEvent, TextDelta, ToolCallDelta
from cloudllm.gateway import backends
from cloudllm.gateway.ends import first
from cloudllm.messages import Message, Role
from cloudllm.provider import Client, Request

_NO_KEY = "none"  # else litellm looks for one in the environment, and sends it anywhere
_NO_TIMEOUT = 86_400.0  # the deadlines are ours; a constant, since litellm keeps a client for each
_EMPTY_REPLY = "(no reply)"  # some providers refuse empty content
_PREFIXED = ("mistral", "deepseek")  # others take a last message of the assistant as a beginning
_ROLES = {role: role.value for role in Role}  # quick, since a history may be long


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
        "messages": _messages(client, request),
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


def _messages(client: Client, request: Request) -> list[dict[str, Any]]:
    """The messages; where the last one is an answer that was begun, some want that said."""
    messages = [_wire(message) for message in request.messages]
    begun = request.messages and request.messages[-1].role is Role.ASSISTANT
    if begun and client.route in _PREFIXED:
        messages[-1]["prefix"] = True
    return messages


def _wire(message: Message) -> dict[str, Any]:
    """A message in OpenAI's form, which litellm turns into each provider's."""
    content = message.content
    if not content and message.role is Role.ASSISTANT and not message.tool_calls:
        content = _EMPTY_REPLY
    wire: dict[str, Any] = {"role": _ROLES[message.role], "content": _whole(content)}
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _whole(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _whole(text: str) -> str:
    """The text with U+FFFD for half a character, which a model may have written; UTF-8 has none."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def chunks(stream: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - litellm's
    """The provider's chunks inside litellm's stream.

    That stream would change some of them, drop others, copy each, and at the end rebuild the answer
    and invent what it lacks. Some routes send their request only here.
    """
    inner = stream.completion_stream or await stream.fetch_stream()
    iterator: AsyncIterator[Any] = aiter(inner)
    # The OpenAI SDK's stream is an iterator itself, which it wraps in a generator here.
    return cast("AsyncIterator[Any]", inner) if hasattr(inner, "__anext__") else iterator


def deltas(chunk: Any) -> Iterator[StreamEvent]:  # noqa: ANN401 - differs by route
    """What a chunk shows."""
    match chunk:
        case TextDelta() | ReasoningDelta() | ToolCallDelta():  # of a backend
            yield chunk
        case {"text": text, **rest}:
            if text:
                yield TextDelta(text)
            if call := rest.get("tool_use"):
                yield _called(call)
        case _ if delta := getattr(_choice(chunk), "delta", None):
            yield from _parts(delta)


def claimed_finish(chunk: Any) -> str | None:  # noqa: ANN401 - differs by route
    """The finish reason that litellm reports, for formats that `ends` does not know."""
    found = chunk.get("finish_reason") if isinstance(chunk, dict) else None
    return found or getattr(_choice(chunk), "finish_reason", None) or None


def _choice(chunk: Any) -> Any:  # noqa: ANN401 - differs by route
    return first(getattr(chunk, "choices", None) or ())


def _parts(delta: Any) -> Iterator[StreamEvent]:  # noqa: ANN401 - differs by route
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
    for call in getattr(delta, "tool_calls", None) or ():
        yield _called(call)


def _called(call: Any) -> ToolCallDelta:  # noqa: ANN401 - differs by route
    """A piece of a tool call, an object on some routes and a mapping on others."""
    function = (
        call.get("function") if isinstance(call, Mapping) else getattr(call, "function", None)
    )
    if not isinstance(function, Mapping):
        name, text = getattr(function, "name", None), getattr(function, "arguments", None)
    else:
        name, text = function.get("name"), function.get("arguments")
    return ToolCallDelta(str(text or ""), name=str(name or ""))


def _listed(part: Mapping[str, Any]) -> Iterator[StreamEvent]:
    if isinstance(part.get("text"), str):
        yield TextDelta(part["text"])
    for thought in part.get("thinking") or ():
        yield ReasoningDelta(str(thought.get("text", "")))
