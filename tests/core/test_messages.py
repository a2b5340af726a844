"""Messages are values; usage adds up and never pretends to know."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import Message, Role, Status, Usage

counts = st.integers(min_value=0, max_value=10**9)
usages = st.builds(
    Usage,
    input_tokens=counts,
    output_tokens=counts,
    cached_tokens=st.none() | counts,
    reasoning_tokens=st.none() | counts,
    estimated=st.booleans(),
)


@given(usages, usages, usages)
def test_usage_adds_up_in_any_order(one: Usage, two: Usage, three: Usage) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert (one + two).total_tokens == one.total_tokens + two.total_tokens


@given(usages)
def test_no_usage_changes_nothing(usage: Usage) -> None:
    assert usage + Usage() == usage


def test_G10_unknown_stays_unknown_until_one_reply_knows() -> None:
    assert (Usage() + Usage()).cached_tokens is None
    assert (Usage() + Usage(cached_tokens=3)).cached_tokens == 3


def test_G10_a_total_with_an_estimated_part_is_estimated() -> None:
    assert (Usage(input_tokens=1) + Usage(input_tokens=1, estimated=True)).estimated


def test_a_message_is_an_unchangeable_hashable_value() -> None:
    message = Message(Role.USER, "hi")
    with pytest.raises(FrozenInstanceError):
        message.content = "changed"  # type: ignore[misc]
    assert len({message, Message(Role.USER, "hi")}) == 1


def test_a_message_is_complete_unless_marked() -> None:
    assert Message(Role.ASSISTANT, "").status is Status.COMPLETE


def test_roles_are_the_words_of_the_wire() -> None:
    assert [str(role) for role in Role] == ["system", "user", "assistant", "tool"]
