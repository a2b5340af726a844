"""What is still to be written: in its order, tried again where it fails, and told of."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudllm.errors import StoreDamaged, StoreError
from cloudllm.store.database import Store
from cloudllm.store.kept import ELSEWHERE, Kept
from cloudllm.store.running import Running

if TYPE_CHECKING:
    from sqlite3 import Connection

PAUSE = 0.25  # seconds before what has failed is tried again
_SAVED_AGAIN = "The conversation is saved again"


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a conversation; a `durable` one outlives a power cut."""

    kept: Kept
    make: Callable[[Connection], None]
    durable: bool = False


class Pending:
    """The changes that are not yet on disk, and the reply that is coming in.

    `put` and `running` are the event loop's, `write` is the thread's. `notices` are lines for the
    person that nobody has told yet; `notify` is called in the thread when there is one.
    """

    def __init__(self, store: Store, notify: Callable[[], None]) -> None:
        self.running: Running | None = None
        self.notices: deque[str] = deque()
        self._store = store
        self._notify = notify
        self._changes: deque[Change] = deque()
        self._told: set[str] = set()
        self._branched: set[str] = set()
        self._failed_at: float | None = None

    def put(self, change: Change) -> None:
        """Have it written after all that were put before it."""
        self._changes.append(change)

    @property
    def failing(self) -> bool:
        """Did it fail the last time?"""
        return self._failed_at is not None

    @property
    def lacks_message(self) -> bool:
        """Is a message among what is not on disk yet?"""
        return any(change.durable for change in tuple(self._changes))

    @property
    def rests(self) -> bool:
        """Has it failed just now, so that it is too early to try again?"""
        return self._failed_at is not None and time.monotonic() - self._failed_at < PAUSE

    def write(self) -> None:
        """Write what can be written; raises nothing."""
        try:
            try:
                self._write_all()
            except StoreDamaged as error:
                self.notice(str(error))
                self._write_all()  # into the new file
        except StoreError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - a chat never stops because of its journal
            self._fail(repr(error))
        else:
            self._succeed()

    def notice(self, line: str) -> None:
        """Have a line told."""
        self.notices.append(line)
        self._notify()

    def _write_all(self) -> None:
        while self._changes:
            change = self._changes[0]
            change.kept.write(self._store, change.make, durable=change.durable)
            self._changes.popleft()
            self._look(change.kept)
        running = self.running
        if running is not None:
            running.write(self._store)
            self._look(running.kept)

    def _look(self, kept: Kept) -> None:
        """Tell, once, that another chat has the conversation too."""
        if kept.elsewhere and kept.key not in self._branched:
            self._branched.add(kept.key)
            self.notice(ELSEWHERE)

    def _fail(self, reason: str) -> None:
        self._failed_at = time.monotonic()
        if reason not in self._told:
            self._told.add(reason)
            self.notice(f"The conversation is not saved: {reason}")

    def _succeed(self) -> None:
        self._failed_at = None
        if self._told:
            self._told.clear()
            self.notice(_SAVED_AGAIN)
