"""The plan as a table: each message, what it costs, whether it goes out and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cloudllm.messages import Message
from cloudllm.words import one_line

if TYPE_CHECKING:
    from cloudllm.context.plan import Plan

_FIRST_WORDS = 80  # characters


class Fate(StrEnum):
    """What becomes of a message."""

    SENT = "sent"
    PINNED = "pinned"
    LEFT_OUT = "left out (does not fit)"
    SUMMARIZED = "in the summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One message of a plan.

    `turn` counts from 1 and is 0 for the system prompt and for a summary, whose role is "summary".
    `text` is its first words on one line, `tokens` the estimate.
    """

    turn: int
    role: str
    text: str
    tokens: int
    fate: Fate


def rows_of(plan: Plan) -> list[Row]:
    """See `Plan.rows`."""
    return [*_system(plan), *_old(plan), *_newest(plan)]


def _system(plan: Plan) -> Iterator[Row]:
    parts, tokens = plan.parts, plan.parts.calibration.tokens
    for message in parts.system:
        yield _row(0, message, tokens(parts.system_profile), Fate.SENT)
    if plan.summary is not None:
        added = tokens(plan.system_profile - parts.system_profile)
        words = one_line(plan.summary.text, _FIRST_WORDS)
        yield Row(turn=0, role="summary", text=words, tokens=added, fate=Fate.SENT)


def _old(plan: Plan) -> Iterator[Row]:
    parts = plan.parts
    old, pinned = parts.old, set(parts.pinned(parts.turns))
    summarized = frozenset[int]() if plan.summary is None else plan.summary.turns
    sent = {index for start, end in plan.spans for index in range(start, end)}
    for turn in range(parts.turns):
        absent = Fate.SUMMARIZED if turn + 1 in summarized else Fate.LEFT_OUT
        for index in range(*parts.span(turn, turn + 1)):
            there = Fate.PINNED if turn in pinned else Fate.SENT
            tokens = parts.calibration.tokens(old.sums[index + 1] - old.sums[index])
            fate = there if index in sent else absent
            yield _row(turn + 1, old.messages[index], tokens, fate)


def _newest(plan: Plan) -> Iterator[Row]:
    parts = plan.parts
    for message, profile in zip(parts.newest, parts.newest_profiles, strict=True):
        yield _row(parts.turns + 1, message, parts.calibration.tokens(profile), Fate.SENT)


def _row(turn: int, message: Message, tokens: int, fate: Fate) -> Row:
    calls = ", ".join(f"calls {call.name}" for call in message.tool_calls)
    text = one_line(message.content or calls, _FIRST_WORDS)
    return Row(turn=turn, role=str(message.role), text=text, tokens=tokens, fate=fate)
