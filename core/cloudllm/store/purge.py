"""Removes conversations for good: their text is gone from the disk, and the bytes prove it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.errors import StoreError
from cloudllm.store import index, rows
from cloudllm.store.backup import backups
from cloudllm.store.database import Store
from cloudllm.store.remains import Remains, as_bytes, texts

if TYPE_CHECKING:
    from sqlite3 import Connection

_SHORTEST_DRAFT = 16  # characters; a shorter one says nothing of where it comes from
_NOTHING_YET = ("nothing was removed", "End the other program, then purge again")
_IN_THE_LOG = (
    "what was removed is still in its log",
    "End the other program and all chats: the last one to end removes the log",
)
_BESIDE = ("", "-wal", "-journal")
_TEXTS = (
    "SELECT * FROM conversation WHERE id = ?",
    "SELECT * FROM message WHERE conversation = ?",
    "SELECT piece.* FROM message JOIN piece ON piece.message = message.id WHERE conversation = ?",
)
_SAID = "SELECT content FROM message WHERE conversation = ? AND role = 'user'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What is gone from the disk.

    conversations, messages   how many, with all their branches
    backups                   the files that held some of it, and are gone for that
    damaged                   files that were set aside and still hold some of it: they may be the
                              only copy of other things, so they are left for the person to remove
    """

    conversations: int = 0
    messages: int = 0
    backups: tuple[Path, ...] = ()
    damaged: tuple[Path, ...] = ()


def purge(store: Store, entry_ids: Sequence[int]) -> Purged:
    """Remove these conversations from the file, its index, its log and its backups, and make sure.

    Unsent drafts with the same text go too. The bytes on the disk are then searched for any part of
    what was removed and is in no other conversation, as `cloudllm.store.samples` tells. Takes seconds
    where much is kept.

    Raises:
        StoreError: the file can't be changed, another program keeps its log from being emptied, or
            something is left; the message says what, and whether anything was removed.
    """
    with store.alone() as connection:
        _empty_log(connection, store.path, _NOTHING_YET)
    with store.write(durable=True) as connection:
        removed = set(_texts(connection, entry_ids))
        counted = _remove(connection, entry_ids)
        removed.difference_update(text for row in texts(connection) for text in row)
        if not index.tidy(connection):
            raise StoreError(f"{store.path}: the index for searching still holds what was removed")
    with store.alone() as connection:
        _empty_log(connection, store.path, _IN_THE_LOG)
        return _verified(connection, store.path, removed, counted)


def _verified(
    connection: Connection, path: Path, removed: set[bytes], counted: tuple[int, int]
) -> Purged:
    beside, copies, damaged = _beside(path), backups(path), sorted(path.parent.glob("*.damaged-*"))
    remains = Remains(connection, path, removed)
    found = remains.held_by([*beside, *copies, *damaged])
    gone = [each for each in copies if each in found]
    for each in gone:
        each.unlink()
    if not found.isdisjoint(beside):
        connection.execute("VACUUM")
        _empty_log(connection, path, _IN_THE_LOG)
        if left := remains.held_by(beside):
            raise StoreError(
                f"Some of what was removed is still on the disk, in {', '.join(sorted(map(str, left)))}",
                advice="End the other chats, then purge again",
            )
    conversations, messages = counted
    return Purged(
        conversations=conversations,
        messages=messages,
        backups=tuple(gone),
        damaged=tuple(each for each in damaged if each in found),
    )


def _texts(connection: Connection, entry_ids: Sequence[int]) -> Iterator[bytes]:
    with as_bytes(connection):
        for statement in _TEXTS:
            for each in entry_ids:
                for row in connection.execute(statement, (each,)):
                    yield from (value for value in row if isinstance(value, bytes))


def _remove(connection: Connection, entry_ids: Sequence[int]) -> tuple[int, int]:
    """Delete the rows, and say how many conversations and messages there were."""
    for each in entry_ids:
        said = [text for (text,) in connection.execute(_SAID, (each,))]
        for owner, draft in connection.execute("SELECT owner, text FROM draft").fetchall():
            if _is_of(draft, said):
                connection.execute("DELETE FROM draft WHERE owner = ?", (owner,))
    before = _counts(connection)
    rows.remove(connection, entry_ids)
    after = _counts(connection)
    return before[0] - after[0], before[1] - after[1]


def _is_of(draft: str, said: Sequence[str]) -> bool:
    """Does the draft hold one of the messages, or is it a part of one?"""
    text = draft.strip()
    return any(
        (len(text) >= _SHORTEST_DRAFT and text in each)
        or (len(each) >= _SHORTEST_DRAFT and each in text)
        for each in said
    )


def _counts(connection: Connection) -> tuple[int, int]:
    asked = "SELECT (SELECT count(*) FROM conversation), (SELECT count(*) FROM message)"
    conversations, messages = connection.execute(asked).fetchone()
    return conversations, messages


def _empty_log(connection: Connection, path: Path, otherwise: tuple[str, str]) -> None:
    """Write the WAL back and empty it; waits for those who read, and says `otherwise` if in vain."""
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        what, advice = otherwise
        raise StoreError(f"{path}: another program reads it all the time, so {what}", advice=advice)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _BESIDE]
