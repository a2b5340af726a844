"""Planning what goes out costs the same however long the history is: at most a millisecond."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest

from cloudllm import Message, Role
from cloudllm.calibration import Calibrations
from cloudllm.context import Conversation, Plan, check_changed, outline

MESSAGES = 10_000
ROUNDS = 101
PINS = (2, 7, 40, 1_000, 4_000)

CONVERSATION = Conversation(
    Message((Role.USER, Role.ASSISTANT)[number % 2], f"message {number} " * 20)
    for number in range(MESSAGES)
)
CALIBRATION = Calibrations().of("acme/one")
NEWEST = (Message(Role.USER, "And now?"),)


def planned(limit: int | None) -> Plan:
    return outline(
        "Be brief.",
        CONVERSATION,
        keep=len(CONVERSATION),
        newest=NEWEST,
        limit=limit,
        reserve=None,
        calibration=CALIBRATION,
    ).drop_oldest()


def milliseconds(call: Callable[[], object]) -> float:
    """The median of many calls."""
    call()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times) * 1000


@pytest.mark.parametrize("pins", [(), PINS])
@pytest.mark.parametrize("limit", [None, 2_000_000, 300_000, 30_000, 4_000])
def test_planning_for_10_000_messages_takes_a_millisecond_at_most(
    limit: int | None, pins: tuple[int, ...]
) -> None:
    for number in pins:
        CONVERSATION.pin(number)
    took = milliseconds(lambda: planned(limit))
    plan = planned(limit)
    for number in pins:
        CONVERSATION.pin(number, pinned=False)
    print(f"limit {limit}: {took:.3f} ms for {len(plan.messages):,} messages, {len(pins)} pins")
    assert bool(plan.left_out) == (limit is not None and limit < 2_000_000)
    assert took <= 1.0


def test_a_turn_more_costs_what_its_own_text_costs() -> None:
    """Adding to a long history costs no more than adding to a short one."""
    message = Message(Role.USER, "And now?")

    def added(conversation: Conversation) -> float:
        def add() -> None:
            start = len(conversation)
            conversation.append(message)
            outline(
                "",
                conversation,
                keep=start,
                newest=NEWEST,
                limit=4_000,
                reserve=None,
                calibration=CALIBRATION,
            )

        return milliseconds(add)

    short = added(Conversation([Message(Role.USER, "Hello")]))
    long = added(CONVERSATION)
    CONVERSATION.replace_from(MESSAGES, ())
    print(f"one more message: {long:.3f} ms after 10,000, {short:.3f} ms after one")
    assert long <= max(4 * short, 0.2)


def test_a_request_that_a_plugin_changed_is_not_counted_anew() -> None:
    plan = planned(None)
    changed = (*plan.messages[:-1], Message(Role.USER, "And now, please?"))
    took = milliseconds(lambda: check_changed(changed, plan, CALIBRATION))
    print(f"a changed request of {len(changed):,} messages: {took:.1f} ms")
    assert took <= 5
