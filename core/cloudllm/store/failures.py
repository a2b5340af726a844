"""Why the store's file cannot be used, in words."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.errors import StoreError

if TYPE_CHECKING:
    from sqlite3 import Error

_END = "End the other program, then try again"
MAKE_WRITABLE = "Make it and its folder writable for you"
_REASONS = {
    "SQLITE_BUSY": ("another program holds it", _END),
    "SQLITE_LOCKED": ("another program holds it", _END),
    "SQLITE_FULL": ("the disk is full", "Make room on the disk"),
    "SQLITE_READONLY": ("it may not be written", MAKE_WRITABLE),
    "SQLITE_CANTOPEN": ("it cannot be opened", MAKE_WRITABLE),
    "SQLITE_PERM": ("it may not be opened", MAKE_WRITABLE),
    "SQLITE_IOERR": ("the disk reports an error", "Check the disk"),
}
_NOT_WRITABLE = ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
_NO_WRITING = (errno.EACCES, errno.EPERM, errno.EROFS)
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_NO_TEXT = "Could not decode to UTF-8"
_INDEX_DAMAGED = "SQLITE_CORRUPT_VTAB"


def of(path: Path, error: Error) -> StoreError:
    """What SQLite says, in words."""
    name = name_of(error)
    for prefix, (reason, advice) in _REASONS.items():
        if name.startswith(prefix):
            return unusable(path, reason, advice)
    if is_damage(error):
        return unusable(path, "it is damaged", "Set the file aside, then try again")
    return unusable(path, str(error), "Set the file aside, then try again")


def of_system(path: Path, error: OSError) -> StoreError:
    """What the system says, in words; a `TimeoutError` is another program's lock."""
    if isinstance(error, TimeoutError):
        return unusable(path, *_REASONS["SQLITE_BUSY"])
    reason = (error.strerror or "unknown reason").lower()
    return unusable(path, reason, MAKE_WRITABLE)


def unusable(path: Path, reason: str, advice: str) -> StoreError:
    """The file cannot be used for this reason; `advice` says what to do."""
    return StoreError(f"{path}: {reason}", advice=advice)


def name_of(error: Error) -> str:
    """SQLite's own name for it, as exact as it has one."""
    return getattr(error, "sqlite_errorname", None) or ""


def is_damage(error: Error) -> bool:
    """Is the file itself damaged?"""
    if str(error).startswith(_NO_TEXT):  # Python's own; it goes on with what stands there
        return True
    return name_of(error).startswith(_DAMAGED) and not is_index_damage(error)


def is_index_damage(error: Error) -> bool:
    """Is it only the index for searching, which can be made anew?"""
    return name_of(error) == _INDEX_DAMAGED


def is_for_reading_only(error: OSError | Error) -> bool:
    """May the file or its folder not be written, so that it can perhaps be read all the same?"""
    if isinstance(error, OSError):
        return error.errno in _NO_WRITING
    return name_of(error).startswith(_NOT_WRITABLE)
