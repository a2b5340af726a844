"""Sets a damaged file aside, never deleting anything, and makes a damaged index anew."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.store.index import has_index

if TYPE_CHECKING:
    from sqlite3 import Connection

_BESIDE = ("", "-wal", "-shm", "-journal")


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


def mend_index(connection: Connection) -> bool:
    """Make the index for searching anew from the messages, in the caller's transaction.

    False if there is none, so that it is something else that is damaged.
    """
    if not has_index(connection):
        return False
    connection.execute("INSERT INTO found (found) VALUES ('rebuild')")
    return True
