"""Decides which messages go out when a conversation outgrows the model, and checks the decision.

The history is never changed. What is left out is left out of one request, oldest turn first; a turn
is a user message with everything up to the next one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloudllm.errors import CloudLLMError, ContextTooLong
from cloudllm.messages import Message, Role
from cloudllm.tokens import count_message

Count = Callable[[Message], int]

_MARGIN = 0.10
_LARGEST_RESERVE = 4096


class PlanError(CloudLLMError):
    """A plan breaks the promise made for every request; the message names the broken clause."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes out: `messages`, the system prompt first if there is one; the rest is `left_out`.

    `tokens` is the estimate for `messages`, `reserve` what is kept free for the answer, `limit`
    what the model takes in all, `None` if that is unknown. All are in tokens.
    """

    messages: tuple[Message, ...]
    left_out: tuple[Message, ...]
    tokens: int
    limit: int | None
    reserve: int

    @property
    def needed(self) -> int:
        """What the request needs: the estimate, a margin for its error, and the reserve."""
        return _needed(self.tokens, self.reserve)


def plan(
    system_prompt: str,
    history: Sequence[Message],
    *,
    limit: int | None,
    reserve: int | None,
    count: Count = count_message,
) -> Plan:
    """Plan a request for `history`, which starts and ends with a user message.

    `reserve=None` is an eighth of the limit up to 4,096 tokens. With `limit=None` nothing is left
    out. `count` gives the tokens of a message; pass one that remembers, and a plan costs nothing.

    Raises:
        ContextTooLong: what must go out does not fit; the message says by how much.
    """
    free = default_reserve(limit) if reserve is None else reserve
    system = _system(system_prompt)
    turns = list(_turns(history))
    sizes = [sum(map(count, turn)) for turn in turns]
    total = sum(map(count, system)) + sum(sizes)
    dropped: set[int] = set()
    for index, turn in enumerate(turns[:-1]):
        if limit is None or _needed(total, free) <= limit:
            break
        if not _pinned(turn):
            dropped.add(index)
            total -= sizes[index]
    if limit is not None and _needed(total, free) > limit:
        raise _too_long(total, free, limit, pinned=len(turns) - len(dropped) > 1)
    made = Plan(
        messages=(*system, *_flat(turns, lambda index: index not in dropped)),
        left_out=tuple(_flat(turns, dropped.__contains__)),
        tokens=total,
        limit=limit,
        reserve=free,
    )
    check(made, system_prompt, history, count=count)
    return made


def default_reserve(limit: int | None) -> int:
    """The tokens kept free for the answer: an eighth of the limit, 4,096 at most."""
    return 0 if limit is None else min(limit // 8, _LARGEST_RESERVE)


def check(
    made: Plan, system_prompt: str, history: Sequence[Message], *, count: Count = count_message
) -> None:
    """Verify every clause of the promise for a plan, whoever made it.

    Raises:
        PlanError: a clause is broken; the message names it.
    """
    system = _system(system_prompt)
    sent = made.messages[len(system) :]
    tokens = sum(map(count, made.messages))
    ids = Counter(map(id, sent))
    clauses = {
        "the system prompt goes out first": made.messages[: len(system)] == system,
        "the newest user message goes out last": bool(sent) and sent[-1] is history[-1],
        "the first message after the system prompt is a user message": bool(sent)
        and sent[0].role is Role.USER,
        "messages go out as they are and in order": _is_subsequence(sent, history),
        "nothing is lost: what does not go out is listed as left out": (
            ids + Counter(map(id, made.left_out)) == Counter(map(id, history))
        ),
        "a pinned turn goes out whole": Counter(
            id(message) for turn in _turns(history) if _pinned(turn) for message in turn
        )
        <= ids,
        "two user messages never follow each other": all(
            left.role is not Role.USER or right.role is not Role.USER
            for left, right in pairwise(sent)
        ),
        "a tool call and its results stay together": (
            Counter(_exchanges(sent)) <= Counter(_exchanges(history))
        ),
        "the estimate is the sum over the messages": made.tokens == tokens,
        "what goes out fits, with a margin and room for the answer": (
            made.limit is None or _needed(tokens, made.reserve) <= made.limit
        ),
    }
    for clause, holds in clauses.items():
        if not holds:
            raise PlanError(
                f"This choice of messages was refused, since it breaks a rule: {clause}"
            )


def check_changed(messages: Iterable[Message], made: Plan, *, count: Count = count_message) -> int:
    """The estimate, in tokens, for messages that a plugin wants to send instead of the plan's.

    Raises:
        ContextTooLong: they do not fit the plan's limit.
    """
    tokens = sum(map(count, messages))
    needed = _needed(tokens, made.reserve)
    if made.limit is not None and needed > made.limit:
        raise ContextTooLong(
            f"the changed request needs about {needed:,} tokens, {made.reserve:,} of them for the"
            f" answer: {needed - made.limit:,} more than the limit of {made.limit:,}",
        )
    return tokens


def _system(prompt: str) -> tuple[Message, ...]:
    return (Message(Role.SYSTEM, prompt),) if prompt.strip() else ()


def _turns(history: Iterable[Message]) -> Iterator[list[Message]]:
    turn: list[Message] = []
    for message in history:
        if message.role is Role.USER and turn:
            yield turn
            turn = []
        turn.append(message)
    if turn:
        yield turn


def _pinned(turn: Sequence[Message]) -> bool:
    return any(message.pinned for message in turn)


def _flat(turns: Sequence[Sequence[Message]], chosen: Callable[[int], bool]) -> Iterator[Message]:
    return (message for index, turn in enumerate(turns) if chosen(index) for message in turn)


def _needed(tokens: int, reserve: int) -> int:
    return tokens + math.ceil(tokens * _MARGIN) + reserve


def _is_subsequence(part: Sequence[Message], whole: Sequence[Message]) -> bool:
    rest = iter(whole)
    return all(any(message is other for other in rest) for message in part)


def _exchanges(messages: Iterable[Message]) -> Iterator[tuple[int, ...]]:
    """Each assistant message that calls tools, with the results right behind it, by identity.

    Results without their call come out as an exchange of their own, which no history has.
    """
    exchange: list[int] = []
    for message in messages:
        if message.role is not Role.TOOL:
            if exchange:
                yield tuple(exchange)
            exchange = [id(message)] if message.tool_calls else []
        else:
            exchange.append(id(message))
    if exchange:
        yield tuple(exchange)


def _too_long(tokens: int, reserve: int, limit: int, *, pinned: bool) -> ContextTooLong:
    needed = _needed(tokens, reserve)
    kept = "system prompt, pinned turns and newest" if pinned else "system prompt and newest"
    return ContextTooLong(
        f"The {kept} message need about {needed:,} tokens, {reserve:,} of them for the answer:"
        f" {needed - limit:,} more than the limit of {limit:,}",
        advice=f"Shorten the message{' or unpin a turn' if pinned else ''}",
        limit=limit,
    )
