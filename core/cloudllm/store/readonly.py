"""Reads a store that may not be written: of another user, on a read-only disk, in such a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.store import failures, migrations

if TYPE_CHECKING:
    from sqlite3 import Connection

# Without a WAL's index, which can't be made, a file can only be read as one that nobody changes.
_WAYS = ("mode=ro", "mode=ro&immutable=1")


@contextmanager
def reading(path: Path) -> Iterator[Connection | None]:
    """The file, opened anew so that it is read as it is now; `None` if that is no use.

    Raises what SQLite does, and `StoreError` for a file of an older version.
    """
    connection = _opened(path)
    if connection is None:
        yield None
        return
    with closing(connection):
        yield connection


def _opened(path: Path) -> Connection | None:
    """Open it the first way that works."""
    import sqlite3  # noqa: PLC0415 - not before the first prompt

    for way in _WAYS:
        connection = None
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{way}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            found = migrations.version(connection)
        except sqlite3.OperationalError:
            found = 0
        if connection is not None:
            if found >= len(migrations.STEPS):
                return connection
            connection.close()
        if found:
            reason = "it must be brought up to date, and may not be written"
            raise failures.unusable(path, reason, failures.MAKE_WRITABLE)
    return None
