"""The branch in use of a conversation, made a history that a session can go on with."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from cloudllm.messages import Message, Role
from cloudllm.store import rows
from cloudllm.store.entries import Entry

if TYPE_CHECKING:
    from sqlite3 import Connection

_ALL = f"""
    SELECT id, parent, {rows.COLUMNS} FROM message WHERE conversation = ? ORDER BY id
"""  # noqa: S608 - our own words

# Looked up once: an enum takes its time for it, and this is done for each message.
_SYSTEM, _USER, _ASSISTANT, _TOOL = Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL

BETWEEN = "\n\n"
"""Stands between the texts of messages that are joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A conversation to go on with.

    messages       the branch in use, as a valid history; `ids` names the message of each in the store
    unanswered     a user message at the end of the branch that no reply came to; "" if there is none
    unanswered_id  names it in the store
    head           the last message of the branch in the store, `None` if there is none
    """

    entry: Entry
    system_prompt: str
    messages: tuple[Message, ...]
    ids: tuple[int, ...]
    unanswered: str = ""
    unanswered_id: int | None = None
    head: int | None = None


def load(connection: Connection, entry: Entry) -> Loaded:
    """Read the branch in use."""
    with uncollected():
        return _load(connection, entry)  # what it leaves behind is gone before the collector looks


def _load(connection: Connection, entry: Entry) -> Loaded:
    """One query for all of the conversation is faster than one for each message of the branch."""
    asked = "SELECT system_prompt, head FROM conversation WHERE id = ?"
    system_prompt, head = connection.execute(asked, (entry.id,)).fetchone()
    found = connection.execute(_ALL, (entry.id,)).fetchall()
    used = set(path({row[0]: row[1] for row in found}, head))
    history = _History()
    for row in found:
        if row[0] in used:
            history.add(row[0], rows.message(row[2:]))
    return history.loaded(entry, system_prompt, head)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector from going through 20,000 messages again and again while they are made."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def path(parents: dict[int, int | None], head: int | None) -> list[int]:
    """The ids from the first message to `head`; each has a greater one than that before it."""
    found = []
    at = head
    while at is not None and at in parents:
        found.append(at)
        parent = parents[at]
        at = parent if parent is not None and parent < at else None
    found.reverse()
    return found


@dataclass(slots=True)
class _History:
    """A history in which user and model take turns, and results follow their calls.

    Messages of one role that follow each other are a group; `ids` names the last one of each.
    """

    groups: list[list[Message]] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)

    def add(self, at: int, message: Message) -> None:
        """Take in the next message of the branch, if it can stand in a history at all."""
        role = message.role
        if role is _TOOL:
            self._add_result(at, message)
            return
        if role is _SYSTEM or (role is _ASSISTANT and not self.groups):
            return
        if self.calls or (role is _USER and self._ends_with(_TOOL)):
            self._drop_calls()
        if self._ends_with(role):
            self.groups[-1].append(message)
            self.ids[-1] = at
        else:
            self._append(at, message)
        if message.tool_calls:
            self.calls = {call.id for call in message.tool_calls}

    def loaded(self, entry: Entry, system_prompt: str, head: int | None) -> Loaded:
        """The history; what has no reply is put aside."""
        if self.calls or self._ends_with(_TOOL):
            self._drop_calls()
        text, at = "", None
        if self._ends_with(_USER):
            text, at = _joined(self.groups.pop()).content, self.ids.pop()
        return Loaded(
            entry=entry,
            system_prompt=system_prompt,
            messages=tuple(map(_joined, self.groups)),
            ids=tuple(self.ids),
            unanswered=text,
            unanswered_id=at,
            head=head,
        )

    def _add_result(self, at: int, message: Message) -> None:
        if message.tool_call_id in self.calls:
            self.calls.discard(message.tool_call_id)
            self._append(at, message)

    def _append(self, at: int, message: Message) -> None:
        self.groups.append([message])
        self.ids.append(at)

    def _drop_calls(self) -> None:
        """Leave out calls that were never answered in full, or never gone on from."""
        while self._ends_with(_TOOL):
            self.groups.pop()
            self.ids.pop()
        self.groups[-1][-1] = replace(self.groups[-1][-1], tool_calls=())
        self.calls = set()

    def _ends_with(self, role: Role) -> bool:
        return bool(self.groups) and self.groups[-1][0].role is role


def _joined(group: Sequence[Message]) -> Message:
    """Messages of one role that follow each other, as one."""
    last = group[-1]
    if len(group) == 1:
        return last
    return replace(
        last,
        content=_blocks(each.content for each in group),
        reasoning=_blocks(each.reasoning for each in group),
        pinned=any(each.pinned for each in group),
        usage=_sum(each.usage for each in group),
        cost=_sum(each.cost for each in group),
    )


def _blocks(texts: Iterable[str]) -> str:
    return BETWEEN.join(filter(None, texts))


def _sum(parts: Iterable[Any]) -> Any:  # noqa: ANN401 - all `Usage`, or all `Cost`, or nothing
    known = [each for each in parts if each is not None]
    return reduce(add, known) if known else None
