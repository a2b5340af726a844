"""What a session tells whoever keeps its conversation, and how one turn tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cloudllm.events import ReasoningDelta, TextDelta
from cloudllm.messages import Message


@dataclass(frozen=True, slots=True)
class Start:
    """What a turn starts from: `keep` messages of the history, then `head`, then the reply to come.

    Where the history goes on behind `keep`, `head` stands there already, and the reply is another
    one to it. `continued` is the reply that it goes on with, if it does.
    """

    keep: int
    head: tuple[Message, ...]
    continued: Message | None = None


class Record(Protocol):
    """What keeps a conversation as it happens; `cloudllm.store.journal.Journal` is one.

    A place is an index in the history. No method raises, whatever the disk does, and only the
    asynchronous ones wait for it, for a second at most. Those are called in an event loop, and may
    be cancelled there; the others from any thread, whether a loop runs or not.
    """

    async def begin(self, start: Start, *, model: str, system_prompt: str) -> None:
        """A turn is about to go out: have its user message on disk when this returns.

        It has begun, and will be settled, even if this is cancelled.
        """

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        """A piece of the reply has come; it is on disk within 250 ms.

        Of a reply that goes on with `start.continued` these are the pieces of the new part.
        """

    def settle(self, keep: int, messages: Sequence[Message]) -> None:
        """The turn that began is over: these stand in the history from `keep` on, the reply last.

        Without messages nothing came of it, and the history is as before.
        """

    async def saved(self) -> None:
        """Wait until all that it was told before is on disk."""

    def cut(self, keep: int) -> None:
        """The history ends before `keep` now, as after an undo; what followed stays as a branch.

        With 0 the next message is another beginning of the same conversation.
        """

    def clear(self) -> None:
        """The history is empty now, and the next message begins a conversation of its own."""

    def append(self, message: Message) -> None:
        """A message was added without a turn."""

    def pin(self, place: int, pinned: bool) -> None:  # noqa: FBT001 - reads well
        """The turn that begins at `place` is pinned, or is so no longer."""


class Recording:
    """One turn's part of a record: it begins once at most, and what has begun is settled once.

    What comes too late, from a request that is slow to stop, is not told; nothing is without a
    record.
    """

    def __init__(self, record: Record | None) -> None:
        self._record = record
        self._begun = False
        self._over = False

    async def begin(self, start: Start, *, model: str, system_prompt: str) -> None:
        """A request is about to go out, maybe not the first one of the turn."""
        if self._record is None or self._begun or self._over:
            return
        self._begun = True
        await self._record.begin(start, model=model, system_prompt=system_prompt)

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        """A piece of the reply has come."""
        if self._record is not None and self._begun and not self._over:
            self._record.add(delta)

    def settle(self, keep: int, messages: Sequence[Message] = ()) -> None:
        """The turn is over, and these stand from `keep` on."""
        was_over, self._over = self._over, True
        if self._record is not None and self._begun and not was_over:
            self._record.settle(keep, messages)

    async def saved(self) -> None:
        """Wait until the turn is on disk."""
        if self._record is not None and self._begun:
            await self._record.saved()
