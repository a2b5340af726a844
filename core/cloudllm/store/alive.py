"""Who is alive: each process has locked the byte of its number in one file; the system frees it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nobody else seems alive
    fcntl = None  # type: ignore[assignment]

FILE = "alive.lock"
_NUMBERS = 2**48
_known: dict[tuple[int, Path], Alive] = {}
_one = threading.Lock()


def alive(folder: Path) -> Alive:
    """The one of this process for `folder`; nothing is made there before a number is asked for.

    There must not be two: a process that closes a file loses all the locks it had on it.
    """
    with _one:
        place = os.getpid(), folder.resolve()
        if place not in _known:
            _known[place] = Alive(place[1] / FILE)
        return _known[place]


class Alive:
    """The numbers of those that live, by the bytes locked in one file; ask `alive` for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._number = 0
        self._lock = threading.Lock()

    @property
    def number(self) -> int:
        """The one of this process, taken at first use; raises `OSError` if that can't be."""
        with self._lock:
            if not self._number:
                number = 1 + int.from_bytes(os.urandom(8), "big") % _NUMBERS
                self._take(number)
                self._number = number
            elif self._file is not None:
                self._opened()
            return self._number

    def has(self, number: int) -> bool:
        """Is this one alive? Where the file system has no locks, nobody else seems so."""
        with self._lock:
            if number == self._number:
                return True
            if self._file is None and not os.path.exists(self._path):  # noqa: PTH110 - no raising
                return False
            try:
                taken = self._take(number)
            except OSError:  # a folder that may only be read
                return False
            if taken and self._file is not None:
                with suppress(OSError):
                    fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
            return not taken

    def has_other(self, number: int) -> bool:
        """Is it alive, and not this process?"""
        return number != self._number and self.has(number)

    def _take(self, number: int) -> bool:
        if fcntl is None:
            return True
        return self._locked(self._opened(), number)

    def _locked(self, file: int, number: int) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:  # no locks here
            return True
        return True

    def _opened(self) -> int:
        if self._file is not None and not self._is_there(self._file):
            os.close(self._file)  # nobody looks at the locks of a file that was removed
            self._file = None
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if self._number:
                self._locked(self._file, self._number)
        return self._file

    def _is_there(self, file: int) -> bool:
        try:
            there = os.stat(self._path)  # noqa: PTH116 - for each turn
        except FileNotFoundError:
            return False
        return there.st_ino == os.fstat(file).st_ino
