"""Puts together what chats that have died were receiving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudllm.messages import Message, Role, Status
from cloudllm.store import entries, rows
from cloudllm.store.alive import Alive

if TYPE_CHECKING:
    from sqlite3 import Connection

FIRST_PIECE = 2
"""The number of the first piece that is new; those before are of the reply that it goes on with."""

PIECES = "SELECT number, kind, CAST(text AS BLOB) FROM piece WHERE message = ? ORDER BY number"
"""What came of a message that was coming in."""

WHY = "the chat ended while it was coming in"
_LEFT = (
    f"SELECT id, conversation, parent, created, owner, {rows.COLUMNS} FROM message"  # noqa: S608
    " WHERE status = 'streaming' ORDER BY id"
)

_OWNED = "SELECT owner, head FROM conversation WHERE id = ? AND owner IS NOT NULL"
_MESSAGE = f"SELECT {rows.COLUMNS} FROM message WHERE id = ?"  # noqa: S608 - our own words


def left(connection: Connection) -> bool:
    """Is anything coming in, or was it? A look that costs nothing."""
    row = connection.execute("SELECT 1 FROM message WHERE status = 'streaming' LIMIT 1").fetchone()
    return row is not None


def is_broken_off(connection: Connection, alive: Alive, conversation: int) -> bool:
    """Did the chat that has this conversation die before the last reply was whole?

    A chat that ends in order leaves its conversation without an owner, and one that takes it up
    becomes that.
    """
    owned = connection.execute(_OWNED, (conversation,)).fetchone()
    if owned is None or owned[1] is None or alive.has(owned[0]):
        return False
    last = rows.message(connection.execute(_MESSAGE, owned[1:]).fetchone())
    return last.role is Role.USER or (last.status is Status.PARTIAL and last.error == WHY)


def recover(connection: Connection, alive: Alive) -> list[int]:
    """Put together the replies of chats that are no more; return their conversations' ids."""
    found: dict[int, None] = {}
    for at, conversation, parent, created, owner, *values in connection.execute(_LEFT).fetchall():
        if alive.has(owner or 0):
            continue
        pieces = connection.execute(PIECES, (at,)).fetchall()
        message = partial(values, pieces)
        if message is not None:
            rows.end(connection, at, message)
            head: int | None = at
        else:
            head = _dropped(connection, at, parent)
        if head is not None:
            change = "UPDATE conversation SET head = ? WHERE id = ? AND owner IS ?"
            connection.execute(change, (head, conversation, owner))
        entries.touch(connection, conversation, created)
        found[conversation] = None
    return list(found)


def partial(values: Sequence[object], pieces: Sequence[tuple[int, str, bytes]]) -> Message | None:
    """What came of a message, of its columns `rows.COLUMNS` and of its pieces in their order.

    `None` if nothing did.
    """
    if not pieces or pieces[-1][0] < FIRST_PIECE:
        return None
    role, _, _, _, pinned, model, _ = values
    blank = rows.message((role, "", "", Status.PARTIAL, pinned, model, "{}"))
    return replace(
        blank,
        content="".join(rows.from_raw(text) for _, kind, text in pieces if kind == "text"),
        reasoning="".join(rows.from_raw(text) for _, kind, text in pieces if kind == "reasoning"),
        error=WHY,
    )


def _dropped(connection: Connection, at: int, parent: int | None) -> int | None:
    """Remove a reply of which nothing came; give the message that is now the last, if it changes.

    Where it would have taken the place of another reply, that one stays.
    """
    connection.execute("DELETE FROM piece WHERE message = ?", (at,))
    connection.execute("DELETE FROM message WHERE id = ?", (at,))
    other = connection.execute("SELECT 1 FROM message WHERE parent IS ?", (parent,)).fetchone()
    return None if other else parent
