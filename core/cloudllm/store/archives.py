"""A conversation out of the store as values, and back into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import UsageError
from cloudllm.messages import Message, Role
from cloudllm.store import entries, growth, naming, rows, titles
from cloudllm.words import one_line

if TYPE_CHECKING:
    from sqlite3 import Connection

HEADING = "key, title, created, updated, folder, model, system_prompt, origin, head"
"""What is known of a conversation beside its messages."""

_CONVERSATION = f"SELECT {HEADING} FROM conversation WHERE id = ?"  # noqa: S608 - our own words
_KNOWN = "SELECT id FROM conversation WHERE key = ?1 OR origin = ?2 ORDER BY key != ?1 LIMIT 1"
_HEAD = "UPDATE conversation SET head = ? WHERE id = ?"
_BRANCH = "UPDATE conversation SET model = ?, system_prompt = ? WHERE id = ?"
_DATE = "UPDATE conversation SET updated = max(created, updated, ?) WHERE id = ?"
_FORKS = "SELECT title FROM conversation WHERE instr(title, '(fork')"
_LONGEST_KEY = 200
_DIGITS = 20  # of a key that stands for a name
_LONGEST_NAME = 4_096  # characters


def taken_out(connection: Connection, conversation: int, last: int | None = None) -> Archive:
    """All of it but what is still coming in; messages are numbered in the order they came in.

    With `last` the branch in use is the one that ends with that message.
    """
    row = connection.execute(_CONVERSATION, (conversation,)).fetchone()
    if row is None:
        raise UsageError("There is no such conversation any more")
    found = connection.execute(rows.ALL, (conversation,)).fetchall()
    messages = [(*each[:3], rows.message(each[3:])) for each in found]
    return archive_of(row if last is None else (*row[:-1], last), messages)


def archive_of(
    heading: Sequence[Any], found: Sequence[tuple[int, int | None, int, Message]]
) -> Archive:
    """The archive of the columns `HEADING`, and of messages behind their id, parent and time."""
    key, title, created, updated, folder, model, system_prompt, origin, head = heading
    names: dict[int | None, str] = {
        each[0]: str(number) for number, each in enumerate(found, start=1)
    }
    messages = tuple(
        ArchivedMessage(id=names[at], parent=names.get(parent), message=message, created=created)
        for at, parent, created, message in found
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


def missing(connection: Connection, archive: Archive) -> int | None:
    """How many of its messages are not here; `None` if nothing of it is, as a conversation.

    Raises:
        UsageError: its messages make no tree, or another conversation has its id.
    """
    _check(archive)
    at = _known(connection, archive)
    if at is None:
        return None
    return len(archive.messages) - len(growth.matched(connection, at, archive))


def put_in(connection: Connection, archive: Archive, now: int) -> int | None:
    """Add it, or what is new of it, and return its id; `None` if all of it is here already.

    It is the conversation that has its key, or else its origin. What was done with that here stays.

    Raises:
        UsageError: as `missing` does.
    """
    _check(archive)
    at = _known(connection, archive)
    return _begun(connection, archive, now) if at is None else _grown(connection, at, archive, now)


def copied(
    connection: Connection, conversation: int, last: int | None, now: int, *, folder: str
) -> int:
    """Add a copy of the branch in use, or of the one that ends with `last`, and return its id."""
    archive = taken_out(connection, conversation, last)
    branch = archive.branch()
    made = put_in(
        connection,
        replace(
            archive,
            id="",
            origin="",
            title=naming.title_of_fork(archive.title, _titles_of_forks(connection)),
            created=now,
            updated=now,
            folder=folder or archive.folder,
            messages=branch,
            head=branch[-1].id if branch else None,
        ),
        now,
    )
    if made is None:
        raise RuntimeError("a new key was taken already")
    entries.touch(connection, made, now)
    return made


def _titles_of_forks(connection: Connection) -> set[str]:
    return {title for (title,) in connection.execute(_FORKS)}


def _key(name: str) -> str:
    """The id of an archive as the key of a conversation; of one that can be none, its digest."""
    if len(name) <= _LONGEST_KEY and name.isprintable() and name == name.strip():
        return name
    from hashlib import sha256  # noqa: PLC0415 - rarely needed

    return sha256(rows.raw(name)).hexdigest()[:_DIGITS]


def _check(archive: Archive) -> None:
    """Raise `UsageError` unless every message comes after the one that it follows."""
    ids: set[str] = set()
    for each in archive.messages:
        if each.id in ids:
            raise UsageError(f"Two messages have the id {_shown(each.id)}")
        if each.parent is not None and each.parent not in ids:
            raise UsageError(
                f"The message {_shown(each.id)} follows {_shown(each.parent)}, which does not come"
                " before it"
            )
        ids.add(each.id)
    if archive.head is not None and archive.head not in ids:
        raise UsageError(f"The branch in use ends with {_shown(archive.head)}, which is not there")


def _known(connection: Connection, archive: Archive) -> int | None:
    """The conversation that it is."""
    origin = rows.fit(archive.origin) or None
    found = connection.execute(_KNOWN, (_key(archive.id), origin)).fetchone()
    return None if found is None else int(found[0])


def _begun(connection: Connection, archive: Archive, now: int) -> int:
    title = _title(archive.title)
    at = entries.begin(
        connection,
        key=_key(archive.id) or entries.new_key(archive.created or now),
        title=title or titles.title_of(_first_words(archive)),
        titled="person" if title else "message",
        created=min(archive.created, now) or now,
        folder=_bounded(archive.folder),
        model=_bounded(archive.model),
        system_prompt=archive.system_prompt,
        origin=rows.fit(archive.origin) or None,
    )
    ids = _put_messages(connection, at, archive, {})
    connection.execute(_HEAD, (_id(archive.head, ids), at))
    _date(connection, at, archive, now)
    return at


def _grown(connection: Connection, at: int, archive: Archive, now: int) -> int | None:
    """Add what is new; the branch in use is that of the archive if nothing was done with it here."""
    known = growth.matched(connection, at, archive)
    if len(known) == len(archive.messages):
        return None
    may_move = archive.head is not None and growth.may_move(connection, at, known.values())
    ids = _put_messages(connection, at, archive, known)
    if may_move:
        connection.execute(_HEAD, (_id(archive.head, ids), at))
        texts = rows.fit(_bounded(archive.model)), rows.fit(archive.system_prompt)
        connection.execute(_BRANCH, (*texts, at))
    _date(connection, at, archive, now)
    return at


def _title(title: str) -> str:
    """The title as one can be here; "" if nothing of it can."""
    try:
        return naming.checked_title(title)
    except UsageError:
        made = titles.title_of(title)
        return "" if made == titles.UNTITLED else made


def _bounded(name: str) -> str:
    """The name; "" if it is longer than that of any folder or model can be."""
    return name if len(name) <= _LONGEST_NAME else ""


def _first_words(archive: Archive) -> str:
    said = (each.message for each in archive.messages if each.message.role is Role.USER)
    first = next(said, None)
    return "" if first is None else first.content


def _put_messages(
    connection: Connection, at: int, archive: Archive, known: Mapping[str, int]
) -> dict[str, int]:
    """Add those that are not known; where each of them is."""
    ids = dict(known)
    for each in archive.messages:
        if each.id not in ids:
            parent = _id(each.parent, ids)
            ids[each.id] = rows.put(connection, at, parent, each.message, created=each.created)
    return ids


def _id(name: str | None, ids: Mapping[str, int]) -> int | None:
    return None if name is None else ids[name]


def _date(connection: Connection, at: int, archive: Archive, now: int) -> None:
    """Set when it changed last: no time that is yet to come, or it would always be the newest.

    What is old would be purged for its age on the day of its import if it were not kept.
    """
    entries.keep(connection, at, now)
    updated = min(archive.updated or archive.created, now) or now
    connection.execute(_DATE, (rows.fit_time(updated), at))


def _shown(name: str) -> str:
    return one_line(name, 60)
