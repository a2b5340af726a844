"""What a request may be made of: the system prompt, old turns, the newest messages, the limit."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from cloudllm.calibration import Calibration
from cloudllm.context.conversation import Snapshot
from cloudllm.messages import Message
from cloudllm.tokens import ZERO, Profile

_LARGEST_RESERVE = 4096


class Span(NamedTuple):
    """Messages of the conversation, from index `start` up to `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that a plan is made of; everything here costs the same however long the history is.

    system    the system message, if there is one
    old       the conversation, of which the first `keep` messages, `turns` turns, may go out
    newest    what goes out after them, whatever happens
    """

    system: tuple[Message, ...]
    system_profile: Profile
    old: Snapshot
    keep: int
    turns: int
    newest: tuple[Message, ...]
    newest_profiles: tuple[Profile, ...]
    limit: int | None
    reserve: int
    margin: float
    calibration: Calibration

    @property
    def fixed(self) -> Profile:
        """What `system` and `newest` consist of."""
        return sum(self.newest_profiles, self.system_profile)

    def span(self, first: int, end: int) -> Span:
        """The messages of the turns, which count from 0, from `first` up to `end`."""
        return Span(self._start(first), self._start(end))

    def profile(self, spans: Iterable[Span]) -> Profile:
        """What the messages of `spans` consist of."""
        total = ZERO
        for start, end in spans:
            total += self.old.sums[end] - self.old.sums[start]
        return total

    def pinned(self, before: int) -> list[int]:
        """The pinned turns before turn `before`, all of which count from 0."""
        return self.old.pins[: self._pins(before)]

    def pinned_profile(self, before: int) -> Profile:
        """What those consist of."""
        return self.old.pin_sums[self._pins(before)]

    def is_pinned(self, turn: int) -> bool:
        """Is that turn, which counts from 0, among them?"""
        at = self._pins(turn)
        return at < len(self.old.pins) and self.old.pins[at] == turn

    def fits(self, profile: Profile) -> bool:
        """Does a request fit, with margin and reserve?"""
        tokens = self.calibration.tokens(profile)
        return self.limit is None or needed(tokens, self.reserve, self.margin) <= self.limit

    def _start(self, turn: int) -> int:
        return self.old.starts[turn] if turn < self.turns else self.keep

    def _pins(self, before: int) -> int:
        return bisect_left(self.old.pins, before)


def needed(tokens: int, reserve: int, margin: float) -> int:
    """What a request of so many tokens needs of the limit."""
    return tokens + math.ceil(tokens * margin) + reserve


def most_tokens(limit: int, reserve: int, margin: float) -> int:
    """The largest request that fits into `limit`; below 0 if none does."""
    tokens = math.floor((limit - reserve) / (1 + margin)) + 1
    while needed(tokens, reserve, margin) > limit:
        tokens -= 1
    return tokens


def default_reserve(limit: int | None) -> int:
    """The tokens kept free for the answer: an eighth of the limit, 4,096 at most."""
    return 0 if limit is None else min(limit // 8, _LARGEST_RESERVE)
