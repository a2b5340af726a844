"""Finds an emptied file, sets a damaged one aside, never deleting anything, and mends an index."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.store import alive
from cloudllm.store.index import has_index

if TYPE_CHECKING:
    from sqlite3 import Connection

_BESIDE = ("", "-wal", "-shm", "-journal")
_LOG_HEADER = 32  # bytes


def lost_its_log(path: Path) -> bool:
    """Is there a log beside a file that is empty? SQLite would delete it, with all that it holds."""
    return _is_empty(path) and _size(path.with_name(f"{path.name}-wal")) > _LOG_HEADER


def was_emptied(path: Path) -> bool:
    """Is a file empty in whose folder chats have had their numbers?

    They have them out of a file that was made; one that is just being made the caller's lock hides.
    """
    return _is_empty(path) and path.with_name(alive.FILE).exists()


def set_aside(path: Path) -> Path:
    """Rename the file and those beside it, and return its new path; raises `OSError`."""
    stem = f"{path.name}.damaged-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    kept = path.with_name(stem)
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{stem}-{number}")
    for suffix in _BESIDE:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
    return kept


def way_back(kept: Path) -> str:
    """What to do about a file that was set aside."""
    import shlex  # noqa: PLC0415 - rarely needed

    return f"To get back what can be read: cloudllm sessions import {shlex.quote(str(kept))}"


def mend_index(connection: Connection) -> bool:
    """Make the index for searching anew from the messages, in the caller's transaction.

    False if there is none, so that it is something else that is damaged.
    """
    if not has_index(connection):
        return False
    connection.execute("INSERT INTO found (found) VALUES ('rebuild')")
    return True


def _is_empty(path: Path) -> bool:
    return path.stat().st_size == 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
