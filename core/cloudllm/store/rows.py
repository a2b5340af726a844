"""A message as a row and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudllm.archivejson import message_details, message_of
from cloudllm.messages import Message

if TYPE_CHECKING:
    from sqlite3 import Connection

STREAMING = "streaming"
"""The status of a message that is still coming in."""

COLUMNS = "role, content, reasoning, status, pinned, model, details"

ALL = f"""
    SELECT id, parent, created, {COLUMNS} FROM message
    WHERE conversation = ? AND status != 'streaming' ORDER BY id
"""  # noqa: S608 - our own words
"""The messages of a conversation, but for those that are still coming in."""

_MOST = 2**63 - 1
_PUT = f"""
    INSERT INTO message (conversation, parent, created, owner, {COLUMNS}, turn)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ifnull(
        (SELECT turn + (?5 = 'user' AND role != 'user') FROM message WHERE id = ?2), ?5 = 'user'))
"""  # noqa: S608 - our own words
_SET = (
    "UPDATE message SET owner = NULL, role = ?, content = ?, reasoning = ?, status = ?,"
    " pinned = ?, model = ?, details = ? WHERE id = ?"
)


def fit(text: str) -> str:
    """The text as SQLite takes it: two halves make a character, one becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def column(text: str) -> str:
    """The text as it is searched and shown: SQLite's functions take a NUL for the end of it."""
    return fit(text).replace("\0", "\u2400")


def raw(text: str) -> bytes:
    """The text as bytes that `CAST(? AS TEXT)` puts into a column, with halves of characters."""
    return text.encode(errors="surrogatepass")


def from_raw(data: bytes) -> str:
    """The text of what `CAST(… AS BLOB)` gives."""
    try:
        return data.decode(errors="surrogatepass")
    except UnicodeDecodeError:  # a bit has flipped on the disk
        return data.decode(errors="replace")


def fit_time(milliseconds: int) -> int:
    """The time as SQLite takes it, and not before 1970."""
    return min(max(milliseconds, 0), _MOST)


def put(
    connection: Connection,
    conversation: int,
    parent: int | None,
    message: Message,
    *,
    created: int,
    owner: int | None = None,
) -> int:
    """Add a message and return its id; with an `owner` it is one that is still coming in."""
    values = _values(message)
    if owner is not None:
        values = (*values[:3], STREAMING, *values[4:])
    return _added(
        connection.execute(_PUT, (conversation, parent, fit_time(created), owner, *values))
    )


def end(connection: Connection, at: int, message: Message) -> None:
    """Put what has come, whole or not, in the place of what was coming in."""
    connection.execute(_SET, (*_values(message), at))
    connection.execute("DELETE FROM piece WHERE message = ?", (at,))


def message(values: Sequence[Any]) -> Message:
    """The message of what `COLUMNS` gave."""
    role, content, reasoning, status, pinned, model, details = values
    try:
        return message_of(
            role=role,
            content=content,
            reasoning=reasoning,
            status=status,
            pinned=bool(pinned),
            model=model,
            details=details,
        )
    except ValueError:  # a text is worth more than what is known of it
        return message_of(
            role=role,
            content=content,
            reasoning=reasoning,
            status="partial",
            pinned=bool(pinned),
            model=model,
            details="{}",
        )


def remove(connection: Connection, conversations: Sequence[int]) -> None:
    """Delete conversations with all that hangs on them, in the order that their keys ask for."""
    for each in conversations:
        connection.execute("UPDATE conversation SET head = NULL WHERE id = ?", (each,))
        connection.execute(
            "DELETE FROM piece WHERE message IN (SELECT id FROM message WHERE conversation = ?)",
            (each,),
        )
        connection.execute("DELETE FROM message WHERE conversation = ?", (each,))
        connection.execute("DELETE FROM conversation WHERE id = ?", (each,))


def _values(message: Message) -> tuple[object, ...]:
    exact = {
        name: text
        for name in ("content", "reasoning", "model")
        if (text := getattr(message, name)) and column(text) != text
    }
    return (
        str(message.role),
        column(message.content),
        column(message.reasoning),
        str(message.status),
        message.pinned,
        None if message.model is None else column(message.model),
        message_details(message, exact),
    )


def _added(cursor: Any) -> int:  # noqa: ANN401 - a cursor, whose type would import sqlite3
    at: int = cursor.lastrowid
    return at
