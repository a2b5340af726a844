"""Conversations out of JSON text, one by one: ChatGPT's export, and our own JSON and JSONL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from cloudllm import archivejson
from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing import chatgpt
from cloudllm.importing.splitter import LONGEST, Splitter
from cloudllm.importing.values import fields

Item = tuple[str, Callable[[], Archive]]
"""Where a conversation stands, and what makes its archive or raises `UsageError`: it is broken."""

_FORMS = (
    "cloudllm's JSON, JSONL or store.db, ChatGPT's conversations.json or zip file, or llm's logs.db"
)
_VERSION = ("format", "version")
_USED = (*_VERSION, "conversation", "message", *chatgpt.FIELDS)


def conversations(pieces: Iterator[str], where: str) -> Iterator[Item]:
    """The conversations in a text, each made when it is asked for.

    Raises:
        UsageError: the text is no JSON, breaks off, or holds no conversations.
    """
    splitter = Splitter(pieces, where)
    start = splitter.peek()
    if start not in ("[", "{"):
        raise unknown(where)
    is_list = start == "["
    values = _listed(splitter, where) if is_list else _Objects(splitter, where).values()
    make = chatgpt.archive_of if is_list else _archive
    for number, value in enumerate(values, 1):
        place = f"{where}: conversation {number}"
        yield place, partial(make, value, place)
    if splitter.peek():
        raise splitter.wrong("nothing should follow here")


def unknown(where: str) -> UsageError:
    """What is said of a file that holds something else."""
    return UsageError(f"{where}: it holds no conversations", advice=f"Name {_FORMS}")


def _archive(value: object, where: str) -> Archive:
    if chatgpt.is_conversation(value):
        return chatgpt.archive_of(value, where)
    return archivejson.archive_of(value, where)


def _listed(splitter: Splitter, where: str) -> Iterator[object]:
    """What stands in an array; ours never does, so the first must be ChatGPT's."""
    for number, value in enumerate(splitter.elements()):
        if number == 0 and not chatgpt.is_conversation(value):
            raise unknown(where)
        yield value


class _Objects:
    """One object after the other: a document of ours, lines of ours, or conversations by themselves."""

    def __init__(self, splitter: Splitter, where: str) -> None:
        self._splitter = splitter
        self._where = where
        self._open: dict[str, Any] | None = None  # the conversation whose messages are coming
        self._opened = 0

    def values(self) -> Iterator[object]:
        """The conversations, each as one object."""
        while self._splitter.peek():
            found: dict[str, Any] = {}
            yield from self._read(found)
            yield from self._taken(found)
        yield from self._closed()

    def _read(self, found: dict[str, Any]) -> Iterator[object]:
        """Put the next object into `found`, but for its conversations."""
        for name in self._splitter.names():
            if name == "conversations" and self._splitter.peek() == "[":
                found[name] = []
                yield from self._listed(found)
            else:
                value = self._splitter.value()
                if name in _USED:
                    found[name] = value

    def _listed(self, found: dict[str, Any]) -> Iterator[object]:
        """The list of a document. Ours tells first what it is, but a program may sort the names."""
        start = self._splitter.position
        for value in self._splitter.elements():
            if chatgpt.is_conversation(value):
                yield value
            elif found.keys() >= set(_VERSION):
                self._check(found)
                yield value
            else:
                self._bound(start)
                found["conversations"].append(value)

    def _taken(self, found: dict[str, Any]) -> Iterator[object]:
        if "message" in found:
            self._add(found["message"])
            return
        yield from self._closed()
        if "conversation" in found:
            self._check(found)
            what = f"{self._where}: the conversation before line {self._splitter.line}"
            self._open = {**fields(found["conversation"], what), "messages": []}
            self._opened = self._splitter.position
        elif chatgpt.is_conversation(found):
            yield found
        elif "conversations" in found:
            self._check(found)
            yield from found["conversations"]
        else:
            raise unknown(self._where)

    def _add(self, message: object) -> None:
        if self._open is None:
            raise self._splitter.wrong("no conversation stands before this message")
        self._bound(self._opened)
        self._open["messages"].append(message)

    def _bound(self, start: int) -> None:
        """Raise `UsageError` if what has been kept since that position is too much."""
        if self._splitter.position - start > LONGEST:
            raise self._splitter.wrong(
                f"a conversation has more than {LONGEST // 2**20} million characters"
            )

    def _closed(self) -> Iterator[object]:
        whole, self._open = self._open, None
        if whole is not None:
            yield whole

    def _check(self, found: dict[str, Any]) -> None:
        """Raise `UsageError` unless it is ours, and of a version that we read."""
        heading = {name: found[name] for name in _VERSION if name in found}
        list(archivejson.archives_of({**heading, "conversations": []}, f"{self._where}: "))
