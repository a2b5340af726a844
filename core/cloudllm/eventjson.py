"""An event, or the error that ended a turn, as a JSON object; docs/events.md describes each one.

The names are part of the interface: programs read them, so they stay what they are even where a
class or a field of ours is renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields

from cloudllm import errors
from cloudllm.errors import CloudLLMError
from cloudllm.events import (
    Event,
    FellBack,
    ReasoningDelta,
    RequestSent,
    Retrying,
    Stalled,
    Summarizing,
    TextDelta,
    ToolCallDelta,
    Trimmed,
    TurnFinished,
)
from cloudllm.messages import Attempt, Cost, Message, Usage

TYPES: dict[type[Event], str] = {
    Summarizing: "summarizing",
    Trimmed: "trimmed",
    RequestSent: "request_sent",
    Retrying: "retrying",
    FellBack: "fell_back",
    Stalled: "stalled",
    TextDelta: "text_delta",
    ReasoningDelta: "reasoning_delta",
    ToolCallDelta: "tool_call_delta",
    TurnFinished: "turn_finished",
}
"""Every event that a session yields, and the `type` of its object."""

_NANO = 10**9


def event_object(event: Event) -> dict[str, object]:
    """The event with its `type` and all its fields."""
    kind = TYPES[type(event)]
    if isinstance(event, TurnFinished):
        return {"type": kind, "reply": _reply(event.reply), "attempts": _attempts(event.attempts)}
    return {"type": kind, **{each.name: getattr(event, each.name) for each in fields(event)}}


def error_object(error: CloudLLMError, attempts: Iterable[Attempt] = ()) -> dict[str, object]:
    """What ended a turn without a reply, and what was tried for it.

    `class` is the class of the error tree that it is, also where a plugin raised one of its own.
    """
    ours = (each.__name__ for each in type(error).__mro__ if each.__module__ == errors.__name__)
    return _failure(next(ours), error.message, error.advice, error.exit_code, attempts)


def interruption_object(exit_code: int, attempts: Iterable[Attempt] = ()) -> dict[str, object]:
    """The end of a turn that a person stopped before anything of a reply came."""
    return _failure("Interrupted", "stopped before a reply came", "", exit_code, attempts)


def line(value: dict[str, object]) -> str:
    """The object on a line of its own, in ASCII: it can act on no terminal and be read anywhere."""
    return json.dumps(value) + "\n"


def _failure(
    name: str, message: str, advice: str, exit_code: int, attempts: Iterable[Attempt]
) -> dict[str, object]:
    return {
        "type": "error",
        "class": name,
        "message": message,
        "advice": advice,
        "exit_code": exit_code,
        "attempts": _attempts(attempts),
    }


def _reply(reply: Message) -> dict[str, object]:
    return {
        "text": reply.content,
        "reasoning": reply.reasoning,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in reply.tool_calls
        ],
        "status": str(reply.status),
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "error": reply.error,
        "usage": reply.usage and _usage(reply.usage),
        "cost": reply.cost and _cost(reply.cost),
    }


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "stored_tokens": usage.stored_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
    }


def _cost(cost: Cost) -> dict[str, object]:
    """A cost of which a part is unknown is unknown."""
    return {
        "usd": None if cost.unknown else cost.nano / _NANO,
        "estimated": cost.estimated,
        "source": cost.source or None,
    }


def _attempts(attempts: Iterable[Attempt]) -> list[dict[str, object]]:
    return [
        {
            "number": each.number,
            "model": each.model,
            "outcome": str(each.outcome),
            "waited": round(each.waited, 3),
            "seconds": round(each.seconds, 3),
            "error": each.error,
            "status": each.status,
            "request_id": each.request_id,
        }
        for each in attempts
    ]
