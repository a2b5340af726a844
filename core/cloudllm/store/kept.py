"""A conversation that a journal writes: in memory, with where each of its messages is on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudllm.messages import Message
from cloudllm.store import entries, rows
from cloudllm.store.alive import Alive
from cloudllm.store.branch import BETWEEN
from cloudllm.store.database import Store

if TYPE_CHECKING:
    from sqlite3 import Connection

ELSEWHERE = "This conversation is open in another chat too: what is said here goes on as a branch of its own"

_WHOLE = f"""
    SELECT {rows.COLUMNS} FROM message
    WHERE id = ? AND conversation = ? AND status != 'streaming'
"""  # noqa: S608 - our own words

NOTHING = 0
"""The head of a branch on which there is no message."""


@dataclass(slots=True, eq=False)
class Place:
    """A message after its parent. It is on disk as `id` if `era` is that of its conversation."""

    message: Message
    parent: Place | None
    created: int
    id: int = 0
    era: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Kept:
    """A conversation and its row, which may not be there yet, or be there no more.

    An era ends when the row is gone: the file was set aside, or another process has deleted it.
    What is in memory is then written anew. `head` is the last message of the branch in use as far
    as this chat knows, or `NOTHING`; `None` is unknown. All methods run in the thread of the store.
    """

    key: str
    title: str
    folder: str
    created: int
    alive: Alive
    model: str = ""
    system_prompt: str = ""
    id: int = 0
    era: int = 1
    head: int | None = None
    elsewhere: bool = False
    _new: list[Place] = field(default_factory=list)

    def write(
        self, store: Store, change: Callable[[Connection], None], *, durable: bool = False
    ) -> None:
        """Make a change in a transaction; if it fails, memory is as before too."""
        before = self.id, self.era, self.head, self.elsewhere
        self._new.clear()
        try:
            with store.write(durable=durable) as connection:
                change(connection)
        except BaseException:
            self.id, self.era, self.head, self.elsewhere = before
            for place in self._new:
                place.era = 0
            raise

    def is_there(self, connection: Connection) -> bool:
        """Look for the row, and at whether another chat has gone on with the conversation."""
        row = connection.execute(
            "SELECT id, head FROM conversation WHERE key = ?", (self.key,)
        ).fetchone()
        if row is None or row[0] != self.id:
            self.id = 0 if row is None else row[0]
            self.lose()
        elif self.head not in (None, row[1] or NOTHING):
            self.elsewhere = True
        self.head = None if row is None else row[1] or NOTHING
        return row is not None

    def hold(self, connection: Connection) -> None:
        """Have a row, with this chat as its owner."""
        if not self.is_there(connection):
            self.id = entries.begin(
                connection,
                key=self.key,
                title=self.title,
                created=self.created,
                folder=self.folder,
                model=self.model,
                system_prompt=self.system_prompt,
            )
        change = "UPDATE conversation SET owner = ? WHERE id = ? AND owner IS NOT ?"
        connection.execute(change, (self.alive.number, self.id, self.alive.number))

    def put(self, connection: Connection, place: Place, owner: int | None = None) -> int:
        """Have a message on disk, and all before it; with an `owner`, as one still coming in."""
        missing = []
        at: Place | None = place
        while at is not None and not self.finds(connection, at):
            missing.append(at)
            at = at.parent
        for each in reversed(missing):
            parent = None if each.parent is None else each.parent.id
            coming = owner if each is place else None
            each.id = rows.put(
                connection, self.id, parent, each.message, created=each.created, owner=coming
            )
            each.era = self.era
            self._new.append(each)
        return place.id

    def has(self, place: Place) -> bool:
        """Is the message on disk, as far as this chat knows?"""
        return place.era == self.era

    def on_disk(self, place: Place | None) -> int | None:
        """The message there, or the last one before it that is; `None` is the beginning."""
        while place is not None and not self.has(place):
            place = place.parent
        return None if place is None else place.id

    def finds(self, connection: Connection, place: Place) -> bool:
        """Is the message still on disk, in this conversation, whose row is there?

        Another process may have deleted it, and SQLite gives the ids of what was deleted last once
        more. Of messages that were joined as they were loaded, the last one is on disk.
        """
        if not self.has(place):
            return False
        row = connection.execute(_WHOLE, (place.id, self.id)).fetchone()
        if row is None or not _is_of(rows.message(row), place.message):
            place.era = 0
        return self.has(place)

    def lose(self) -> None:
        """What was on disk is there no more."""
        self.era += 1

    def move(self, connection: Connection, place: Place | None, now: int) -> None:
        """The branch in use ends with this message now; with `None` nothing is on it."""
        self.head = NOTHING if place is None else self.put(connection, place)
        connection.execute(
            "UPDATE conversation SET head = ?, model = ?, system_prompt = ? WHERE id = ?",
            (self.head or None, rows.fit(self.model), rows.fit(self.system_prompt), self.id),
        )
        entries.touch(connection, self.id, now)

    def claim(self, connection: Connection, *, folder: str, now: int) -> None:
        """Become its owner, unless another living chat is; it is taken up in this folder now."""
        if not self.is_there(connection):
            return
        entries.use(connection, self.id, folder, now)
        (owner,) = connection.execute(
            "SELECT owner FROM conversation WHERE id = ?", (self.id,)
        ).fetchone()
        if owner is not None and self.alive.has_other(owner):
            self.elsewhere = True
        else:
            self._own(connection, self.alive.number)

    def release(self, connection: Connection) -> None:
        """Be its owner no more."""
        change = "UPDATE conversation SET owner = NULL WHERE key = ? AND owner = ?"
        connection.execute(change, (self.key, self.alive.number))

    def pin(self, connection: Connection, turn: Sequence[Place]) -> None:
        """Write which messages of a turn are pinned."""
        if not self.is_there(connection):
            return
        for each in turn:
            at = self.put(connection, each)
            pinned = "UPDATE message SET pinned = ? WHERE id = ?"
            connection.execute(pinned, (each.message.pinned, at))

    def _own(self, connection: Connection, number: int) -> None:
        connection.execute("UPDATE conversation SET owner = ? WHERE id = ?", (number, self.id))


def _is_of(found: Message, message: Message) -> bool:
    """Is this one the message, or the last one of those that it was joined of?"""
    return (
        found.role is message.role
        and _ends_with(message.content, found.content)
        and _ends_with(message.reasoning, found.reasoning)
    )


def _ends_with(joined: str, last: str) -> bool:
    """An empty text adds nothing to those that it is joined with."""
    return not last or joined == last or joined.endswith(BETWEEN + last)
