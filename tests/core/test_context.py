"""G4: what goes out keeps its promises for every history, limit, pin and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudllm import ContextTooLong, Message, Role, ToolCall
from cloudllm.calibration import Calibrations
from cloudllm.context import Conversation, Plan, default_reserve, outline
from cloudllm.tokens import ZERO, profile_message
from tests.core.contexts import (
    CASES,
    FEW,
    HISTORIES,
    LIMITS,
    MANY,
    NEWEST,
    PROMPTS,
    RESERVES,
    Case,
    broken_clauses,
    calibrated,
    ids,
    is_pinned,
    sent,
)


def dropped(case: Case) -> Plan:
    """The plan of "drop-oldest", where there is one."""
    try:
        return case.outline().drop_oldest()
    except ContextTooLong:
        assume(False)
        raise


def flat(turns: Sequence[Sequence[Message]]) -> list[Message]:
    return [message for turn in turns for message in turn]


@given(CASES)
def test_G4_every_clause_holds_when_the_oldest_is_dropped(case: Case) -> None:
    assert broken_clauses(dropped(case), case) == []
    assert ids(case.conversation.messages) == ids(case.history)


@pytest.mark.slow
@MANY
@given(CASES)
def test_G4_every_clause_holds_in_thousands_of_conversations(case: Case) -> None:
    assert broken_clauses(dropped(case), case) == []


@FEW
@given(CASES)
def test_G4_the_estimate_is_the_sum_over_the_messages(case: Case) -> None:
    plan = dropped(case)
    assert plan.profile == sum(map(profile_message, plan.messages), ZERO)
    assert plan.left_out_tokens == case.calibration.tokens(
        sum(map(profile_message, plan.left_out), ZERO)
    )


@FEW
@given(CASES)
def test_G4_the_oldest_goes_first(case: Case) -> None:
    out = set(ids(dropped(case).left_out))
    gone = [id(turn[0]) in out for turn in case.turns if not is_pinned(turn)]
    assert gone == sorted(gone, reverse=True)


@FEW
@given(CASES)
def test_G4_no_more_is_left_out_than_must_be(case: Case) -> None:
    plan = dropped(case)
    if plan.left_out:
        out = set(ids(plan.left_out))
        last = [turn for turn in case.turns if id(turn[0]) in out][-1]
        more = Case(
            case.prompt,
            [each for each in case.history if id(each) not in out or id(each) in ids(last)],
            case.newest,
            limit=case.limit,
            reserve=case.reserve,
            calibration=case.calibration,
        )
        assert not more.outline().fits


@given(CASES)
def test_G4_what_must_go_out_and_cannot_is_refused_saying_by_how_much(case: Case) -> None:
    must = flat([turn for turn in case.turns if is_pinned(turn)])
    least = Case(case.prompt, must, case.newest, reserve=0, calibration=case.calibration)
    assert case.limit is not None
    reserve = default_reserve(case.limit) if case.reserve is None else case.reserve
    needed = least.outline().everything().needed + reserve
    if needed <= case.limit:
        assert case.outline().possible
        case.outline().drop_oldest()
        return
    assert not case.outline().possible
    over = f" {needed - case.limit:,} more than the limit of {case.limit:,}"
    with pytest.raises(ContextTooLong, match=over) as caught:
        case.outline().drop_oldest()
    assert caught.value.limit == case.limit
    assert "\n" not in str(caught.value)
    assert ("pinned" in str(caught.value)) == bool(must)


@given(CASES)
def test_G4_everything_goes_out_or_is_refused_saying_by_how_much(case: Case) -> None:
    made = case.outline()
    assert case.limit is not None
    if made.fits:
        plan = made.everything()
        assert broken_clauses(plan, case) == []
        assert plan.left_out == ()
        assert plan.left_out_tokens == 0
        assert made.drop_oldest().messages == plan.messages
        return
    if made.possible:
        needed = case.outline(limit=None, reserve=made.drop_oldest().reserve).everything().needed
        over = f" {needed - case.limit:,} more than the limit of {case.limit:,}"
        with pytest.raises(ContextTooLong, match=f"^The conversation needs .*{over}"):
            made.everything()
    with pytest.raises(ContextTooLong):
        made.everything()


@FEW
@given(PROMPTS, HISTORIES, NEWEST, RESERVES)
def test_with_no_known_limit_everything_goes_out(
    prompt: str, history: list[Message], newest: list[Message], reserve: int | None
) -> None:
    case = Case(prompt, history, newest, reserve=reserve)
    plan = case.outline().everything()
    assert ids(sent(plan)) == ids([*history, *newest])
    assert broken_clauses(plan, case) == []


@FEW
@given(HISTORIES, NEWEST, LIMITS, st.data())
def test_a_retried_turn_is_planned_without_what_it_replaces(
    history: list[Message], newest: list[Message], limit: int, data: st.DataObject
) -> None:
    conversation = Conversation(history)
    turn = data.draw(st.integers(min_value=1, max_value=max(1, conversation.turns)))
    keep = conversation.start_of_turn(turn) if conversation.turns else 0
    retried = Case("", history[:keep], newest, limit=limit)
    shorter = outline(
        "",
        conversation,
        keep=keep,
        newest=newest,
        limit=limit,
        reserve=None,
        calibration=retried.calibration,
    )
    plan = dropped(retried)
    assert shorter.drop_oldest().messages == plan.messages
    assert shorter.drop_oldest().left_out == plan.left_out


@FEW
@given(CASES, st.data())
def test_a_plan_stays_what_it_was_when_the_conversation_goes_on(
    case: Case, data: st.DataObject
) -> None:
    made, before = case.outline(), dropped(case)
    others = (before.messages, before.left_out, before.rows())
    for change in data.draw(st.lists(st.sampled_from(["add", "cut", "pin", "learn"]), max_size=5)):
        if change == "add":
            case.conversation.append(Message(Role.USER, "later", pinned=True))
        elif change == "learn":
            case.calibration.observe(profile_message(Message(Role.USER, "word " * 50)), 400)
        elif not case.conversation.turns:
            continue
        elif change == "cut":
            case.conversation.replace_from(case.conversation.start_of_last_turn(), ())
        else:
            number = data.draw(st.integers(min_value=1, max_value=case.conversation.turns))
            case.conversation.pin(number, data.draw(st.booleans()))
    after = made.drop_oldest()
    assert (after.messages, after.left_out, after.rows()) == others
    assert (before.left_out, before.rows()) == others[1:]


def test_the_same_message_may_stand_in_a_history_twice() -> None:
    ask, answer = Message(Role.USER, "again " * 30), Message(Role.ASSISTANT, "yes")
    case = Case("", [ask, answer] * 20, [ask], limit=200, reserve=50)
    assert 0 < len(dropped(case).left_out) < 40


@pytest.mark.parametrize(
    ("limit", "reserve"), [(None, 0), (0, 0), (8, 1), (8192, 1024), (32768, 4096), (10**6, 4096)]
)
def test_the_default_reserve_is_an_eighth_up_to_4096(limit: int | None, reserve: int) -> None:
    assert default_reserve(limit) == reserve


def test_a_turn_cannot_be_split_nor_begin_with_a_reply() -> None:
    user, reply = Message(Role.USER, "ask"), Message(Role.ASSISTANT, "", tool_calls=(CALL,))
    conversation = Conversation([user, reply, Message(Role.TOOL, "1", tool_call_id="a")])
    calibration = Calibrations().of("acme/one")
    for keep, newest in ((1, [user]), (2, [user]), (4, [user]), (3, [reply]), (3, [])):
        with pytest.raises(ValueError, match="turn"):
            outline(
                "",
                conversation,
                keep=keep,
                newest=newest,
                limit=None,
                reserve=None,
                calibration=calibration,
            )


CALL = ToolCall("a", "look", "{}")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (Case("", (), limit=3), "The newest message needs about"),
        (Case("Be brief.", (), limit=3), "The system prompt and newest message need about"),
        (
            Case("", [Message(Role.USER, "x", pinned=True)], limit=3),
            "The pinned turns and newest message need about",
        ),
        (
            Case("Be brief.", [Message(Role.USER, "x", pinned=True)], limit=3),
            "The system prompt, pinned turns and newest message need about",
        ),
    ],
)
def test_a_refusal_names_what_must_go_out(case: Case, words: str) -> None:
    error = case.outline().refusal()
    assert error.message.startswith(words)
    assert ("unpin a turn" in error.advice) == ("pinned" in words)


def test_a_better_calibration_lets_more_go_out() -> None:
    history = [Message(Role.USER, "ask " * 30), Message(Role.ASSISTANT, "answer " * 30)] * 10
    learned = calibrated(())
    for words in range(20, 400, 20):
        profile = profile_message(Message(Role.USER, "answer " * words))
        learned.observe(profile, learned.tokens(profile))
    plain, better = (Case("", history, limit=500, calibration=c) for c in (None, learned))
    assert learned.margin <= calibrated(()).margin
    assert len(dropped(better).left_out) <= len(dropped(plain).left_out)
