"""Full-text search over the messages of all conversations, with the hit in its context."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.errors import UsageError
from cloudllm.store import entries, index
from cloudllm.store.alive import Alive, alive
from cloudllm.store.entries import Entry
from cloudllm.store.phrases import Finder, parsed, with_letters
from cloudllm.store.rows import fit

if TYPE_CHECKING:
    from sqlite3 import Connection

_AROUND = 60  # characters on each side of a hit
_FEW = 2_000  # messages that are sorted by time; of more, those are sought first that are new
_NEW = 100
_BLANKS = re.compile(r"\s+")
_EVERY = range(1, 2**63)
_NEWEST_FIRST = """
    SELECT id FROM message
    WHERE (:folder IS NULL OR conversation IN (SELECT id FROM conversation WHERE folder = :folder))
        {} ORDER BY created DESC, conversation DESC, id DESC
"""
_ALL = _NEWEST_FIRST.format("")
_THESE = _NEWEST_FIRST.format("AND id IN (SELECT value FROM json_each(:ids))")
_MESSAGE = """
    SELECT conversation, role, created, content FROM message WHERE id = ? AND status != 'streaming'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A message that holds what was searched for.

    entry    its conversation
    message  its id, for `Conversations.move` and `Conversations.fork`
    created  when it began, in milliseconds since 1970
    match    the first of the words or phrases, as it stands in the message
    before   what stands before that on one line, and `after` what follows; cut with "…"
    """

    entry: Entry
    message: int
    role: str
    created: int
    before: str
    match: str
    after: str


def search(
    connection: Connection, words: str, *, folder: str | None = None, limit: int = 20
) -> list[Hit]:
    """The messages that hold every word and every "quoted phrase", the newest first.

    All branches are searched, in all conversations or those of one folder, for parts of words too,
    upper case or lower. Nothing in `words` but quotes and blanks means anything. Where nothing holds
    all of it, marks that stand alone among words, such as a dash, do not count.
    """
    phrases = parsed(words)
    found = _found(connection, phrases, folder, limit)
    if found or (lettered := with_letters(phrases)) in ([], phrases):
        return found
    return _found(connection, lettered, folder, limit)


def _found(connection: Connection, phrases: list[str], folder: str | None, limit: int) -> list[Hit]:
    if not phrases:
        return []
    asked = index.query(connection, phrases)
    messages = _newest(connection, asked, None if folder is None else fit(folder))
    return list(islice(_hits(connection, messages, phrases), limit))


def _newest(connection: Connection, asked: str | None, folder: str | None) -> Iterator[int]:
    """The messages worth looking at, in the order of time, and not looked for before they are taken."""
    if asked is not None:
        few = index.matching(connection, asked, _EVERY, _FEW + 1)
        if len(few) <= _FEW:
            rows = connection.execute(_THESE, {"folder": folder, "ids": json.dumps([*few])})
            return (at for (at,) in rows)
    every = (at for (at,) in connection.execute(_ALL, {"folder": folder}))
    return every if asked is None else _matching(connection, asked, every)


def _matching(connection: Connection, asked: str, messages: Iterator[int]) -> Iterator[int]:
    """Those that match, sought among more and more of the messages at a time."""
    size = _NEW
    while part := list(islice(messages, size)):
        found = index.matching(connection, asked, range(min(part), max(part) + 1))
        yield from (at for at in part if at in found)
        size *= 4


def _hits(connection: Connection, messages: Iterator[int], phrases: list[str]) -> Iterator[Hit]:
    finder = Finder(phrases)
    living = _living(connection)
    for at in messages:
        row = connection.execute(_MESSAGE, (at,)).fetchone()
        place = None if row is None else finder.find(row[3])
        if place is None:
            continue
        conversation, role, created, content = row
        try:
            entry = entries.entry(connection, living, conversation)
        except UsageError:  # deleted at this moment
            continue
        before, match, after = _context(content, *place)
        yield Hit(
            entry=entry,
            message=at,
            role=role,
            created=created,
            before=before,
            match=match,
            after=after,
        )


def _living(connection: Connection) -> Alive:
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    return alive(Path(path).parent)


def _context(text: str, begin: int, end: int) -> tuple[str, str, str]:
    """What stands before, at and after that place, each on one line; words stay whole if they can."""
    before = _one_line(text[max(0, begin - _AROUND) : begin])
    after = _one_line(text[end : end + _AROUND])
    if begin > _AROUND:
        before = "…" + _without_first_word(before)
    if end + _AROUND < len(text):
        after = _without_first_word(after[::-1])[::-1] + "…"
    return before, _one_line(text[begin:end]), after


def _without_first_word(line: str) -> str:
    rest = line.partition(" ")[2]
    return rest if len(rest) > len(line) // 2 else line


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text)
