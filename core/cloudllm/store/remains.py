"""Which files still hold what was removed from the store, by their raw bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.store.samples import LENGTH, Samples, common_words, sampled

if TYPE_CHECKING:
    from sqlite3 import Connection

_BLOCK = 2**19
_FEW = 8  # blocks that show which words are common
_OVERLAP = 2 * LENGTH  # a multiple of 8, as the block is
_MOST_AT_ONCE = 100_000  # samples that are looked for in all that stays
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%) STRICT%'"
_open: dict[tuple[int, int], int] = {}
"""Files of stores. They are not closed: this process would lose SQLite's locks on them by that."""


class Remains:
    """Looks for the texts that were removed from the store at `path`, which `connection` has open."""

    def __init__(self, connection: Connection, path: Path, removed: Iterable[bytes]) -> None:
        self._connection = connection
        self._common = common_words(_blocks(path, _FEW))
        self._samples = sampled(removed, self._common)
        self._kept: set[bytes] = set()

    def held_by(self, paths: Iterable[Path]) -> set[Path]:
        """The files that hold a part of what was removed and is nowhere in the store.

        Raises `OSError` for a file that is there and can't be read.
        """
        holding = {path: self._samples.held(_blocks(path)) for path in paths}
        self._look_for(set[bytes]().union(*holding.values()) - self._kept)
        return {path for path, found in holding.items() if found - self._kept}

    def _look_for(self, suspected: set[bytes]) -> None:
        """Find out which of these are in what stays in the store, too.

        In the file the texts of a row stand side by side, so a sample may reach from one into the next.
        """
        order = list(suspected)
        for start in range(0, len(order), _MOST_AT_ONCE):
            some = order[start : start + _MOST_AT_ONCE]
            sought = Samples(some, common=self._common)
            self._kept |= sought.held(map(b"".join, texts(self._connection)))


def texts(connection: Connection) -> Iterator[list[bytes]]:
    """The texts of all that is in the store, row by row."""
    tables = [name for (name,) in connection.execute(_TABLES)]
    with as_bytes(connection):
        for table in ("sqlite_schema", *tables):
            for row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name of ours
                yield [value for value in row if isinstance(value, bytes)]


@contextmanager
def as_bytes(connection: Connection) -> Iterator[None]:
    """Have texts read as the bytes that they are: half a character is no text to Python."""
    before, connection.text_factory = connection.text_factory, bytes
    try:
        yield
    finally:
        connection.text_factory = before


def _blocks(path: Path, most: int | None = None) -> Iterator[bytes]:
    """The bytes of a file, those around each cut twice; `most` blocks, from all over it."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return
    place = there.st_dev, there.st_ino
    if place not in _open:
        _open[place] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    every = 1 if most is None else 1 + there.st_size // _BLOCK // most
    for start in range(0, there.st_size, _BLOCK * every):
        yield os.pread(_open[place], _BLOCK + _OVERLAP, start)
