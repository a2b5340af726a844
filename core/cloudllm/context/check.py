"""Checks what a strategy chose and what a plugin made of a request, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import is_
from typing import NamedTuple

from cloudllm.calibration import Calibration
from cloudllm.context.parts import needed
from cloudllm.context.plan import Plan
from cloudllm.errors import CloudLLMError, ContextTooLong
from cloudllm.messages import Message
from cloudllm.strategy import ContextChoice
from cloudllm.tokens import Profile, profile_message
from cloudllm.words import kind_of


class PlanError(CloudLLMError):
    """What a context strategy chose can't go out; the message names it and says why."""


class SoundChoice(NamedTuple):
    """A `ContextChoice` of exact types, whose numbers are those of turns."""

    keep: frozenset[int]
    summary: str
    summarized: frozenset[int] | None


def sound_choice(choice: object, turns: int, by: str) -> SoundChoice:
    """What a strategy chose among so many turns, whatever its types claim to be.

    Raises:
        PlanError: it is no choice; the message names `by`.
    """
    if not isinstance(choice, ContextChoice):
        raise PlanError(f"{by} gave {kind_of(choice)}, not a ContextChoice")
    keep, summary, summarized = choice.keep, choice.summary, choice.summarized
    return SoundChoice(
        _numbers(keep, turns, f"{by} keeps"),
        _text(summary, by),
        None if summarized is None else _numbers(summarized, turns, f"{by} sums up"),
    )


def _numbers(given: Iterable[object], turns: int, who: str) -> frozenset[int]:
    """Numbers of turns, read without trust in their length, type or order."""
    try:
        numbers = list(islice(given, turns + 1))
    except TypeError:
        raise PlanError(f"{who} {kind_of(given)}, not turns by their numbers") from None
    if len(numbers) > turns:
        raise PlanError(f"{who} more turns than the {turns:,} there are")
    exact: set[int] = set()
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool):
            raise PlanError(f"{who} a turn that is no number but {kind_of(number)}")
        exact.add(int.__add__(number, 0))  # a subclass may say anything of itself
    if wrong := [number for number in exact if not 1 <= number <= turns]:
        raise PlanError(f"{who} turn {wrong[0]}; there are turns 1 to {turns:,}")
    return frozenset(exact)


def _text(summary: object, by: str) -> str:
    if not isinstance(summary, str):
        raise PlanError(f"{by} gave a summary that is no text but {kind_of(summary)}")
    text = str.__str__(summary).strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PlanError(f"{by} gave a summary with half a character (a lone surrogate)") from None
    return text


def check_changed(
    messages: Sequence[Message], plan: Plan, calibration: Calibration
) -> tuple[int, Profile]:
    """The estimate, in tokens, and the profile of messages that a plugin sends instead of `plan`'s.

    Raises:
        ContextTooLong: they do not fit the plan's limit.
    """
    profile = _changed_profile(messages, plan)
    tokens = calibration.tokens(profile)
    need = needed(tokens, plan.reserve, plan.margin)
    if plan.limit is not None and need > plan.limit:
        raise ContextTooLong(
            f"the changed request needs about {need:,} tokens, {plan.reserve:,} of them for the"
            f" answer: {need - plan.limit:,} more than the limit of {plan.limit:,}",
        )
    return tokens, profile


def _changed_profile(messages: Sequence[Message], plan: Plan) -> Profile:
    """The plan's profile, less what was taken away, plus what is new; the rest is not profiled."""
    same = _alike(messages, plan.messages)
    after, before = messages[same:][::-1], plan.messages[same:][::-1]
    same = _alike(after, before)
    after, before = after[same:], before[same:]
    times = Counter(map(id, after))
    times.subtract(map(id, before))
    profile = plan.profile
    for message in {id(each): each for each in (*before, *after)}.values():
        change = times[id(message)]
        if change:
            one = _profile_in(plan, message)
            for _ in range(abs(change)):
                profile = profile + one if change > 0 else profile - one
    return profile


def _alike(left: Sequence[Message], right: Sequence[Message]) -> int:
    """How many messages at the beginning of both are the same."""
    pairs = enumerate(map(is_, left, right))
    return next((index for index, same in pairs if not same), min(len(left), len(right)))


def _profile_in(plan: Plan, message: Message) -> Profile:
    """What a message consists of; that of a system message with a summary is counted in parts."""
    if plan.summary is not None and message is plan.messages[0]:
        return plan.system_profile
    return profile_message(message)
