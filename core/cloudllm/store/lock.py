"""A lock between processes beside the store's file; the system frees it when its owner dies."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where SQLite's own locks have to do
    fcntl = None  # type: ignore[assignment]

_PAUSE = 0.002  # seconds between two looks
_PASSED = "another one has held it for too long"
_here: dict[tuple[int, Path], threading.Lock] = {}
"""For the threads of this process, or many that look again and again would keep each other waiting."""


@contextmanager
def held(path: Path, patience: float, *, makes_folder: bool = False) -> Iterator[None]:
    """Hold the lock; raises `TimeoutError` if another has it for `patience` seconds.

    A folder that is missing is made, for its owner alone, if the caller says so; or else that raises
    `FileNotFoundError`.

    SQLite before 3.51.3 can damage its file where one process resets the WAL just as another one
    writes, so everything that writes goes through here. Where the file system has no locks, SQLite's
    own have to do.
    """
    end = time.monotonic() + patience
    here = _here.setdefault((os.getpid(), path), threading.Lock())
    if not here.acquire(timeout=patience):
        raise TimeoutError(_PASSED)
    try:
        file = _opened(path, makes_folder)
        try:
            _take(file, end)
            yield
        finally:
            os.close(file)
    finally:
        here.release()


def _opened(path: Path, makes_folder: bool) -> int:  # noqa: FBT001
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        if not makes_folder:
            raise
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, flags, 0o600)


def _take(file: int, end: float) -> None:
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError(_PASSED) from None
            time.sleep(_PAUSE)
        except OSError:
            return
        else:
            return
