"""SQLite's files as bytes: the rows on their pages are those that SQLite finds."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from io import BytesIO
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest

from cloudllm.importing.pages import Broken, Pages, Tree, Value

SIZES = [512, 1024, 4_096, 65_536]
NUMBERS = [0, 1, -1, 127, -129, 2**15, -(2**23), 2**31, 2**47 + 1, -(2**63), 2**63 - 1]
Row = tuple[object, ...]


def made(path: Path, size: int, *, journal: str = "delete") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {size}")
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, number INT, text TEXT, data)")
    connection.execute(
        "CREATE TABLE piece (number INT, text TEXT, PRIMARY KEY (number)) WITHOUT ROWID"
    )
    return connection


def fill(connection: sqlite3.Connection, size: int) -> None:
    """Rows around every length at which they are written in another way."""
    random = Random(size)
    edges = [size - 35, size - 36, (size - 12) * 64 // 255 - 23, (size - 12) * 32 // 255 - 23]
    lengths = [0, 1, 59, *(edge + more for edge in edges for more in range(-12, 9)), 3 * size + 7]
    connection.execute("BEGIN")
    for at, length in enumerate(filter(lambda each: each >= 0, lengths)):
        number = random.choice(NUMBERS)
        text = "€" * (length // 3) + "x" * (length % 3)
        row = (at * 997 + 1, number, text, random.choice([None, b"\0\xff" * 9, 0.5]))
        connection.execute("INSERT INTO kept VALUES (?, ?, ?, ?)", row)
        connection.execute("INSERT INTO piece VALUES (?, ?)", (at, text))
    connection.execute("INSERT INTO kept VALUES (-7, 0, 'below', NULL)")
    connection.execute("COMMIT")


def rows(pages: Pages) -> tuple[list[Row], list[Row]]:
    """The rows of both tables."""
    tables: list[Row] = []
    indexes: list[Row] = []
    for tree, place in pages.rows():
        at, values, is_whole = pages.row(tree, place)
        assert is_whole
        if tree is Tree.TABLE and len(values) == 4:
            tables.append((at, *values[1:]))
        elif tree is not Tree.TABLE:
            indexes.append(tuple(values))
    return sorted(tables, key=lambda row: int(str(row[0]))), sorted(indexes)


def as_bytes(value: object) -> Value:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, int | bytes) else None


def sqlites(connection: sqlite3.Connection) -> tuple[list[Row], list[Row]]:
    def all_of(table: str) -> list[Row]:
        found = connection.execute(f"SELECT * FROM {table} ORDER BY 1")
        return [tuple(map(as_bytes, row)) for row in found]

    return all_of("kept"), all_of("piece")


@pytest.mark.parametrize("size", SIZES)
def test_every_row_is_what_sqlite_says(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.db"
    with closing(made(path, size)) as connection:
        fill(connection, size)
        expected = sqlites(connection)
    with path.open("rb") as file:
        assert rows(Pages(file)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_what_the_log_holds_counts_up_to_its_last_commit(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.db"
    with closing(made(path, size, journal="wal")) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO kept VALUES (2, 1, 'old', NULL)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("UPDATE kept SET text = 'new'")
        connection.execute("DELETE FROM kept")
        fill(connection, size)
        expected = sqlites(connection)
        connection.execute("PRAGMA cache_size = 1")  # what is not committed goes into the log
        connection.execute("BEGIN")
        for at in range(10_000, 10_050):
            connection.execute("INSERT INTO kept VALUES (?, 1, ?, NULL)", (at, "y" * size))
        with path.open("rb") as file, Path(f"{path}-wal").open("rb") as log:
            assert rows(Pages(file, log)) == expected
        connection.execute("ROLLBACK")


def test_what_is_missing_of_a_long_row_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(made(path, 4_096)) as connection:
        connection.execute("INSERT INTO kept VALUES (1, 7, ?, NULL)", ("x" * 50_000,))
    with path.open("r+b") as file:
        file.truncate(6 * 4_096)
    with path.open("rb") as file:
        pages = Pages(file)
        found = [pages.row(tree, place) for tree, place in pages.rows()]
    at, (_, number, text, _), is_whole = next(row for row in found if len(row[1]) == 4)
    assert (at, number, is_whole) == (1, 7, False)
    assert isinstance(text, bytes)
    assert 10_000 < len(text) < 25_000
    assert set(text) == {ord("x")}


def scanned(file: BinaryIO) -> int:
    """Read whatever there is, and count it."""
    pages, count = Pages(file, file), 0
    for tree, place in pages.rows():
        try:
            pages.row(tree, place)
        except Broken:
            continue
        count += 1
    return count


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_are_read_to_their_end(tmp_path: Path, seed: int) -> None:
    path, random = tmp_path / "x.db", Random(seed)
    with closing(made(path, 512)) as connection:
        fill(connection, 512)
    content = bytearray(path.read_bytes())
    for _ in range(random.choice([1, 10, 1_000])):
        content[random.randrange(len(content))] = random.randrange(256)
    path.write_bytes(content[: random.randrange(len(content))])
    with path.open("rb") as file:
        assert scanned(file) >= 0
    path.write_bytes(random.randbytes(50_000))
    with path.open("rb") as file:
        assert scanned(file) >= 0


def test_a_log_whose_pages_have_impossible_numbers_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(made(path, 4_096, journal="wal")) as connection:
        connection.execute("INSERT INTO kept VALUES (1, 2, 'here', NULL)")
        content, log = path.read_bytes(), bytearray(Path(f"{path}-wal").read_bytes())
    frames = range(32, len(log), 24 + 4_096)
    (rows_at, *_) = [at for at in frames if b"here" in log[at : at + 24 + 4_096]]
    log[rows_at : rows_at + 4] = b"\xff" * 4
    pages = Pages(BytesIO(content), BytesIO(log))
    begun = time.monotonic()
    assert rows(pages)[0] == [(1, 2, b"here", None)]
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("start", [b"\n", b"\r\x00\x00\xff\xff"])
def test_what_is_no_database_is_looked_through_soon(start: bytes) -> None:
    lines = (start + b" " * (4_096 - len(start))) * 256 * 4
    assert list(Pages(BytesIO(lines)).rows()) == []


@pytest.mark.parametrize("start", [b"\r", b"\n", b"\x02"])
def test_of_a_page_that_is_cut_off_in_its_header_nothing_is_read(start: bytes) -> None:
    for length in range(12):
        assert list(Pages(BytesIO(bytes(4_096) + start + bytes(length))).rows()) == []
