"""A copy of the store's file as it was before it was brought up to date."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_NAME = ".before-v"


def backups(path: Path) -> list[Path]:
    """The copies that there are of the file at `path`."""
    return sorted(path.parent.glob(f"{_escaped(path.name)}{_NAME}*"))


def back_up(connection: Connection, path: Path, version: int) -> Path:
    """Copy the file that `connection` has open, before it gets that version; older copies go.

    The copy holds nothing of what was deleted. No transaction may be under way. Raises what SQLite
    or the system does; nothing is left of a copy that failed, and older ones stay.
    """
    kept = path.with_name(f"{path.name}{_NAME}{version}")
    part = kept.with_name(f"{kept.name}.part")
    try:
        _write(connection, part)
        part.replace(kept)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    for each in backups(path):
        if each != kept:
            with suppress(OSError):
                each.unlink()
    return kept


def _write(connection: Connection, part: Path) -> None:
    part.unlink(missing_ok=True)
    file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        connection.execute("VACUUM INTO ?", (str(part),))
        os.fsync(file)
    finally:
        os.close(file)


def _escaped(name: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)
