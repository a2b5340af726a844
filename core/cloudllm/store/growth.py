"""What a conversation that is here already has got where it came from: the messages that are new."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import UsageError
from cloudllm.messages import Message
from cloudllm.store import rows
from cloudllm.words import one_line

if TYPE_CHECKING:
    from sqlite3 import Connection

_Gist = tuple[object, ...]
_Key = Callable[[int, _Gist], object]

_EVERY = "SELECT count(*) FROM message WHERE conversation = ?"
_RESTS = """
    SELECT owner IS NULL AND NOT EXISTS (
        SELECT 1 FROM message WHERE parent IS head AND conversation = conversation.id)
    FROM conversation WHERE id = ?
"""
# From the same message on, what says the same is the same; where several do, the time tells which.
_KEYS: tuple[_Key, ...] = (lambda created, gist: (created, gist), lambda _, gist: gist)


def matched(connection: Connection, conversation: int, archive: Archive) -> dict[str, int]:
    """Which message of the conversation each message of the archive is, if it is here.

    Raises:
        UsageError: none of them is here, so that it must be about something else.
    """
    here: dict[int | None, dict[int, tuple[int, _Gist]]] = defaultdict(dict)
    for at, parent, created, *values in connection.execute(rows.ALL, (conversation,)):
        here[parent][at] = created, _gist(rows.message(values))
    there: dict[str | None, list[ArchivedMessage]] = defaultdict(list)
    for each in archive.messages:
        there[each.parent].append(each)
    found: dict[str, int] = {}
    ways: list[tuple[str | None, int | None]] = [(None, None)]
    while ways:
        before, after = ways.pop()
        pairs = dict(_pairs(there[before], here[after]))
        found |= pairs
        ways += pairs.items()
    if here[None] and archive.messages and not found:
        name = one_line(archive.origin or archive.id, 60)
        raise UsageError(f"another conversation here has the id {name}")
    return found


def may_move(connection: Connection, conversation: int, known: Iterable[int]) -> bool:
    """May another branch be the one in use? Not if a chat has it, or more was said or undone here."""
    (every,) = connection.execute(_EVERY, (conversation,)).fetchone()
    (rests,) = connection.execute(_RESTS, (conversation,)).fetchone()
    return bool(rests) and every == len(set(known))


def _gist(message: Message) -> _Gist:
    return (
        message.role,
        message.content,
        message.reasoning,
        message.tool_calls,
        message.tool_call_id,
    )


def _pairs(
    there: Iterable[ArchivedMessage], here: dict[int, tuple[int, _Gist]]
) -> Iterator[tuple[str, int]]:
    """Those of two groups of messages, each after the same one, that are the same."""
    for key in _KEYS:
        places: dict[object, deque[int]] = defaultdict(deque)
        for at, what in here.items():
            places[key(*what)].append(at)
        rest = []
        for each in there:
            where = places.get(key(rows.fit_time(each.created), _gist(each.message)))
            if where:
                at = where.popleft()
                del here[at]
                yield each.id, at
            else:
                rest.append(each)
        there = rest
