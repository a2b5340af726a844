"""G4: what goes out keeps its promises for every history, limit and pin; a bad plan is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudllm import ContextTooLong, Message, Role, ToolCall
from cloudllm.context import Plan, PlanError, check, default_reserve, plan
from cloudllm.tokens import count_message

sizes = st.integers(min_value=0, max_value=60)
limits = st.integers(min_value=20, max_value=900)
prompts = st.sampled_from(["", "  ", "Be brief.", "Be kind. " * 20])
reserves = st.none() | st.integers(min_value=0, max_value=200)


shapes = st.lists(
    st.tuples(
        sizes,  # of the user's message
        st.lists(st.integers(min_value=1, max_value=3), max_size=2),  # calls per exchange
        sizes,  # of the reply
        st.sampled_from([None, None, None, None, 0, 1, 2, -1]),  # which message is pinned
    ),
    max_size=8,
)


def build(shape: list[tuple[int, list[int], int, int | None]], newest: int) -> list[Message]:
    """A history of whole turns, some with tool calls, some pinned, and the newest message."""
    history: list[Message] = []
    for ask, exchanges, answer, pin in shape:
        turn = [Message(Role.USER, "ask " * ask)]
        for count in exchanges:
            calls = tuple(
                ToolCall(f"{len(history)}.{len(turn)}.{call}", "look", '{"at": "the harbour"}')
                for call in range(count)
            )
            turn.append(Message(Role.ASSISTANT, "", tool_calls=calls))
            turn += [Message(Role.TOOL, "seen " * ask, tool_call_id=call.id) for call in calls]
        turn.append(Message(Role.ASSISTANT, "answer " * answer))
        if pin is not None:
            index = min(pin, len(turn) - 1)
            turn[index] = replace(turn[index], pinned=True)
        history += turn
    return [*history, Message(Role.USER, "now " * newest)]


def histories() -> st.SearchStrategy[list[Message]]:
    return st.builds(build, shapes, sizes)


def split(history: Sequence[Message]) -> list[list[Message]]:
    """The turns of a history, found another way than the code does."""
    starts = [index for index, message in enumerate(history) if message.role is Role.USER]
    return [list(history[start:end]) for start, end in pairwise([*starts, len(history)])]


def planned(
    prompt: str, history: Sequence[Message], limit: int | None, reserve: int | None
) -> Plan:
    try:
        return plan(prompt, history, limit=limit, reserve=reserve)
    except ContextTooLong:
        assume(False)
        raise


def sent(made: Plan) -> list[Message]:
    return [message for message in made.messages if message.role is not Role.SYSTEM]


def ids(messages: Sequence[Message]) -> list[int]:
    return [id(message) for message in messages]


@given(prompts, histories(), st.none() | limits, reserves)
def test_G4_system_prompt_and_newest_user_message_always_go_out(
    prompt: str, history: list[Message], limit: int | None, reserve: int | None
) -> None:
    made = planned(prompt, history, limit, reserve)
    assert made.messages[-1] is history[-1]
    systems = [message.content for message in made.messages if message.role is Role.SYSTEM]
    assert systems == ([prompt] if prompt.strip() else [])
    assert not systems or made.messages[0].role is Role.SYSTEM


@given(prompts, histories(), limits, reserves)
def test_G4_a_pinned_turn_goes_out_whole(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    made = planned(prompt, history, limit, reserve)
    for turn in split(history):
        if any(message.pinned for message in turn):
            assert set(ids(turn)) <= set(ids(made.messages))


@given(prompts, histories(), limits, reserves)
def test_G4_the_first_message_after_the_system_prompt_is_the_users(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    assert sent(planned(prompt, history, limit, reserve))[0].role is Role.USER


@given(prompts, histories(), limits, reserves)
def test_G4_a_tool_call_and_its_results_stay_together(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    made = planned(prompt, history, limit, reserve)
    calls = [call.id for message in made.messages for call in message.tool_calls]
    results = [message.tool_call_id for message in made.messages if message.role is Role.TOOL]
    assert calls == results


@given(prompts, histories(), limits, reserves)
def test_G4_what_goes_out_fits_with_margin_and_reserve(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    made = planned(prompt, history, limit, reserve)
    assert made.tokens == sum(map(count_message, made.messages))
    assert made.reserve == (default_reserve(limit) if reserve is None else reserve)
    assert made.tokens * 11 <= (made.needed - made.reserve) * 10
    assert made.needed <= limit


@given(prompts, histories(), limits, reserves)
def test_G4_nothing_is_lost_and_the_oldest_goes_first(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    made = planned(prompt, history, limit, reserve)
    out = set(ids(made.left_out))
    assert ids(sent(made)) == [key for key in ids(history) if key not in out]
    assert ids(made.left_out) == [key for key in ids(history) if key in out]
    loose = [turn for turn in split(history)[:-1] if not any(m.pinned for m in turn)]
    gone = [id(turn[0]) in out for turn in loose]
    assert gone == sorted(gone, reverse=True)


@given(prompts, histories(), limits, reserves)
def test_G4_no_more_is_left_out_than_must_be(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    made = planned(prompt, history, limit, reserve)
    if made.left_out:
        last = split(made.left_out)[-1]
        restored = replace(made, tokens=made.tokens + sum(map(count_message, last)))
        assert restored.needed > limit


@given(prompts, histories(), limits, reserves)
def test_G4_what_must_go_out_and_cannot_is_refused_saying_by_how_much(
    prompt: str, history: list[Message], limit: int, reserve: int | None
) -> None:
    must = [turn for turn in split(history)[:-1] if any(m.pinned for m in turn)]
    kept = [message for turn in must for message in turn] + [history[-1]]
    least = plan(prompt, kept, limit=None, reserve=0)
    needed = replace(least, reserve=default_reserve(limit) if reserve is None else reserve).needed
    if needed <= limit:
        plan(prompt, history, limit=limit, reserve=reserve)
        return
    with pytest.raises(ContextTooLong, match=f" {needed - limit:,} more than the limit") as caught:
        plan(prompt, history, limit=limit, reserve=reserve)
    assert caught.value.limit == limit
    assert "\n" not in str(caught.value)


@given(prompts, histories(), reserves)
def test_with_no_known_limit_everything_goes_out(
    prompt: str, history: list[Message], reserve: int | None
) -> None:
    made = plan(prompt, history, limit=None, reserve=reserve)
    assert ids(sent(made)) == ids(history)
    assert made.left_out == ()


def test_the_same_message_may_stand_in_a_history_twice() -> None:
    ask, answer = Message(Role.USER, "again " * 30), Message(Role.ASSISTANT, "yes")
    made = plan("", [ask, answer] * 20 + [ask], limit=200, reserve=50)
    assert 0 < len(made.left_out) < 40


@pytest.mark.parametrize(
    ("limit", "reserve"), [(None, 0), (0, 0), (8, 1), (8192, 1024), (32768, 4096), (10**6, 4096)]
)
def test_the_default_reserve_is_an_eighth_up_to_4096(limit: int | None, reserve: int) -> None:
    assert default_reserve(limit) == reserve


def test_each_message_is_counted_through_the_function_given() -> None:
    history = [Message(Role.USER, "x"), Message(Role.ASSISTANT, "y"), Message(Role.USER, "z")]
    made = plan("s", history, limit=1000, reserve=0, count=lambda message: 100)
    assert made.tokens == 400


HISTORY = (
    Message(Role.USER, "one"),
    Message(Role.ASSISTANT, "", tool_calls=(ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))),
    Message(Role.TOOL, "1", tool_call_id="a"),
    Message(Role.TOOL, "2", tool_call_id="b"),
    Message(Role.ASSISTANT, "first"),
    Message(Role.USER, "two", pinned=True),
    Message(Role.ASSISTANT, "second"),
    Message(Role.USER, "three"),
    Message(Role.ASSISTANT, "third"),
    Message(Role.USER, "four"),
)
SYSTEM = Message(Role.SYSTEM, "be brief")


def claim(chosen: Sequence[Message], *, limit: int | None = None, system: bool = True) -> Plan:
    """The plan a strategy might come up with that sends `chosen`."""
    messages = (SYSTEM, *chosen) if system else tuple(chosen)
    left_out = tuple(message for message in HISTORY if id(message) not in ids(chosen))
    return Plan(messages, left_out, sum(map(count_message, messages)), limit, 0)


def without(*indexes: int) -> list[Message]:
    return [message for index, message in enumerate(HISTORY) if index not in indexes]


@pytest.mark.parametrize(
    ("made", "clause"),
    [
        (claim(HISTORY, system=False), "the system prompt goes out first"),
        (claim(without(9)), "the newest user message goes out last"),
        (claim([]), "the newest user message goes out last"),
        (claim(without(0)), "the first message after the system prompt is a user message"),
        (claim([*HISTORY[7:9], *HISTORY[:7], HISTORY[9]]), "as they are and in order"),
        (claim([Message(Role.USER, "forged"), *HISTORY[1:]]), "as they are and in order"),
        (replace(claim(without(7, 8)), left_out=()), "nothing is lost"),
        (claim(without(5, 6)), "a pinned turn goes out whole"),
        (claim(without(6)), "a pinned turn goes out whole"),
        (claim(without(8)), "two user messages never follow each other"),
        (claim(without(3)), "a tool call and its results stay together"),
        (claim(without(2, 3)), "a tool call and its results stay together"),
        (claim(without(1)), "a tool call and its results stay together"),
        (replace(claim(HISTORY), tokens=1), "the estimate is the sum"),
        (claim(HISTORY, limit=50), "what goes out fits"),
    ],
)
def test_G4_a_plan_that_breaks_a_clause_is_refused_by_name(made: Plan, clause: str) -> None:
    with pytest.raises(PlanError, match=clause):
        check(made, "be brief", HISTORY)


def test_G4_another_choice_that_keeps_every_clause_is_accepted() -> None:
    check(claim(without(7, 8)), "be brief", HISTORY)
    check(claim(without(0, 1, 2, 3, 4)), "be brief", HISTORY)
