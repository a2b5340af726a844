"""The conversations in the store: listed, found, loaded, changed, copied, taken out and put in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from cloudllm.archive import Archive
from cloudllm.store import archives, branch, entries, naming, recovery, rows
from cloudllm.store import tree as trees
from cloudllm.store.alive import alive
from cloudllm.store.branch import Loaded
from cloudllm.store.database import Store
from cloudllm.store.entries import Entry
from cloudllm.store.tree import Node, Tree

if TYPE_CHECKING:
    from sqlite3 import Connection

    from cloudllm.store.search import Hit

__all__ = ("Conversations", "Entry", "Loaded", "Node", "Tree")

_ENDING = (
    "SELECT content FROM message JOIN conversation ON head = message.id WHERE conversation.id = ?"
)


class Conversations:
    """The conversations in `store`; every method raises `StoreError` as that one does.

    One that takes the id of a conversation raises `UsageError` if there is none of that id any more.
    `clock` gives the time in seconds since 1970.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._alive = alive(store.path.parent)

    def entries(self, *, folder: str | None = None, limit: int | None = None) -> list[Entry]:
        """All, or those of one folder, `limit` at most; what changed last comes first.

        Without a file there are none, and none is made.
        """
        if not self._is_there:
            return []
        with self._snapshot() as connection:
            return list(entries.newest(connection, self._alive, folder=folder, limit=limit))

    def last(self, folder: str) -> Entry | None:
        """The one that was held or taken up last in that folder.

        Without a file there is none, and none is made.
        """
        if not self._is_there:
            return None
        with self._snapshot() as connection:
            return entries.last(connection, self._alive, folder)

    def broken(self, folder: str) -> Entry | None:
        """The last one of that folder, if its chat died before a reply was whole, to be gone on with.

        It is no more as soon as a chat has gone on with it. To be asked after `recover`.
        """
        if not self._is_there:
            return None
        with self._snapshot() as connection:
            found = entries.last(connection, self._alive, folder)
            if found and recovery.is_broken_off(connection, self._alive, found.id):
                return found
        return None

    def find(self, name: str, *, listing: str = "cloudllm sessions list") -> Entry:
        """The one that a person means: by its key or 4 characters of it, its title or a part of it.

        `listing` is what they run, where they are told that there is none, to see all.

        Raises:
            UsageError: there is none, or more than one.
        """
        return naming.find(self.entries(), name, listing=listing)

    def search(self, words: str, *, folder: str | None = None, limit: int = 20) -> list[Hit]:
        """The messages with these words, as `cloudllm.store.search` finds them; the newest first.

        Without a file there are none, and none is made.

        Raises:
            UsageError: there are no words.
        """
        from cloudllm.store.search import search  # noqa: PLC0415 - rarely needed

        if not self._is_there:
            return []
        with self._snapshot() as connection:
            return search(connection, words, folder=folder, limit=limit)

    def ending(self, entry_id: int) -> str:
        """The text of the last message of the branch in use; "" if there is none."""
        with self._snapshot() as connection:
            row = connection.execute(_ENDING, (entry_id,)).fetchone()
            return str(row[0]) if row else ""

    def load(self, entry_id: int) -> Loaded:
        """The branch in use, as a history that a session can go on with."""
        with self._snapshot() as connection:
            return branch.load(connection, entries.entry(connection, self._alive, entry_id))

    def archive(self, entry_id: int, message: int | None = None) -> Archive:
        """All of its branches, as values; messages are called "1", "2"… in the order they came.

        With a `message` the branch in use is the one that ends there.
        """
        with self._snapshot() as connection:
            return archives.taken_out(connection, entry_id, message)

    def missing(self, archive: Archive) -> int | None:
        """How many messages `add` would put in; `None` if the whole conversation would be new.

        Raises:
            UsageError: as `add` does.
        """
        with self._snapshot() as connection:
            return archives.missing(connection, archive)

    def add(self, archive: Archive) -> Entry | None:
        """Put in what was taken out or imported, or what is new of it; `None` if nothing is.

        A conversation that is here already, by its key or its origin, gets the messages that it has
        not; what was done with it here stays as it is.

        Raises:
            UsageError: its messages make no tree, or a conversation about something else has its id.
        """
        with self._store.write(durable=True) as connection:
            at = archives.put_in(connection, archive, self._now())
            return None if at is None else entries.entry(connection, self._alive, at)

    def rename(
        self, entry_id: int, title: str, *, by: Literal["person", "model"] = "person"
    ) -> Entry:
        """Give it a title; one that a person gave is not replaced by a model's.

        Raises:
            UsageError: it is blank, longer than 200 characters, or holds control characters.
        """
        wanted = naming.checked_title(title)
        with self._store.write() as connection:
            connection.execute(
                "UPDATE conversation SET title = ?, titled = ?"
                " WHERE id = ? AND (titled != 'person' OR ? = 'person')",
                (wanted, by, entry_id, by),
            )
            return entries.entry(connection, self._alive, entry_id)

    def delete(self, entry_ids: Sequence[int]) -> None:
        """Take them out of the list and the index; their bytes may stay in the file: see purge."""
        with self._store.write() as connection:
            rows.remove(connection, entry_ids)

    def fork(self, entry_id: int, message: int | None = None, *, folder: str = "") -> Entry:
        """Copy the branch in use, or the one up to that message, into a new conversation.

        That is held in `folder`, or without one where the other was held.
        """
        with self._store.write(durable=True) as connection:
            entries.entry(connection, self._alive, entry_id)
            if message is not None:
                trees.check(connection, entry_id, message)
            at = archives.copied(connection, entry_id, message, self._now(), folder=folder)
            return entries.entry(connection, self._alive, at)

    def tree(self, entry_id: int) -> Tree:
        """Every message, with its place in the tree."""
        with self._snapshot() as connection:
            return trees.tree(connection, entries.entry(connection, self._alive, entry_id))

    def move(self, entry_id: int, message: int) -> None:
        """Go on from that message; what follows it stays as a branch.

        Raises:
            UsageError: the conversation has no such message, or it is still coming in.
        """
        with self._store.write() as connection:
            entries.entry(connection, self._alive, entry_id)
            trees.move(connection, entry_id, message)

    def recover(self) -> list[Entry]:
        """Make whole what chats that died have left: their replies are kept, marked partial.

        A user message that nothing came to stays unanswered. Returns the conversations concerned.
        Without a file there are none, and none is made.
        """
        if not self._is_there:
            return []
        with self._snapshot() as connection:
            if not recovery.left(connection):
                return []
        with self._store.write(durable=True) as connection:
            found = recovery.recover(connection, self._alive)
            return [entries.entry(connection, self._alive, each) for each in found]

    def expire(self, days: int) -> int:
        """Purge what has neither changed nor been taken up for so many days, once a day at most.

        Returns how many those were.

        Raises:
            StoreError: as `cloudllm.store.purge.purge` does; it is tried again a day later.
        """
        from cloudllm.store.retention import expire  # noqa: PLC0415 - rarely needed

        return expire(self._store, days, self._clock())

    @property
    def _is_there(self) -> bool:
        """Is there a file? A look at it would make one."""
        return os.path.exists(self._store.path)  # noqa: PTH110 - Path's raises for some folders

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """A look at one state of the file, whoever writes meanwhile."""
        with self._store.read() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                with suppress(connection.Error):  # damage has ended it already
                    connection.execute("ROLLBACK")

    def _now(self) -> int:
        return round(self._clock() * 1000)
