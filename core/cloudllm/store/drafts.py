"""Unsent drafts: each running chat keeps its own, and takes what one that has died has left."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from cloudllm.store.database import Store

try:
    import fcntl
except ImportError:  # Windows, where no chat has an editor
    fcntl = None  # type: ignore[assignment]

_NUMBERS = 2**48
_PUT = (
    "INSERT INTO draft VALUES (?, ?, ?)"
    " ON CONFLICT (owner) DO UPDATE SET time = excluded.time, text = excluded.text"
)


class Drafts:
    """The draft of this chat, in `store`; each method raises `StoreError` as that one does.

    A chat has a number as long as it lives. In one process there must be one such object at most.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alive = _Alive(store.path.with_name("drafts.lock"))

    def load(self) -> str:
        """Take the newest draft of a chat that is no more; it is this one's from now on.

        "" if there is none.
        """
        if not os.path.exists(self._store.path):  # noqa: PTH110 - Path's raises for some folders
            return ""
        with self._store.write() as connection:
            rows = connection.execute("SELECT owner, text FROM draft ORDER BY time DESC")
            for owner, text in rows.fetchall():
                if not self._alive.has(owner):
                    change = "UPDATE OR REPLACE draft SET owner = ? WHERE owner = ?"
                    connection.execute(change, (self._alive.number, owner))
                    return str(text)
        return ""

    def save(self, text: str) -> None:
        """Write the draft, in place of the one before; "" takes that away."""
        with self._store.write() as connection:
            connection.execute("PRAGMA secure_delete = ON")  # nothing is left of what was there
            if text:
                kept = text.encode(errors="replace").decode()  # SQLite takes no half characters
                now = int(time.time() * 1000)
                connection.execute(_PUT, (self._alive.number, now, kept))
            else:
                connection.execute("DELETE FROM draft WHERE owner = ?", (self._alive.number,))

    def close(self) -> None:
        """Close the store until it is used again; the number is kept."""
        self._store.close()


class _Alive:
    """Who is alive: each has locked the byte of its number in one file; the system frees it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._number = 0

    @property
    def number(self) -> int:
        """The own one, taken at first use."""
        if not self._number:
            self._number = 1 + int.from_bytes(os.urandom(8), "big") % _NUMBERS
            self._lock(self._number)
        return self._number

    def has(self, number: int) -> bool:
        """Is this one alive? Where the file system has no locks, nobody else seems so."""
        if number == self.number:
            return True
        taken = self._lock(number)
        if taken and self._file is not None:
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
        return not taken

    def _lock(self, number: int) -> bool:
        if fcntl is None:
            return True
        try:
            fcntl.lockf(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # no locks here
            return True
        return True

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file
