"""Conversations as they are listed: read, begun, brought to the top."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudllm.errors import UsageError
from cloudllm.messages import Status
from cloudllm.store.alive import Alive
from cloudllm.store.rows import fit, fit_time

if TYPE_CHECKING:
    from sqlite3 import Connection

_SELECT = """
    SELECT id, key, title, created, updated, folder, model, owner,
        coalesce(
            (SELECT turn FROM message WHERE message.id = c.head),
            (SELECT turn FROM message WHERE status = 'streaming' AND conversation = c.id),
            0
        ),
        (SELECT status FROM message WHERE message.id = c.head)
    FROM conversation AS c
"""
_NEWEST_FIRST = " ORDER BY updated DESC, id DESC LIMIT ?"
_BEGIN = """
    INSERT INTO conversation
        (key, title, titled, created, updated, folder, model, system_prompt, origin, owner)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# A clock that was set back puts no conversation behind those that were used before.
_TOUCH = """
    UPDATE conversation AS this SET updated = max(
        updated, :now, 1 + coalesce((
            SELECT updated FROM conversation WHERE id != :id ORDER BY updated DESC LIMIT 1), -1),
        1 + coalesce((
            SELECT max(used) FROM conversation
            WHERE used_in IN (this.folder, this.used_in) AND used_in != '' AND id != :id), -1))
    WHERE id = :id
"""
_USE = """
    UPDATE conversation SET used_in = :folder, used = max(:now, 1 + max(
        (SELECT max(updated) FROM conversation),
        (SELECT coalesce(max(used), 0) FROM conversation WHERE used_in = :folder)))
    WHERE id = :id
"""
_USED_IN = "SELECT used_in FROM conversation WHERE id = ?"
_KEEP = "UPDATE conversation SET used_in = ?, used = max(used, ?) WHERE id = ?"
_LAST = """
    SELECT id FROM (
        SELECT * FROM (
            SELECT id, updated, updated AS time FROM conversation WHERE folder = :folder
            ORDER BY updated DESC, id DESC LIMIT 1
        )
        UNION ALL
        SELECT id, updated, max(updated, used) FROM conversation WHERE used_in = :folder
    ) ORDER BY time DESC, updated DESC, id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A conversation in the list of all.

    id       names it in this file, `key` among all
    created  when it began, and `updated` when it last changed, in milliseconds since 1970
    folder   where it was held; "" is unknown
    model    the model id that it went to last
    turns    how many turns the branch in use has
    broken   the branch in use ends with a reply that was cut
    is_open  a living chat other than this one has it
    """

    id: int
    key: str
    title: str
    created: int
    updated: int
    folder: str
    model: str
    turns: int
    broken: bool
    is_open: bool


def newest(
    connection: Connection, alive: Alive, *, folder: str | None = None, limit: int | None = None
) -> Iterator[Entry]:
    """The conversations, or those of one folder; what changed last comes first."""
    most = -1 if limit is None else limit
    if folder is None:
        rows = connection.execute(_SELECT + _NEWEST_FIRST, (most,))
    else:
        rows = connection.execute(_SELECT + "WHERE folder = ?" + _NEWEST_FIRST, (fit(folder), most))
    return (_entry(row, alive) for row in rows)


def last(connection: Connection, alive: Alive, folder: str) -> Entry | None:
    """The one that was held or taken up last in that folder."""
    at = _last(connection, fit(folder))
    return None if at is None else entry(connection, alive, at)


def entry(connection: Connection, alive: Alive, at: int) -> Entry:
    """That conversation; raises `UsageError` if it is there no more."""
    row = connection.execute(_SELECT + "WHERE id = ?", (at,)).fetchone()
    if row is None:
        raise UsageError("There is no such conversation any more")
    return _entry(row, alive)


def begin(
    connection: Connection,
    *,
    key: str,
    title: str,
    created: int,
    folder: str = "",
    model: str = "",
    system_prompt: str = "",
    titled: str = "message",
    origin: str | None = None,
    owner: int | None = None,
) -> int:
    """Add a conversation without messages, and return its id; `titled` says by whom."""
    texts = fit(folder), fit(model), fit(system_prompt), origin and fit(origin)
    created = fit_time(created)
    row = (key, fit(title), titled, created, created, *texts, owner)
    at: int | None = connection.execute(_BEGIN, row).lastrowid
    return at or 0


def touch(connection: Connection, at: int, now: int) -> None:
    """Put the conversation before all others in the list."""
    connection.execute(_TOUCH, {"id": at, "now": fit_time(now)})


def use(connection: Connection, at: int, folder: str, now: int) -> None:
    """Have the conversation be the last one of that folder; where it stands in the list stays."""
    connection.execute(_USE, {"id": at, "folder": fit(folder), "now": fit_time(now)})


def keep(connection: Connection, at: int, now: int) -> None:
    """Have the conversation count as used now; it becomes the last one of no folder by that."""
    (folder,) = connection.execute(_USED_IN, (at,)).fetchone()
    if folder and _last(connection, folder) != at:
        folder = ""
    connection.execute(_KEEP, (folder, fit_time(now), at))


def new_key(now: int) -> str:
    """A key for a conversation that begins now; by their keys, they are in the order of time."""
    return f"{fit_time(now) % 2**48:012x}{os.urandom(4).hex()}"


def _last(connection: Connection, folder: str) -> int | None:
    row = connection.execute(_LAST, {"folder": folder}).fetchone()
    return None if row is None else _number(row[0])


def _entry(row: tuple[object, ...], alive: Alive) -> Entry:
    at, key, title, created, updated, folder, model, owner, turns, status = row
    return Entry(
        id=_number(at),
        key=str(key),
        title=str(title),
        created=_number(created),
        updated=_number(updated),
        folder=str(folder),
        model=str(model),
        turns=_number(turns),
        broken=status == Status.PARTIAL,
        is_open=owner is not None and alive.has_other(_number(owner)),
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"no number: {value!r}")  # the tables are strict
    return value
