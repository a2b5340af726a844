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
def held(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock; raises `TimeoutError` if another has it for `patience` seconds.

    SQLite before 3.51.3 can damage its file where one process resets the WAL just as another one
    writes, so everything that writes goes through here. Where the file system has no locks, SQLite's
    own have to do.
    """
    end = time.monotonic() + patience
    here = _here.setdefault((os.getpid(), path), threading.Lock())
    if not here.acquire(timeout=patience):
        raise TimeoutError(_PASSED)
    try:
        if fcntl is None:
            yield
            return
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(file, end)
            yield
        finally:
            os.close(file)
    finally:
        here.release()


def _take(file: int, end: float) -> None:
    while True:
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
