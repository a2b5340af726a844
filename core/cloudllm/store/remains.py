"""Which files still hold what was removed from the store, by their raw bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.store.samples import LENGTH, Samples

if TYPE_CHECKING:
    from sqlite3 import Connection

_BLOCK = 2**20
_OVERLAP = 2 * LENGTH  # a multiple of 8, as the block is
_open: dict[tuple[int, int], int] = {}
"""Files of stores. They are not closed: this process would lose SQLite's locks on them by that."""


def remains(connection: Connection, samples: frozenset[bytes], paths: Sequence[Path]) -> list[Path]:
    """The files that hold a sample of what is nowhere in the store that `connection` has open.

    Raises `OSError` for a file that is there and can't be read.
    """
    sought = Samples(samples)
    holding = {
        path: {each for data in _blocks(path) for each in sought.held(data)} for path in paths
    }
    suspected = set().union(*holding.values())
    gone = suspected - _kept(connection, suspected) if suspected else suspected
    return [path for path, found in holding.items() if found & gone]


def _blocks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, those around each cut twice."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return
    place = there.st_dev, there.st_ino
    if place not in _open:
        _open[place] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    for start in range(0, there.st_size, _BLOCK):
        yield os.pread(_open[place], _BLOCK + _OVERLAP, start)


def _kept(connection: Connection, suspected: set[bytes]) -> set[bytes]:
    """The samples that what stays in the store holds too.

    In the file the texts of a row stand side by side, so a sample may reach from one into the next.
    """
    sought = Samples(suspected)
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%) STRICT%'"
    ).fetchall()
    return {
        each
        for (table,) in (("sqlite_schema",), *tables)
        for row in connection.execute(f"SELECT * FROM {table}")  # noqa: S608 - a name of our own
        for each in sought.held("".join(filter(_is_text, row)).encode())
    }


def _is_text(value: object) -> bool:
    return isinstance(value, str)
