"""The rows of a plan: every message once, with what becomes of it, and nothing made up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudllm import ContextChoice, Message, Role, ToolCall
from cloudllm.context import Fate
from cloudllm.tokens import profile_message
from tests.core.contexts import CASES, FEW, Case, is_pinned
from tests.core.test_context import dropped


@FEW
@given(CASES)
def test_every_message_has_a_row_with_its_tokens_and_fate(case: Case) -> None:
    plan = dropped(case)
    rows = plan.rows()
    out = {id(message) for message in plan.left_out}
    prompt = [Message(Role.SYSTEM, case.prompt)] if case.prompt.strip() else []
    messages = [*prompt, *case.history, *case.newest]
    pinned = {id(message) for turn in case.turns if is_pinned(turn) for message in turn}
    assert [row.role for row in rows] == [message.role for message in messages]
    assert [row.tokens for row in rows] == [
        case.calibration.tokens(profile_message(message)) for message in messages
    ]
    for row, message in zip(rows, messages, strict=True):
        if id(message) in out:
            assert row.fate is Fate.LEFT_OUT
        else:
            assert row.fate is (Fate.PINNED if id(message) in pinned else Fate.SENT)
    turns = [row.turn for row in rows if row.role == "user"]
    assert turns == list(range(1, len(turns) + 1))


def test_rows_say_what_is_in_the_summary_and_what_is_not() -> None:
    history = [
        message
        for number in range(5)
        for message in (Message(Role.USER, f"ask {number}"), Message(Role.ASSISTANT, "so"))
    ]
    case = Case("Be brief.", history, limit=400)
    choice = ContextChoice(keep=[5], summary="They counted\nto four.", summarized=[1, 2])
    rows = case.outline().plan(choice, "test").rows()
    assert [(row.turn, row.role, row.text, row.fate) for row in rows[:3]] == [
        (0, "system", "Be brief.", Fate.SENT),
        (0, "summary", "They counted to four.", Fate.SENT),
        (1, "user", "ask 0", Fate.SUMMARIZED),
    ]
    assert [row.fate for row in rows[2:]] == [
        *[Fate.SUMMARIZED] * 4, *[Fate.LEFT_OUT] * 4, *[Fate.SENT] * 3
    ]  # fmt: skip
    assert sum(row.tokens for row in rows if row.fate is Fate.SENT) == (
        case.outline().plan(choice, "test").tokens
    )


@FEW
@given(st.text())
def test_the_first_words_are_one_short_printable_line(text: str) -> None:
    (row,) = Case("", (), [Message(Role.USER, f"x{text}")]).outline().everything().rows()
    assert row.text.isprintable()
    assert len(row.text) <= 80


def test_a_tool_call_without_text_is_named() -> None:
    calls = (ToolCall("a", "look", "{}"), ToolCall("b", "read", "{}"))
    history = [Message(Role.USER, "go"), Message(Role.ASSISTANT, "", tool_calls=calls)]
    rows = Case("", history).outline().everything().rows()
    assert rows[1].text == "calls look, calls read"
