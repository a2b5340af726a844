"""An SQLite database, looked at without changing it and without leaving a trace beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudllm.errors import UsageError

if TYPE_CHECKING:
    from sqlite3 import Connection

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_WAL = b"\x02\x02"  # at byte 18 of a file that is used with a WAL
_LOGS = ("-wal", "-journal")


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

    Where SQLite would have to write a file beside it, it is taken as one that nobody changes, or a
    copy of it is looked at.

    Raises:
        UsageError: it cannot be opened.
    """
    import sqlite3  # noqa: PLC0415 - not before the first prompt

    with ExitStack() as stack:
        try:
            looked_at = stack.enter_context(_copied(path)) if _is_to_be_mended(path) else path
            how = "immutable=1" if is_left_alone(looked_at) else "mode=ro"
            name = quote(os.fsencode(looked_at.absolute()))
            connection = stack.enter_context(
                closing(sqlite3.connect(f"file:{name}?{how}", uri=True))
            )
            connection.text_factory = lambda data: data.decode(errors="replace")
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"{path}: {error}") from error
        yield Log(connection, str(path))


def is_left_alone(path: Path) -> bool:
    """Would it be used with a WAL, and there is none with anything in it?"""
    with path.open("rb") as file:
        file.seek(18)
        return file.read(2) == _WAL and not has_log(path, "-wal")


def has_log(path: Path, *suffixes: str) -> bool:
    """Is there a log beside it that holds anything?"""
    logs = (path.with_name(path.name + suffix) for suffix in suffixes or _LOGS)
    return any(log.exists() and log.stat().st_size for log in logs)


def _is_to_be_mended(path: Path) -> bool:
    """Is there a log that nobody uses? SQLite would make another file, or write into this one.

    Who uses a WAL has its index there, and one who may not write in the folder cannot use that.
    """
    index = path.with_name(f"{path.name}-shm")
    is_in_use = index.exists() and os.access(path.parent, os.W_OK) and os.access(index, os.W_OK)
    return has_log(path) and not is_in_use


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cloudllm-") as folder:
        copy = Path(folder, "copy.db")
        for suffix in ("", *_LOGS):
            part = path.with_name(path.name + suffix)
            if part.exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        yield copy
