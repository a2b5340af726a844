"""The way from a chat to the conversations on disk: the one that it holds, and all the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cloudllm.archive import Archive
from cloudllm.errors import StoreDamaged, StoreError, UsageError
from cloudllm.store.conversations import Conversations, Entry, Loaded, Tree
from cloudllm.store.database import default_path
from cloudllm.store.journal import Journal

if TYPE_CHECKING:
    from cloudllm.store.search import Hit

Result = TypeVar("Result")


class Shelf:
    """What a chat asks of the store; nothing is opened, or made, before it is needed.

    `journal` keeps the conversation that is held. Each asynchronous method raises `StoreError` if the
    store can't be used.
    """

    def __init__(self) -> None:
        self.path = default_path()
        self.folder = _folder()
        self.journal = Journal(self.path, folder=self.folder)
        self._listed: Sequence[str] = ()
        self._found: Sequence[int] = ()

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called, in the event loop, with what there is to say of the journal."""
        self.journal.listen(listener)

    def close(self, seconds: float) -> None:
        """Write what is not on disk yet, for so long at most; it blocks."""
        self.journal.close(seconds)

    async def recover(self) -> list[Entry]:
        """Put in order what chats have left that died; those conversations."""
        return await self._ask(Conversations.recover, [])

    async def entries(self) -> list[Entry]:
        """All conversations; what changed last comes first."""
        return await self._ask(Conversations.entries, [])

    async def broken(self) -> Entry | None:
        """The last conversation of this folder, if its chat died; to be asked after `recover`."""
        folder = self.folder
        return await self._ask(lambda found: found.broken(folder), None) if folder else None

    async def last(self) -> Entry | None:
        """The conversation that was held or taken up last in this folder."""
        return await self._ask(lambda found: found.last(self.folder), None) if self.folder else None

    async def find(self, name: str, *, listing: str) -> Entry:
        """The conversation of a name, or of a number in the list that was shown last.

        `listing` is what a person runs here to see all.

        Raises:
            UsageError: there is none, or more than one.
        """
        place = _place(name, self._listed)
        if place is not None:
            name = self._listed[place]
        found = await self._ask(lambda all_: all_.find(name, listing=listing), None)
        if found is None:
            raise UsageError("there are no conversations yet")
        return found

    def number(self, entries: Iterable[Entry], found: Sequence[int] = ()) -> None:
        """A person is shown these, each with its number; `found` are the messages of a search."""
        self._listed, self._found = [entry.key for entry in entries], found

    def found(self, name: str) -> int | None:
        """The message that was found, if this is its number in the list that was shown last."""
        place = _place(name, self._found)
        return None if place is None else self._found[place]

    async def current(self) -> Entry:
        """The conversation that the chat holds.

        Raises:
            UsageError: nothing of it is on disk yet.
        """
        key = self.journal.key
        if key is None:
            raise UsageError("nothing has been said yet")
        entries = await self.journal.ask(Conversations.entries)
        found = next((entry for entry in entries if entry.key == key), None)
        if found is None:
            raise UsageError("this conversation is not on disk yet")
        return found

    async def tree(self) -> Tree:
        """All messages of that conversation, with the branch on which this chat is.

        Raises:
            UsageError: nothing of it is on disk yet.
        """
        entry, here = await self.current(), await self.journal.place()
        tree = await self.journal.ask(lambda conversations: conversations.tree(entry.id))
        return tree.seen_from(here)

    async def fork(self, end: int | None = None) -> Entry:
        """Copy this chat's branch, or so many messages of its history, into a new conversation.

        Raises:
            UsageError: there is nothing on it.
        """
        entry, last = await self.current(), await self.journal.place(end)
        if last is None:
            raise UsageError(
                "there is nothing to copy: all that was said was taken back",
                advice="/tree leads back to it",
            )
        folder = self.folder
        return await self.journal.ask(lambda found: found.fork(entry.id, last, folder=folder))

    async def load(self, entry_id: int) -> Loaded:
        """The branch in use, for the chat to go on with: what is said then follows it on disk.

        A reply that was broken off there since this chat began is on it.
        """

        def load(conversations: Conversations) -> Loaded:
            try:
                conversations.recover()
            except StoreDamaged:
                raise
            except StoreError:  # it may only be read
                pass
            return conversations.load(entry_id)

        return await self.journal.ask(load)

    async def archive(self) -> Archive | None:
        """The conversation that the chat holds, with all its branches; `None` if there is none."""
        if self.journal.key is None:
            return None
        entry, here = await self.current(), await self.journal.place()
        return await self.journal.ask(lambda conversations: conversations.archive(entry.id, here))

    async def search(self, words: str, *, limit: int) -> list[Hit]:
        """Messages of any conversation with these words, so many at most, the newest first."""
        return await self._ask(lambda found: found.search(words, limit=limit), [])

    async def ending(self, entry_id: int) -> str:
        """The last message of a conversation."""
        return await self.journal.ask(lambda found: found.ending(entry_id))

    async def expire(self, days: int) -> int:
        """Purge what was not in use for so many days, once a day at most; how many those were."""
        return await self.journal.ask(lambda found: found.expire(days))

    async def entitle(self, key: str, title: str) -> None:
        """Give a conversation the title that a model wrote, unless a person gave it one."""

        def rename(found: Conversations) -> None:
            found.rename(found.find(key).id, title, by="model")

        await self.journal.ask(rename)

    async def _ask(self, job: Callable[[Conversations], Result], otherwise: Result) -> Result:
        """What the job gives; `otherwise` if there is no store yet, which is not made for it."""

        def run(conversations: Conversations) -> Result:
            return job(conversations) if self.path.exists() else otherwise

        return await self.journal.ask(run)


def _place(name: str, listed: Sequence[object]) -> int | None:
    """Where in a list the number is that was typed, if it is one."""
    is_number = name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= len(listed)
    return int(name) - 1 if is_number else None


def _folder() -> str:
    """The current folder; "" if it is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""
