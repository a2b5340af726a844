"""A store of ours as archives: of another machine, or a backup, of any version that has conversations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing.jsonfile import Item
from cloudllm.importing.logsdb import Log
from cloudllm.store import archives, migrations, recovery, rows

_FIRST = "call"  # the table of all versions, also those that had no conversations
_TABLES = {"conversation", "message", "piece"}
_IDS = "SELECT id FROM conversation ORDER BY id"
_HEADING = f"SELECT owner, {archives.HEADING} FROM conversation WHERE id = ?"  # noqa: S608 - ours
_MESSAGES = (
    f"SELECT id, parent, created, owner, {rows.COLUMNS} FROM message"  # noqa: S608 - our own words
    " WHERE conversation = ? ORDER BY id"
)
_STATUS = rows.COLUMNS.split(", ").index("status")

Piece = tuple[int, str, bytes]
"""The number, the kind and the text of a piece of what was coming in."""


def is_ours(log: Log) -> bool:
    """Is it a store of ours, and whole?"""
    if _FIRST not in log.tables:
        return False
    if not log.tables >= _TABLES:
        return True
    checks = (log.rows(f"PRAGMA integrity_check({table})", of=table) for table in sorted(_TABLES))
    try:
        return all([*row.values()] == ["ok"] for found in checks for row in found)
    except UsageError:
        return False


def conversations(log: Log) -> Iterator[Item]:
    """The conversations in a store that is whole, each made when it is asked for.

    Raises:
        UsageError: a newer version wrote it.
    """
    (version,) = log.rows("PRAGMA user_version", of=_FIRST)
    if version["user_version"] > len(migrations.STEPS):
        raise UsageError(
            f"{log.where}: a newer version of cloudllm wrote it", advice="Update cloudllm"
        )
    for row in log.rows(_IDS, of="conversation"):
        yield f"{log.where}: conversation {row['id']}", partial(_archive, log, row["id"])


def archive_of(
    heading: Sequence[Any],
    owner: int | None,
    messages: Sequence[Sequence[Any]],
    pieces: Callable[[int], Sequence[Piece]],
) -> Archive:
    """The archive of rows; of what was coming in, as much as came, as `recovery.recover` leaves it.

    `heading` are the columns `archives.HEADING`; a message is its id, parent, time and owner and the
    columns `rows.COLUMNS`.
    """
    *heading, head = heading
    following = Counter(parent for _, parent, *_ in messages)
    found = []
    for at, parent, created, by, *columns in messages:
        if columns[_STATUS] != rows.STREAMING:
            found.append((at, parent, created, rows.message(columns)))
            continue
        message = recovery.partial(columns, pieces(at))
        if message is not None:
            found.append((at, parent, created, message))
        if by == owner and (message is not None or following[parent] == 1):
            head = parent if message is None else at
    return archives.archive_of((*heading, head), found)


def _archive(log: Log, at: int) -> Archive:
    (row,) = log.rows(_HEADING, (at,), of="conversation")
    owner, *heading = row.values()
    messages = [tuple(each.values()) for each in log.rows(_MESSAGES, (at,), of="message")]
    try:
        return archive_of(heading, owner, messages, partial(_pieces, log))
    except ValueError as error:  # SQLite sees no damage within a value
        raise UsageError(f"{log.where}: conversation {at} is damaged") from error


def _pieces(log: Log, at: int) -> list[Piece]:
    found = log.rows(recovery.PIECES, (at,), of="piece")
    return [tuple(each.values()) for each in found]
