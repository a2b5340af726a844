"""What the tests of the store share: conversations as values, a session's turns told to a journal."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cloudllm import Archive, ArchivedMessage, Journal, Message, Role, Status, TextDelta
from cloudllm.recording import Start
from cloudllm.store.kept import ELSEWHERE


def said(role: str, content: str, **more: Any) -> Message:
    return Message(Role(role), content, **more)


def line_of(*messages: Message) -> Archive:
    """A conversation of one branch."""
    names = [str(number) for number in range(1, len(messages) + 1)]
    return Archive(
        messages=tuple(
            ArchivedMessage(id=name, parent=before, message=each, created=1)
            for name, before, each in zip(names, [None, *names], messages, strict=False)
        ),
        head=names[-1] if names else None,
    )


def alternating(*texts: str) -> Archive:
    """A conversation in which user and model take turns."""
    return line_of(
        *(said("assistant" if number % 2 else "user", text) for number, text in enumerate(texts))
    )


class Chat:
    """A session's history, told to a journal as the session tells it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.history: tuple[Message, ...] = ()

    async def turn(self, text: str, *pieces: str, status: Status = Status.COMPLETE) -> None:
        await self._run(Start(len(self.history), (said("user", text),)), pieces, status)

    async def retry(self, *pieces: str) -> None:
        start = len(self.history) - 2
        await self._run(Start(start, self.history[start:-1]), pieces, Status.COMPLETE)

    async def go_on(self, *pieces: str) -> None:
        start = Start(len(self.history) - 2, self.history[-2:-1], self.history[-1])
        await self._run(start, pieces, Status.COMPLETE)

    def undo(self) -> None:
        self.history = self.history[:-2]
        self.journal.cut(len(self.history))

    def clear(self) -> None:
        self.history = ()
        self.journal.clear()

    async def _run(self, start: Start, pieces: Sequence[str], status: Status) -> None:
        await self.begin(start)
        for piece in pieces:
            self.journal.add(TextDelta(piece))
        self.settle(start, "".join(pieces), status)
        await self.journal.saved()

    async def begin(self, start: Start) -> None:
        await self.journal.begin(start, model="acme/one", system_prompt="Be brief.")

    def settle(self, start: Start, text: str, status: Status = Status.COMPLETE) -> None:
        if not text:
            self.journal.settle(start.keep, ())
            return
        old = start.continued.content if start.continued else ""
        reply = said("assistant", old + text, model="acme/one", status=status)
        self.journal.settle(start.keep, (*start.head, reply))
        self.history = (*self.history[: start.keep], *start.head, reply)


class Told(Chat):
    """A chat that knows what it was told."""

    def __init__(self, path: Path) -> None:
        super().__init__(Journal(path))
        self.told: list[str] = []
        self.journal.listen(self.told.append)

    async def take_up(self, entry_id: int) -> None:
        loaded = await self.journal.ask(lambda kept: kept.load(entry_id))
        self.journal.resume(loaded)
        self.history = loaded.messages

    async def ask_again(self, text: str, *pieces: str) -> None:
        """Send again the message at the end that has no reply."""
        await self._run(Start(len(self.history), (said("user", text),)), pieces, Status.COMPLETE)

    async def check(self) -> None:
        """The branch in use is what was said here, and nobody heard of trouble."""
        key = self.journal.key
        assert key is not None
        found = await self.journal.ask(lambda kept: kept.load(kept.find(key).id))
        assert contents(found.messages) == contents(self.history)
        assert set(self.told) <= {ELSEWHERE}


def contents(messages: tuple[Message, ...]) -> list[str]:
    return [each.content for each in messages]


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """What another program sees in the file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def check_file(path: Path) -> None:
    """The file is whole, nothing hangs in the air, and nothing is coming in."""
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "SELECT count(*) FROM message WHERE status = 'streaming'") == [(0,)]
    assert rows(path, "SELECT count(*) FROM piece") == [(0,)]


@contextmanager
def somebody_else(folder: Path) -> Iterator[None]:
    """Be a user who may go into a test's folder, but write nowhere; for root, who may do anything.

    The folders above stay open: tests beside this one may be in need of them.
    """
    above = [folder, *folder.parents]
    roots = (at for at, each in enumerate(above) if each.name.startswith("pytest-of-"))
    for each in above[: next(roots, 0) + 1]:
        each.chmod(0o711)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)
