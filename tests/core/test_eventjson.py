"""Events as JSON: every one of them, with names that stay, and nothing that could act on a terminal."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import (
    Attempt,
    CloudLLMError,
    Cost,
    Event,
    FellBack,
    Message,
    Outcome,
    RateLimited,
    ReasoningDelta,
    RequestSent,
    Retrying,
    Role,
    Stalled,
    Status,
    Summarizing,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Trimmed,
    TurnFinished,
    Usage,
)
from cloudllm.eventjson import TYPES, error_object, event_object, interruption_object, line

ATTEMPT = Attempt(
    number=1,
    model="acme/a",
    outcome=Outcome.NOT_SENT,
    waited=0.5,
    seconds=1.23456,
    error="no key",
    status=401,
    request_id="req_1",
)
ATTEMPT_JSON = {
    "number": 1, "model": "acme/a", "outcome": "not sent", "waited": 0.5, "seconds": 1.235,
    "error": "no key", "status": 401, "request_id": "req_1",
}  # fmt: skip
REPLY = Message(
    Role.ASSISTANT,
    "Hi",
    reasoning="hm",
    tool_calls=(ToolCall("1", "look", "{}"),),
    status=Status.PARTIAL,
    model="acme/a",
    finish_reason="stop",
    usage=Usage(input_tokens=7, output_tokens=5, cached_tokens=2),
    error="cut",
    cost=Cost(nano=1_200_000, source="acme"),
)
REPLY_JSON = {
    "text": "Hi", "reasoning": "hm", "status": "partial", "model": "acme/a",
    "tool_calls": [{"id": "1", "name": "look", "arguments": "{}"}],
    "finish_reason": "stop", "error": "cut",
    "usage": {
        "input_tokens": 7, "output_tokens": 5, "cached_tokens": 2, "stored_tokens": None,
        "reasoning_tokens": None, "estimated": False,
    },
    "cost": {"usd": 0.0012, "estimated": False, "source": "acme"},
}  # fmt: skip
EXAMPLES: list[tuple[Event, dict[str, object]]] = [
    (Summarizing("acme/a"), {"type": "summarizing", "model": "acme/a"}),
    (
        Trimmed(2, 300, True),
        {"type": "trimmed", "messages": 2, "tokens": 300, "summarized": True},
    ),
    (RequestSent("acme/a", 2), {"type": "request_sent", "model": "acme/a", "attempt": 2}),
    (
        Retrying("acme/a", 2, 3, 1.5, "busy"),
        {
            "type": "retrying", "model": "acme/a", "attempt": 2, "attempts": 3, "seconds": 1.5,
            "reason": "busy",
        },
    ),
    (
        FellBack("acme/b", "acme/a", "busy"),
        {"type": "fell_back", "model": "acme/b", "failed": "acme/a", "reason": "busy"},
    ),
    (Stalled(12.0, None), {"type": "stalled", "seconds": 12.0, "limit": None}),
    (TextDelta("a"), {"type": "text_delta", "text": "a"}),
    (ReasoningDelta("b"), {"type": "reasoning_delta", "text": "b"}),
    (ToolCallDelta("{", "f"), {"type": "tool_call_delta", "text": "{", "name": "f"}),
    (
        TurnFinished(REPLY, (ATTEMPT,)),
        {"type": "turn_finished", "reply": REPLY_JSON, "attempts": [ATTEMPT_JSON]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "expected"), EXAMPLES)
def test_the_names_stay_what_they_are(event: Event, expected: dict[str, object]) -> None:
    assert json.loads(line(event_object(event))) == expected


def test_every_event_of_a_session_has_a_type() -> None:
    assert set(TYPES) == set(get_args(Event)) == {type(event) for event, _ in EXAMPLES}
    assert len(set(TYPES.values())) == len(TYPES)


def test_G10_a_cost_that_nobody_knows_is_null_and_not_zero() -> None:
    reply = Message(Role.ASSISTANT, "", cost=Cost(unknown=1))
    shown = json.loads(line(event_object(TurnFinished(reply))))["reply"]
    assert shown["cost"] == {"usd": None, "estimated": False, "source": None}
    assert shown["usage"] is None


@given(st.text(st.characters(exclude_categories=())))
def test_G6_a_line_is_ascii_without_controls_and_holds_the_exact_text(text: str) -> None:
    shown = line(event_object(TextDelta(text)))
    assert shown.endswith("\n")
    assert all(" " <= character <= "~" for character in shown[:-1])
    assert json.loads(shown)["text"] == text or max(text) >= "\ud800"  # halves may be joined


def test_an_error_bears_the_name_of_our_class_even_if_a_plugin_made_its_own() -> None:
    class Weird(RateLimited):
        pass

    assert error_object(Weird("too fast", advice="Wait"), (ATTEMPT,)) == {
        "type": "error", "class": "RateLimited", "message": "too fast", "advice": "Wait",
        "exit_code": 4, "attempts": [ATTEMPT_JSON],
    }  # fmt: skip
    assert error_object(CloudLLMError("broken"))["class"] == "CloudLLMError"


def test_an_interruption_has_the_shape_of_an_error() -> None:
    assert set(interruption_object(130)) == set(error_object(CloudLLMError("")))
