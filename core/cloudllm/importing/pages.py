"""An SQLite file without SQLite: its pages, also where it is damaged, and the rows that stand on them.

https://www.sqlite.org/fileformat.html tells how they are written. What is read is every row on every
page that can be made out; whether anything still leads to the page does not matter. What was deleted
from our store does not come back by that: it is overwritten there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import chain
from struct import unpack
from typing import BinaryIO

MAGIC = b"SQLite format 3\0"
_FRACTIONS = bytes((64, 32, 32))  # the same in every file
_USUAL = 4_096
_SIZES = frozenset(2**power for power in range(9, 17))
_LOG_MAGIC = (0x377F0682, 0x377F0683)
_LOG_HEADER, _FRAME_HEADER = 32, 24
_INTEGERS = (0, 1, 2, 3, 4, 6, 8)  # bytes, by how a value is said to be written
_FLOAT, _ZERO, _ONE, _BYTES = 7, 8, 9, 12
_MOST_COLUMNS = 100
_LEAST_ROW = 4  # bytes, beside the two that point at it
_SEVEN_BITS = 0x7F
_PLAUSIBLE = 4
"""Times the pages that there are: those of a file that was cut short still lead on."""

Value = int | bytes | None
"""What stands in a column; a text is its bytes, a number that is not whole is `None`."""

Place = tuple[int, int]
"""Where a row begins: the number of the page, and the byte on it."""


class Broken(Exception):
    """There is no row here."""


class Tree(Enum):
    """The kinds of pages that hold rows, by their first byte."""

    TABLE = 13
    INDEX = 10
    INDEX_INSIDE = 2


class Pages:
    """The pages of `file`, with what stands in its `log` in their places.

    Both are to stay open. Raises `OSError` where they cannot be read.
    """

    def __init__(self, file: BinaryIO, log: BinaryIO | None = None) -> None:
        self._file = file
        self._log = log
        header = file.read(100)
        start = b"" if log is None else log.read(_LOG_HEADER)
        is_log = len(start) == _LOG_HEADER and _number(start, 0) in _LOG_MAGIC
        self._size, unused = _sizes(header, _number(start, 8) if is_log else 0)
        self._usable = self._size - unused
        self._logged = self._committed(start[16:24]) if is_log else {}
        length = file.seek(0, 2)
        self._last = -(-length // self._size)
        self._beyond = sorted(number for number in self._logged if number > self._last)
        self._held = 0, b""

    def rows(self) -> Iterator[tuple[Tree, Place]]:
        """Where rows may begin, in the order of the pages."""
        for number in chain(range(1, self._last + 1), self._beyond):
            page = self._page(number)
            start = 100 if number == 1 else 0
            try:
                tree = Tree(page[start])
            except (ValueError, IndexError):
                continue
            pointers = start + (12 if tree is Tree.INDEX_INSIDE else 8)
            count = int.from_bytes(page[start + 3 : start + 5])
            count = max(0, min(count, (len(page) - pointers) // (2 + _LEAST_ROW)))
            # Pointers of what is no page hardly ever lead onto it: a large file of another kind is
            # soon looked through.
            end = pointers + 2 * count
            for at in sorted(set(unpack(f">{count}H", page[pointers:end]))):
                if end <= at < len(page):
                    yield tree, (number, at)

    def row(self, tree: Tree, place: Place) -> tuple[int, Sequence[Value], bool]:
        """The number of a row, 0 on an index, its columns, and whether they are whole.

        What a damaged page holds of them is missing at their end. Raises `Broken` if it is no row.
        """
        number, at = place
        page = self._page(number)
        rowid = 0
        try:
            if tree is Tree.INDEX_INSIDE:
                at += 4
            size, at = _varint(page, at)
            if tree is Tree.TABLE:
                rowid, at = _varint(page, at)
            payload = self._payload(page, at, size, tree)
            return _signed(rowid), _values(payload), len(payload) == size
        except IndexError:
            raise Broken from None

    def _payload(self, page: bytes, at: int, size: int, tree: Tree) -> bytes:
        usable = self._usable
        most = usable - 35 if tree is Tree.TABLE else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return page[at : at + size]
        least = (usable - 12) * 32 // 255 - 23
        here = least + (size - least) % (usable - 4)
        here = here if here <= most else least
        parts = [page[at : at + here]]
        left, following = size - here, _number(page, at + here)
        if at + here + 4 > len(page):
            left = 0
        seen: set[int] = set()
        while left > 0 and following not in seen and len(page := self._page(following)) >= usable:
            seen.add(following)
            parts.append(page[4 : min(left + 4, usable)])
            left, following = left - (usable - 4), _number(page, 0)
        if left > 0 and seen and not 0 < following < _PLAUSIBLE * (self._last + len(self._beyond)):
            parts.pop()  # a page that leads nowhere is not one of these
        return b"".join(parts)

    def _page(self, number: int) -> bytes:
        """The page; what is missing of it is missing."""
        if number != self._held[0]:
            self._held = number, self._read(number)
        return self._held[1]

    def _read(self, number: int) -> bytes:
        if self._log is not None and number in self._logged:
            self._log.seek(self._logged[number])
            return self._log.read(self._size)
        if not 1 <= number <= self._last:
            return b""
        self._file.seek((number - 1) * self._size)
        return self._file.read(self._size)

    def _committed(self, salt: bytes) -> dict[int, int]:
        """Where the pages stand that the log holds, by their numbers, up to the last commit."""
        found: dict[int, int] = {}
        begun: dict[int, int] = {}
        at = _LOG_HEADER
        while self._log is not None:
            self._log.seek(at)
            header = self._log.read(_FRAME_HEADER)
            if len(header) < _FRAME_HEADER or header[8:16] != salt:
                break
            begun[_number(header, 0)] = at + _FRAME_HEADER
            if _number(header, 4):  # the last frame of a transaction
                found |= begun
                begun = {}
            at += _FRAME_HEADER + self._size
        return found


def _sizes(header: bytes, logged: int) -> tuple[int, int]:
    """How long a page is, and how much of its end is not used."""
    if header.startswith(MAGIC) and header[21:24] == _FRACTIONS:
        size = int.from_bytes(header[16:18])
        size = 2**16 if size == 1 else size
        if size in _SIZES:
            return size, header[20]
    return (logged if logged in _SIZES else _USUAL), 0


def _values(payload: bytes) -> list[Value]:
    """The columns of a row."""
    end, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
        if len(kinds) > _MOST_COLUMNS:
            raise Broken
    values: list[Value] = []
    for kind in kinds:
        size = _length(kind)
        data = payload[at : at + size]
        at += size
        if kind >= _BYTES:
            values.append(data)
        elif kind in (_ZERO, _ONE):
            values.append(kind - _ZERO)
        else:
            values.append(int.from_bytes(data, signed=True) if 0 < kind < _FLOAT else None)
    return values


def _length(kind: int) -> int:
    if kind >= _BYTES:
        return (kind - _BYTES) // 2
    if kind > _ONE:
        raise Broken
    return 8 if kind == _FLOAT else 0 if kind > _FLOAT else _INTEGERS[kind]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        byte = data[place]
        value = value << 7 | byte & _SEVEN_BITS
        if byte <= _SEVEN_BITS:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])
