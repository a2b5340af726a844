"""A conversation's messages with running sums, so that a plan costs the same however long it is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from math import inf

from cloudllm.messages import Message, Role, ToolCall
from cloudllm.tokens import ZERO, Profile, profile_message

_RECENT = 64  # messages whose profiles are remembered until they are counted


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The conversation up to some message; what comes later can't change it.

    messages  all messages, of which the first `length` count
    sums      the profile of all messages before each one
    starts    the index at which each turn starts
    pins      the turns that are pinned, from 0, in order
    pin_sums  the profile of all pinned turns before each one of `pins`
    """

    messages: list[Message]
    sums: list[Profile]
    starts: list[int]
    pins: list[int]
    pin_sums: list[Profile]


class Conversation:
    """The messages of a conversation, whole turns, the system prompt apart; turns count from 1.

    Text is profiled when its profile is wanted, and once: `sums` may lag behind the messages. Lists
    are added to, or replaced; never changed where an `Outline` that was made before may look.
    """

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._messages: list[Message] = []
        self._sums: list[Profile] = [ZERO]
        self._starts: list[int] = []
        self._pins: list[int] = []
        self._pin_sums: list[Profile] | None = None
        self._profile = lru_cache(maxsize=_RECENT)(_profile)
        self._add(messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Every message, the oldest first."""
        return tuple(self._messages)

    @property
    def turns(self) -> int:
        """How many turns there are."""
        return len(self._starts)

    def __len__(self) -> int:
        return len(self._messages)

    def profile(self, message: Message) -> Profile:
        """What `message` consists of; a message that is added afterwards is not profiled again."""
        return self._profile(message.role, message.content, message.tool_calls)

    def count(self, characters: float = inf) -> bool:
        """Profile the messages that are not yet, until it was so much text; are all of them now?"""
        end = len(self._messages)
        while (at := len(self._sums) - 1) < end and characters > 0:
            message = self._messages[at]
            self._sums.append(self._sums[-1] + self.profile(message))
            characters -= len(message.content)
        return len(self._sums) > end

    def append(self, message: Message) -> None:
        """Add a message; raises `ValueError` if the first one is not the user's."""
        self._add((message,))

    def replace_from(self, start: int, messages: Iterable[Message]) -> None:
        """Put `messages` in the place of everything from index `start` on."""
        if start < len(self._messages):
            turns = bisect_left(self._starts, start)
            self._messages = self._messages[:start]
            self._sums = self._sums[: start + 1]
            self._starts = self._starts[:turns]
            self._pins = [turn for turn in self._pins if self._is_pinned(turn)]
            self._pin_sums = None
        self._add(messages)

    def clear(self) -> None:
        """Forget everything."""
        self.replace_from(0, ())

    def start_of_turn(self, number: int) -> int:
        """The index of the first message of a turn; raises `IndexError` if there is no such turn."""
        if not 1 <= number <= len(self._starts):
            raise IndexError(f"there is no turn {number}")
        return self._starts[number - 1]

    def start_of_last_turn(self) -> int:
        """The index of the last user message; raises `IndexError` if there is no turn."""
        return self.start_of_turn(len(self._starts))

    def pin(self, number: int, pinned: bool = True) -> None:  # noqa: FBT001, FBT002 - reads well
        """Pin a whole turn, or unpin it; raises `IndexError` if there is no such turn."""
        start = self.start_of_turn(number)
        end = self._end(number - 1)
        turn = [replace(each, pinned=False) for each in self._messages[start:end]]
        turn[0] = replace(turn[0], pinned=pinned)
        self._messages = [*self._messages[:start], *turn, *self._messages[end:]]
        others = set(self._pins) - {number - 1}
        self._pins = sorted(others | {number - 1} if pinned else others)
        self._pin_sums = None

    def snapshot(self) -> Snapshot:
        """Everything as it is now."""
        self.count()
        if self._pin_sums is None:
            sizes = (
                self._sums[self._end(turn)] - self._sums[self._starts[turn]] for turn in self._pins
            )
            self._pin_sums = list(accumulate(sizes, initial=ZERO))
        return Snapshot(self._messages, self._sums, self._starts, self._pins, self._pin_sums)

    def _add(self, messages: Iterable[Message]) -> None:
        """Add messages; a turn is pinned if one of its messages is."""
        old_pins, new_pins = self._pins, list[int]()
        turn = len(self._starts) - 1
        user = Role.USER  # looked up once: it takes long
        if old_pins and old_pins[-1] == turn:
            self._pin_sums = None  # it may grow
        for message in messages:
            if message.role is user:
                self._starts.append(len(self._messages))
                turn += 1
            elif turn < 0:
                raise ValueError("a conversation starts with a user message")
            self._messages.append(message)
            if message.pinned and (new_pins or old_pins)[-1:] != [turn]:
                new_pins.append(turn)
        if new_pins:
            self._pins, self._pin_sums = [*old_pins, *new_pins], None

    def _end(self, turn: int) -> int:
        """The index behind the last message of a turn, which counts from 0."""
        last = turn + 1 == len(self._starts)
        return len(self._messages) if last else self._starts[turn + 1]

    def _is_pinned(self, turn: int) -> bool:
        """Does a turn, which counts from 0 and may be gone, hold a pinned message?"""
        if turn >= len(self._starts):
            return False
        return any(each.pinned for each in self._messages[self._starts[turn] : self._end(turn)])


def _profile(role: Role, content: str, tool_calls: tuple[ToolCall, ...]) -> Profile:
    """The profile of any message with these, which nothing else has a part in."""
    return profile_message(Message(role, content, tool_calls=tool_calls))
