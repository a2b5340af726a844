"""A conversation's running sums are what counting everything anew would give."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import Message, Role
from cloudllm.context import Conversation
from cloudllm.context import conversation as module
from cloudllm.tokens import ZERO, Profile, profile_message
from tests.core.contexts import HISTORIES, is_pinned

STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "replace", "pin", "clear"]), st.integers(0, 50), HISTORIES),
    max_size=6,
)


def turns_of(messages: list[Message]) -> list[list[Message]]:
    starts = [index for index, message in enumerate(messages) if message.role is Role.USER]
    return [messages[start:end] for start, end in pairwise([*starts, len(messages)])]


def check(conversation: Conversation, messages: list[Message]) -> None:
    """Compare everything with plain lists."""
    turns = turns_of(messages)
    snapshot = conversation.snapshot()
    profiles = [profile_message(message) for message in messages]
    pinned = [index for index, turn in enumerate(turns) if is_pinned(turn)]
    sizes = [sum(map(profile_message, turns[index]), ZERO) for index in pinned]
    assert conversation.messages == tuple(messages)
    assert (len(conversation), conversation.turns) == (len(messages), len(turns))
    assert snapshot.sums == [sum(profiles[:end], ZERO) for end in range(len(profiles) + 1)]
    assert snapshot.pins == pinned
    assert snapshot.pin_sums == [sum(sizes[:end], ZERO) for end in range(len(sizes) + 1)]
    starts = [conversation.start_of_turn(number) for number in range(1, len(turns) + 1)]
    assert starts == snapshot.starts == [messages.index(turn[0]) for turn in _distinct(turns)]


def _distinct(turns: list[list[Message]]) -> list[list[Message]]:
    """`index` finds the first of equal messages, so make sure there are none."""
    assert len({id(turn[0]) for turn in turns}) == len(turns)
    return turns


def numbered(messages: list[Message], step: int) -> list[Message]:
    return [
        replace(message, content=f"{step}.{index} {message.content}")
        for index, message in enumerate(messages)
    ]


@settings(max_examples=50)
@given(STEPS)
def test_sums_starts_and_pins_are_always_those_of_the_messages(
    steps: list[tuple[str, int, list[Message]]],
) -> None:
    conversation, messages = Conversation(), list[Message]()
    for count, (step, number, more) in enumerate(steps):
        new = numbered(more, count)
        if step == "clear":
            conversation.clear()
            messages = []
        elif step == "pin" and conversation.turns:
            turn = number % conversation.turns + 1
            conversation.pin(turn, number % 2 == 0)
            start = conversation.start_of_turn(turn)
            for index in range(start, start + len(turns_of(messages)[turn - 1])):
                pinned = number % 2 == 0 and index == start
                messages[index] = replace(messages[index], pinned=pinned)
        elif step == "replace" and conversation.turns:
            start = conversation.start_of_turn(number % conversation.turns + 1)
            conversation.replace_from(start, new)
            messages[start:] = new
        else:
            for message in new:
                conversation.append(message)
            messages += new
        check(conversation, messages)


def test_a_replaced_part_may_begin_inside_a_turn() -> None:
    user, reply = Message(Role.USER, "ask", pinned=True), Message(Role.ASSISTANT, "begun")
    conversation = Conversation([user, reply])
    whole = replace(reply, content="begun and ended")
    conversation.replace_from(1, [whole])
    check(conversation, [user, whole])
    conversation.replace_from(0, [replace(user, pinned=False), replace(reply, pinned=True)])
    check(conversation, [replace(user, pinned=False), replace(reply, pinned=True)])
    conversation.replace_from(1, [])
    check(conversation, [replace(user, pinned=False)])


def test_a_conversation_starts_with_the_user() -> None:
    with pytest.raises(ValueError, match="user message"):
        Conversation([Message(Role.ASSISTANT, "hello")])


def test_there_is_no_turn_but_those_there_are() -> None:
    conversation = Conversation([Message(Role.USER, "ask")])
    assert conversation.start_of_last_turn() == conversation.start_of_turn(1) == 0
    for number in (0, -1, 2):
        with pytest.raises(IndexError, match="no turn"):
            conversation.start_of_turn(number)
        with pytest.raises(IndexError, match="no turn"):
            conversation.pin(number)
    conversation.clear()
    with pytest.raises(IndexError, match="no turn"):
        conversation.start_of_last_turn()


def test_a_text_is_profiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def counting(message: Message) -> Profile:
        seen.append(message.content)
        return profile_message(message)

    monkeypatch.setattr(module, "profile_message", counting)
    conversation = Conversation()
    for number in range(100):
        user, reply = Message(Role.USER, f"ask {number}"), Message(Role.ASSISTANT, f"say {number}")
        conversation.profile(user)  # planned before it is added
        conversation.replace_from(len(conversation), [user, reply])
        conversation.pin(number // 2 + 1)
        conversation.snapshot()
    assert len(seen) == 200
