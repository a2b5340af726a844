"""Random conversations, and a slow check of plans: each clause of G4 by looking at every message."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st

from cloudllm import Message, Role, ToolCall
from cloudllm.calibration import Calibration, Calibrations
from cloudllm.context import Conversation, Outline, Plan, outline
from cloudllm.tokens import profile_message

FEW = settings(max_examples=40)
MANY = settings(max_examples=3_000)

PARTIAL = Message(Role.ASSISTANT, "and so the harbour")
SIZES = st.integers(min_value=0, max_value=60)
LIMITS = st.integers(min_value=20, max_value=900)
PROMPTS = st.sampled_from(["", "  ", "Be brief.", "Be kind. " * 20])
RESERVES = st.none() | st.integers(min_value=0, max_value=200)

SHAPES = st.lists(
    st.tuples(
        SIZES,  # of the user's message
        st.lists(st.integers(min_value=1, max_value=3), max_size=2),  # calls per exchange
        SIZES,  # of the reply
        st.sampled_from([None, None, None, None, 0, 1, 2, -1]),  # which message is pinned
    ),
    max_size=8,
)


def history_of(shape: list[tuple[int, list[int], int, int | None]]) -> list[Message]:
    """Whole turns, some with tool calls, some pinned."""
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
    return history


def newest_of(size: int, *, begun: bool) -> list[Message]:
    """The newest user message, and maybe the beginning of its answer."""
    return [Message(Role.USER, "now " * size), *([PARTIAL] if begun else [])]


def calibrated(reports: Sequence[tuple[int, int]]) -> Calibration:
    """A calibration that has learned from reports of so many words that took so many tokens."""
    calibration = Calibrations().of("acme/one")
    for words, tokens in reports:
        message = Message(Role.USER, "word " * words)
        calibration.observe(profile_message(message), tokens)
    return calibration


HISTORIES = st.builds(history_of, SHAPES)
NEWEST = st.builds(lambda size, begun: newest_of(size, begun=begun), SIZES, st.booleans())
CALIBRATIONS = st.builds(
    calibrated, st.lists(st.tuples(SIZES, st.integers(min_value=1, max_value=150)), max_size=4)
)


class Case:
    """All that a plan is made of."""

    def __init__(
        self,
        prompt: str = "Be brief.",
        history: Sequence[Message] = (),
        newest: Sequence[Message] = (Message(Role.USER, "now"),),
        *,
        limit: int | None = None,
        reserve: int | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.prompt = prompt
        self.conversation = Conversation(history)
        self.history = self.conversation.messages
        self.newest = tuple(newest)
        self.limit = limit
        self.reserve = reserve
        self.calibration = calibration or calibrated(())

    @property
    def turns(self) -> list[list[Message]]:
        """The turns before the newest, found another way than the code does."""
        starts = [index for index, message in enumerate(self.history) if message.role is Role.USER]
        ends = pairwise([*starts, len(self.history)])
        return [list(self.history[start:end]) for start, end in ends]

    def outline(self, *, limit: int | None = -1, reserve: int | None = -1) -> Outline:
        """What the code makes of it."""
        return outline(
            self.prompt,
            self.conversation,
            keep=len(self.conversation),
            newest=self.newest,
            limit=self.limit if limit == -1 else limit,
            reserve=self.reserve if reserve == -1 else reserve,
            calibration=self.calibration,
        )

    def __repr__(self) -> str:
        turns = ", ".join(f"{len(turn)}{'p' if is_pinned(turn) else ''}" for turn in self.turns)
        return f"Case({self.prompt!r}, turns of {turns or 'none'}, {self.limit}, {self.reserve})"


CASES = st.builds(
    Case,
    PROMPTS,
    HISTORIES,
    NEWEST,
    limit=LIMITS,
    reserve=RESERVES,
    calibration=CALIBRATIONS,
)


def is_pinned(turn: Sequence[Message]) -> bool:
    """Does a pin cover this turn?"""
    return any(message.pinned for message in turn)


def ids(messages: Sequence[Message]) -> list[int]:
    """Which messages these are, equal ones told apart."""
    return [id(message) for message in messages]


def sent(plan: Plan) -> list[Message]:
    """What goes out of the conversation."""
    return [message for message in plan.messages if message.role is not Role.SYSTEM]


def broken_clauses(plan: Plan, case: Case) -> list[str]:
    """Every clause of G4 that a plan breaks."""
    out = sent(plan)
    newest = len(case.newest)
    tokens = case.calibration.tokens(plan.profile)
    margin = math.ceil(tokens * plan.margin)
    limit = case.limit
    clauses = {
        "the system prompt goes out first": _has_prompt(plan, case),
        "the newest goes out last": ids(out[-newest:]) == ids(case.newest),
        "the user begins": out[0].role is Role.USER,
        "as they are and in order": _is_part(out, [*case.history, *case.newest]),
        "what does not go out is listed": (
            Counter(ids(out)) + Counter(ids(plan.left_out))
            == Counter(ids([*case.history, *case.newest]))
        ),
        "pinned turns go out whole": all(
            set(ids(turn)) <= set(ids(out)) for turn in case.turns if is_pinned(turn)
        ),
        "the two take turns": all(
            left.role is not Role.USER or right.role is not Role.USER
            for left, right in pairwise(out)
        ),
        "a tool call and its results stay together": (
            [call.id for message in out for call in message.tool_calls]
            == [message.tool_call_id for message in out if message.role is Role.TOOL]
        ),
        "the estimate is that of what goes out": plan.tokens == tokens,
        "it fits": limit is None or tokens + margin + plan.reserve <= limit,
        "it needs what it needs": plan.needed == tokens + margin + plan.reserve,
        "the margin is the calibration's": plan.margin == case.calibration.margin,
    }
    return [clause for clause, holds in clauses.items() if not holds]


def _has_prompt(plan: Plan, case: Case) -> bool:
    systems = [message for message in plan.messages if message.role is Role.SYSTEM]
    prompt = case.prompt if case.prompt.strip() else ""
    if plan.summary is not None:
        count = len(plan.summary.messages)
        return (
            plan.messages[0] is systems[0]
            and len(systems) == 1
            and systems[0].content.startswith(prompt)
            and f"\n## Summary of {count} earlier message" in f"\n{systems[0].content}"
            and systems[0].content.endswith(plan.summary.text)
        )
    contents = [message.content for message in systems]
    return contents == ([prompt] if prompt else []) and (
        not systems or plan.messages[0] is systems[0]
    )


def _is_part(part: Sequence[Message], whole: Sequence[Message]) -> bool:
    rest: Iterator[Message] = iter(whole)
    return all(any(message is other for other in rest) for message in part)
