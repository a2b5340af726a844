"""Going on with a reply that was cut: what is sent, and the seam between old and new."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import Cost, Message, Role, Status, ToolCall, Usage, UsageError
from cloudllm.continuation import Seam, check, joined, outgoing

USER = Message(Role.USER, "Tell me a story.")
CUT = Message(Role.ASSISTANT, "Once upon a time ", status=Status.PARTIAL)


@pytest.mark.parametrize(
    "reply",
    [
        CUT,
        Message(Role.ASSISTANT, "Once", status=Status.CANCELLED),
        Message(Role.ASSISTANT, "Once", finish_reason="length"),
    ],
)
def test_a_reply_that_did_not_come_to_its_own_end_can_be_continued(reply: Message) -> None:
    assert check([USER, reply]) is reply


@pytest.mark.parametrize(
    ("history", "words"),
    [
        ([], "no reply"),
        ([USER], "no reply"),
        ([USER, Message(Role.ASSISTANT, "Done.", finish_reason="stop")], "complete"),
        ([USER, Message(Role.ASSISTANT, "", status=Status.PARTIAL)], "Nothing of the answer"),
        (
            [
                USER,
                Message(
                    Role.ASSISTANT,
                    "x",
                    status=Status.PARTIAL,
                    tool_calls=(ToolCall("1", "f", "{}"),),
                ),
            ],
            "tools",
        ),
    ],
)
def test_what_cannot_be_continued_is_said_in_one_line(history: list[Message], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check(history)


def test_the_model_goes_on_with_its_own_words_where_it_can() -> None:
    *before, last = outgoing([USER, CUT], prefill=True)
    assert before == [USER]
    assert (last.role, last.content) == (Role.ASSISTANT, "Once upon a time")


def test_or_is_asked_to_continue() -> None:
    first, second, last = outgoing([USER, CUT], prefill=False)
    assert (first, second) == (USER, CUT)
    assert last.role is Role.USER
    assert "Continue it exactly" in last.content


def test_the_whole_reply_has_used_and_cost_what_its_parts_did() -> None:
    before = Message(
        Role.ASSISTANT, "a", usage=Usage(input_tokens=1), cost=Cost(nano=5), pinned=True
    )
    after = Message(Role.ASSISTANT, "b", reasoning="hm", usage=Usage(output_tokens=2))
    whole = joined(before, after)
    assert (whole.content, whole.reasoning, whole.pinned) == ("ab", "hm", True)
    assert whole.usage == Usage(input_tokens=1, output_tokens=2)
    assert whole.cost == Cost(nano=5, unknown=1)


@pytest.mark.parametrize(
    ("model", "cost", "whole"),
    [
        ("echo/echo", Cost(source="free"), Cost(source="free")),
        ("acme/1", Cost(source="free"), Cost(source="", unknown=1)),
        ("echo/echo", Cost(nano=5, source="acme"), Cost(nano=5, source="", unknown=1)),
        ("echo/echo", None, Cost(unknown=2)),
    ],
)
def test_what_a_crash_has_lost_of_the_cost_is_free_if_the_model_is(
    model: str, cost: Cost | None, whole: Cost
) -> None:
    before = Message(Role.ASSISTANT, "a", status=Status.PARTIAL, model=model)
    after = Message(Role.ASSISTANT, "b", model="echo/echo", cost=cost)
    assert joined(before, after).cost == whole


def passed(seam: Seam, pieces: list[str]) -> str:
    return "".join([*(seam.feed(piece) for piece in pieces), seam.end()])


def test_what_is_repeated_of_the_end_is_left_out() -> None:
    seam = Seam("The quick brown fox jumps over")
    assert passed(seam, ["fox jumps", " over", " the lazy dog"]) == " the lazy dog"


def test_a_short_sameness_is_no_repetition() -> None:
    assert passed(Seam("to be or not to be"), ["be", " that is"]) == "be that is"


def test_a_new_text_is_not_held_back() -> None:
    seam = Seam("The quick brown fox")
    assert seam.feed("J") == "J"
    assert seam.feed("umps") == "umps"


@given(st.text(max_size=60), st.lists(st.text(max_size=9), max_size=9))
def test_the_seam_only_ever_takes_away_what_stands_before_it(
    before: str, pieces: list[str]
) -> None:
    text = "".join(pieces)
    shown = passed(Seam(before), pieces)
    assert text.endswith(shown)
    assert before.endswith(text[: len(text) - len(shown)])


@given(
    st.text("ab", min_size=12, max_size=60), st.text("cd"), st.integers(12, 60), st.integers(1, 7)
)
def test_a_repetition_is_found_however_it_is_cut_up(
    before: str, new: str, repeated: int, size: int
) -> None:
    text = before[-repeated:] + new
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert passed(Seam(before), pieces) == new
