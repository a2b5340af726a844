"""Conversations taken over from elsewhere: from simonw/llm, from ChatGPT, from our own files.

The store knows the roles user, assistant and tool. So a system prompt at the beginning of the
branch in use becomes the archive's; any other is kept as a user message, under the line `[system]`.
A picture, a sound or a file is kept as a mark such as `[image: cat.png]`. A tool's call and result
stay what they are where the call has an id, and else become text of the reply, under the name of
the tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from operator import attrgetter
from pathlib import Path

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing import jsonfile, source
from cloudllm.importing.jsonfile import Item
from cloudllm.importing.source import Kind
from cloudllm.words import one_line

__all__ = ("read",)

_DIGITS = 24  # of a name that is made up
_HAS_MESSAGES = attrgetter("messages")
_LONGEST = 500  # characters of what is said, in which names out of the file may stand


class _Problems:
    """What was wrong: the first is kept, in words alone, for an error holds on to what it is about."""

    def __init__(self) -> None:
        self._message = self._advice = ""
        self._number = 0

    def add(self, error: UsageError) -> None:
        """Something is broken, and is passed over."""
        if not self._number:
            self._message, self._advice = one_line(error.message, _LONGEST), error.advice
        self._number += 1

    def tell(self) -> None:
        """Raise what there is to say, if there is anything."""
        if self._number:
            others = self._number - 1
            more = f"; {others} more cannot be read" if others else ""
            raise UsageError(self._message + more, advice=self._advice)


def read(path: Path) -> Iterator[Archive]:
    """The conversations in a file, one by one; what it is shows in its content.

    It may be our own JSON or JSONL or a store of ours, damaged or not, ChatGPT's conversations.json or
    the zip file it comes in, or llm's logs.db. A conversation without any message is left out, and one that stands there twice
    as it is comes once. One that is broken is passed over, and told of at the end.

    Raises:
        UsageError: at once if it is no file to read, and else when all that is whole has been given:
            it breaks off, or some of it is broken; it says what is wrong where.
    """
    kind = source.kind_of(path)
    return _made(_items(path, kind))


def _items(path: Path, kind: Kind) -> Iterator[Item]:
    if kind is Kind.SQLITE:
        from cloudllm.importing import databases  # noqa: PLC0415 - only for who has one

        return databases.conversations(path)
    if kind is Kind.ZIP:
        from cloudllm.importing import zipped  # noqa: PLC0415 - only for who has one

        return zipped.conversations(path)
    pieces = source.pieces(lambda: path.open("rb"), str(path))
    found = jsonfile.conversations(pieces, str(path))
    if kind is Kind.BYTES:
        from cloudllm.importing import databases  # noqa: PLC0415 - only for who has one

        return databases.salvaged(path, otherwise=found)
    return found


def _made(items: Iterator[Item]) -> Iterator[Archive]:
    """The archives of what is whole; then what is wrong with the rest is raised."""
    problems = _Problems()
    seen: dict[str, int] = {}
    for archive in map(_named, filter(_HAS_MESSAGES, _whole(items, problems))):
        name, gist = archive.origin or archive.id, hash(archive)
        if seen.get(name) != gist:
            seen[name] = gist
            yield archive
    problems.tell()


def _named(archive: Archive) -> Archive:
    """The archive with an origin that tells it from others, if it comes without any name.

    What began at the same time with the same message is the same, however much it has grown since;
    without a time it must be the same all through.
    """
    if archive.origin or archive.id:
        return archive
    messages = archive.messages[:1] if archive.created else archive.messages
    gist = json.dumps([archive.created, *(each.as_object() for each in messages)])
    digest = sha256(gist.encode()).hexdigest()[:_DIGITS]
    return replace(archive, origin=f"unnamed:{digest}")


def _whole(items: Iterator[Item], problems: _Problems) -> Iterator[Archive]:
    where = ""
    while True:
        try:
            item = next(items, None)
            if item is None:
                return
            where, make = item
            archive = make()
        except UsageError as error:
            problems.add(error)  # after one of its own, `items` has ended
        except RecursionError:
            problems.add(UsageError(f"{where}: it is nested too deeply"))
        else:
            yield archive
