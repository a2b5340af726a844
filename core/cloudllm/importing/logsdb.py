"""A database of simonw/llm, looked at without leaving a trace beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudllm.errors import UsageError

if TYPE_CHECKING:
    from sqlite3 import Connection

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_WAL = b"\x02\x02"  # at byte 18 of a file that is used with a WAL


class Log:
    """The rows of a database; one that lacks a table has no rows in it."""

    def __init__(self, connection: Connection, where: str) -> None:
        self.where = where
        self._connection = connection
        self.tables = {row["name"] for row in self._run(_TABLES, ())}

    def rows(self, sql: str, values: Sequence[object] = (), *, of: str) -> list[dict[str, Any]]:
        """The rows of a query on the table `of`.

        Raises:
            UsageError: the database is damaged, or of a form that is not known.
        """
        return self._run(sql, values) if of in self.tables else []

    def _run(self, sql: str, values: Sequence[object]) -> list[dict[str, Any]]:
        try:
            found = self._connection.execute(sql, values)
            names = [column[0].lower() for column in found.description or ()]  # as it was declared
            return [dict(zip(names, row, strict=True)) for row in found]
        except (self._connection.Error, UnicodeError) as error:  # the name of a column, damaged
            raise UsageError(f"{self.where}: {error}") from error


@contextmanager
def opened(path: Path) -> Iterator[Log]:
    """The database at `path`, read only.

    Where SQLite would have to write a file beside it, it is taken as one that nobody changes.

    Raises:
        UsageError: it cannot be opened.
    """
    import sqlite3  # noqa: PLC0415 - not before the first prompt

    try:
        how = "immutable=1" if _is_left_alone(path) else "mode=ro"
        connection = sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?{how}", uri=True)
        connection.text_factory = lambda data: data.decode(errors="replace")
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"{path}: {error}") from error
    with closing(connection):
        yield Log(connection, str(path))


def _is_left_alone(path: Path) -> bool:
    """Would it be used with a WAL, and there is none with anything in it?"""
    with path.open("rb") as file:
        file.seek(18)
        if file.read(2) != _WAL:
            return False
    wal = path.with_name(f"{path.name}-wal")
    return not wal.exists() or not wal.stat().st_size
