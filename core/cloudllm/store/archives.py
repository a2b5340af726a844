"""A conversation out of the store as values, and back into it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import UsageError
from cloudllm.messages import Role
from cloudllm.store import entries, rows, titles
from cloudllm.words import one_line

if TYPE_CHECKING:
    from sqlite3 import Connection

_CONVERSATION = """
    SELECT key, title, created, updated, folder, model, system_prompt, origin, head
    FROM conversation WHERE id = ?
"""
_MESSAGES = (
    f"SELECT id, parent, created, {rows.COLUMNS} FROM message"  # noqa: S608 - our own words
    " WHERE conversation = ? AND status != 'streaming' ORDER BY id"
)
_LONGEST_KEY = 200


def taken_out(connection: Connection, conversation: int) -> Archive:
    """All of it but what is still coming in; messages are numbered in the order they came in."""
    row = connection.execute(_CONVERSATION, (conversation,)).fetchone()
    if row is None:
        raise UsageError("There is no such conversation any more")
    key, title, created, updated, folder, model, system_prompt, origin, head = row
    found = connection.execute(_MESSAGES, (conversation,)).fetchall()
    names = {each[0]: str(number) for number, each in enumerate(found, start=1)}
    messages = tuple(
        ArchivedMessage(
            id=names[each[0]],
            parent=names.get(each[1]),
            message=rows.message(each[3:]),
            created=each[2],
        )
        for each in found
    )
    return Archive(
        id=key,
        title=title,
        created=created,
        updated=updated,
        folder=folder,
        model=model,
        system_prompt=system_prompt,
        origin=origin or "",
        messages=messages,
        head=names.get(head),
    )


def put_in(connection: Connection, archive: Archive, now: int) -> int | None:
    """Add it and return its id; `None` if it, or what it was imported from, is here already.

    Raises:
        UsageError: a message follows one that does not come before it, or two have one id.
    """
    key = archive.id if _is_key(archive.id) else entries.new_key(archive.created or now)
    origin = rows.fit(archive.origin) or None
    known = "SELECT 1 FROM conversation WHERE key = ? OR origin = ?"
    if connection.execute(known, (key, origin)).fetchone():
        return None
    at = entries.begin(
        connection,
        key=key,
        title=archive.title if archive.title.strip() else _title(archive),
        titled="person" if archive.title.strip() else "message",
        created=min(archive.created, now) or now,
        folder=archive.folder,
        model=archive.model,
        system_prompt=archive.system_prompt,
        origin=origin,
    )
    ids = _put_messages(connection, archive, at)
    _finish(connection, at, archive, ids, now)
    return at


def copied(connection: Connection, conversation: int, last: int | None, now: int) -> int:
    """Add a copy of the branch that ends with the message `last`, and return its id."""
    archive = taken_out(connection, conversation)
    ids = connection.execute(_MESSAGES, (conversation,)).fetchall()
    names = {each[0]: str(number) for number, each in enumerate(ids, start=1)}
    branch = replace(archive, head=None if last is None else names[last]).branch()
    made = put_in(
        connection,
        replace(
            archive,
            id="",
            origin="",
            title=f"{archive.title} (fork)",
            created=now,
            updated=now,
            messages=branch,
            head=branch[-1].id if branch else None,
        ),
        now,
    )
    if made is None:
        raise RuntimeError("a new key was taken already")
    entries.touch(connection, made, now)
    return made


def _is_key(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_KEY and text.isprintable() and text == text.strip()


def _title(archive: Archive) -> str:
    first = next((m.message for m in archive.messages if m.message.role is Role.USER), None)
    return titles.title_of("" if first is None else first.content)


def _put_messages(connection: Connection, archive: Archive, at: int) -> dict[str, int]:
    ids: dict[str, int] = {}
    for each in archive.messages:
        if each.id in ids:
            raise UsageError(f"Two messages have the id {_shown(each.id)}")
        if each.parent is not None and each.parent not in ids:
            raise UsageError(
                f"The message {_shown(each.id)} follows {_shown(each.parent)}, which does not come"
                " before it"
            )
        parent = None if each.parent is None else ids[each.parent]
        ids[each.id] = rows.put(connection, at, parent, each.message, created=each.created)
    return ids


def _finish(
    connection: Connection, at: int, archive: Archive, ids: dict[str, int], now: int
) -> None:
    """Set what names a message, and a time that is not yet to come: it would always be the newest."""
    if archive.head is not None and archive.head not in ids:
        raise UsageError(f"The branch in use ends with {_shown(archive.head)}, which is not there")
    head = None if archive.head is None else ids[archive.head]
    updated = min(archive.updated or archive.created, now) or now
    connection.execute(
        "UPDATE conversation SET head = ?, updated = max(created, ?) WHERE id = ?",
        (head, rows.fit_time(updated), at),
    )


def _shown(name: str) -> str:
    return one_line(name, 60)
