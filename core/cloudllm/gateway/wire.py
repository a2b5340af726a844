"""Our words in litellm's form, and litellm's chunks in ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cloudllm.events import ReasoningDelta, StreamEvent, TextDelta
from cloudllm.gateway import backends
from cloudllm.gateway.load import Engine
from cloudllm.messages import Message, Role, Usage
from cloudllm.provider import Client, Request

_NO_KEY = "none"  # else litellm looks for one in the environment, and sends it anywhere
_NO_TIMEOUT = 86_400.0  # the deadlines are ours; a constant, since litellm keeps a client for each
_EMPTY_REPLY = "(no reply)"  # some providers refuse empty content


def arguments(
    engine: Engine, client: Client, request: Request, call_id: str | None
) -> dict[str, Any]:
    """All that litellm is called with; what is ours to decide stands last and wins."""
    given: dict[str, Any] = {**request.params}
    if request.max_output_tokens is not None:
        given["max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        given["temperature"] = request.temperature
    if call_id is not None:
        given[backends.CALL_ID] = call_id
    elif not uses_openai_sdk(engine, client):
        given["client"] = engine.http_client
    return {
        **given,
        "model": f"{backends.ROUTE if call_id else client.route}/{client.model}",
        "messages": [_wire(message) for message in request.messages],
        "api_key": client.api_key.get_secret_value() if client.api_key else _NO_KEY,
        "api_base": client.api_base,
        "timeout": _NO_TIMEOUT,
        "max_retries": 0,
        "drop_params": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def uses_openai_sdk(engine: Engine, client: Client) -> bool:
    """Whether the route takes `litellm.aclient_session`; the others take a client per call."""
    return client.route == "openai" or client.route in engine.litellm.openai_compatible_providers


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


def deltas(chunk: Any) -> Iterator[StreamEvent | None]:  # noqa: ANN401 - litellm's
    """What a chunk shows; `None` is a visible token that has no event yet, a tool call's."""
    if not chunk.choices:
        return
    delta = chunk.choices[0].delta
    reasoning = getattr(delta, "reasoning_content", None)
    if reasoning:
        yield ReasoningDelta(reasoning)
    if delta.content:
        yield TextDelta(delta.content)
    if getattr(delta, "tool_calls", None):
        yield None


def usage(chunks: Sequence[Any], apart: Sequence[Any], *, exact: bool) -> Usage | None:
    """What the provider reported, in its first or last chunks or `apart` from them.

    Reports are cumulative, so of several the highest numbers hold. The OpenAI SDK hands on `exact`
    reports; on other routes litellm writes zeros for what is missing, and counts the reasoning
    tokens itself.
    """
    nearby = [*chunks[:3], *chunks[3:][-5:]]
    found = [*(getattr(chunk, "usage", None) for chunk in nearby), *apart[-1:]]
    reports = [report for report in found if report]
    total = Usage(
        input_tokens=_highest(report.prompt_tokens for report in reports) or 0,
        output_tokens=_highest(report.completion_tokens for report in reports) or 0,
    )
    if not total.total_tokens:
        return None
    cached = _highest(_detail(report, "prompt", "cached_tokens") for report in reports)
    reasoning = _highest(_detail(report, "completion", "reasoning_tokens") for report in reports)
    if exact:
        return replace(total, cached_tokens=cached, reasoning_tokens=reasoning)
    return replace(total, cached_tokens=cached or None)


def _detail(report: Any, side: str, name: str) -> int | None:  # noqa: ANN401 - litellm's
    return getattr(getattr(report, f"{side}_tokens_details", None), name, None)


def _highest(numbers: Iterator[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)
