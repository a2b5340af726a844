"""What is left of a damaged store of ours: every row that still stands on a page, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing.jsonfile import Item
from cloudllm.importing.ownstore import Piece, archive_of
from cloudllm.importing.pages import Broken, Pages, Place, Tree, Value

_ROLES = frozenset({b"system", b"user", b"assistant", b"tool"})
_STATUSES = frozenset({b"streaming", b"complete", b"partial", b"cancelled"})
_TITLED = frozenset({b"message", b"model", b"person"})
_KINDS = frozenset({b"text", b"reasoning"})
_COLUMNS = 12  # of a conversation and of a message at first; later versions have more behind them
_PIECE = 4
_UNKNOWN = ("", "", 0, 0, "", "", "", "", None)
"""The heading of a conversation of which only messages are left."""


class Left:
    """The rows of a store that stand on its `pages`; it is false if there are none.

    What followed a message that is lost follows the one before that. Raises `OSError` where the pages
    cannot be read.
    """

    def __init__(self, pages: Pages, where: str) -> None:
        self._pages = pages
        self._where = where
        self._headings: dict[int, Place] = {}
        self._messages: dict[int, dict[int, Place]] = defaultdict(dict)
        self._pieces: dict[int, dict[int, tuple[Tree, Place]]] = defaultdict(dict)
        self._read = self._in_part = 0
        for tree, place in pages.rows():
            try:
                at, values, _ = pages.row(tree, place)
            except Broken:
                continue
            self._put(tree, place, at, values)

    def __bool__(self) -> bool:
        return bool(self._headings or self._messages)

    def conversations(self) -> Iterator[Item]:
        """Those of which any message is left, in the order in which they began.

        Raises:
            UsageError: at the end, with how many those were.
        """
        names = sorted(self._headings.keys() | self._messages.keys())
        for at in names:
            if at in self._messages:
                yield f"{self._where}: conversation {at}", partial(self._archive, at)
        part = f", {self._in_part:,} of them in part" if self._in_part else ""
        raise UsageError(
            f"{self._where}: it is damaged; {self._read:,} of {len(names):,} conversations could be"
            f" read{part}"
        )

    def _put(self, tree: Tree, place: Place, at: int, values: Sequence[Value]) -> None:
        if tree is not Tree.TABLE:
            match values:
                case [int(message), int(number), kind, bytes()] if kind in _KINDS:
                    self._pieces[message][number] = tree, place
        elif _is_message(values) and isinstance(values[1], int):
            self._messages[values[1]][at] = place
        elif _is_conversation(values):
            self._headings[at] = place

    def _archive(self, at: int) -> Archive:
        owner, heading, is_whole = self._heading(at)
        found = [self._message(each, place) for each, place in sorted(self._messages[at].items())]
        ids = {each[0] for each, _ in found}
        messages: list[tuple[Any, ...]] = []
        for (name, parent, *rest), has_all in found:
            is_there = parent is None or (parent in ids and parent < name)
            before = (each[0] for each in reversed(messages) if each[0] < parent)
            messages.append((name, parent if is_there else next(before, None), *rest))
            is_whole &= has_all and is_there
        has_head = heading[-1] in ids or (heading[-1] is None and at in self._headings)
        if not has_head:
            is_whole = False
            heading = (*heading[:-1], messages[-1][0])
        self._read += 1
        self._in_part += not is_whole
        return archive_of(heading, owner, messages, self._pieces_of)

    def _heading(self, at: int) -> tuple[int | None, tuple[Any, ...], bool]:
        """Who had the conversation, what is known of it, and whether that is all."""
        if at not in self._headings:
            return None, _UNKNOWN, False
        _, values, is_whole = self._pages.row(Tree.TABLE, self._headings[at])
        _, key, title, _, *rest, head, owner = map(_plain, values[:_COLUMNS])
        return _known(owner), (key, title, *rest, head), is_whole

    def _message(self, at: int, place: Place) -> tuple[tuple[Any, ...], bool]:
        """A message, as `archive_of` takes it, and whether that is all of it."""
        _, values, is_whole = self._pages.row(Tree.TABLE, place)
        _, _, parent, created, role, status, *rest, owner = map(_plain, values[:_COLUMNS])
        content, reasoning, *others = rest
        return (at, parent, created, owner, role, content, reasoning, status, *others), is_whole

    def _pieces_of(self, message: int) -> list[Piece]:
        found: list[Piece] = []
        for number, (tree, place) in sorted(self._pieces[message].items()):
            _, (_, _, kind, text), _ = self._pages.row(tree, place)
            found.append((number, str(_plain(kind)), text if isinstance(text, bytes) else b""))
        return found


def _is_message(values: Sequence[Value]) -> bool:
    match values[:_COLUMNS]:
        case [
            None, int(), int() | None, int(), role, status, bytes(), bytes(), int(),
            bytes() | None, bytes(), int() | None,
        ]:  # fmt: skip
            return role in _ROLES and status in _STATUSES
    return False


def _is_conversation(values: Sequence[Value]) -> bool:
    match values[:_COLUMNS]:
        case [
            None, bytes(), bytes(), titled, int(), int(), bytes(), bytes(), bytes(),
            bytes() | None, int() | None, int() | None,
        ]:  # fmt: skip
            return titled in _TITLED
    return False


def _plain(value: Value) -> str | int | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _known(value: str | int | None) -> int | None:
    return value if isinstance(value, int) else None
