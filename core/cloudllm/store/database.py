"""The store's file: private, opened at first use, brought up to date, written in transactions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm import paths
from cloudllm.errors import StoreDamaged, StoreError
from cloudllm.store import lock, migrations

if TYPE_CHECKING:
    from sqlite3 import Connection, Error

FILE = "store.db"
_PATIENCE = 10.0  # seconds; what holds the file for longer is no ordinary writer
_BESIDE = ("", "-wal", "-shm", "-journal")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_REASONS = {
    "SQLITE_BUSY": ("another program holds it", "End the other program, then try again"),
    "SQLITE_LOCKED": ("another program holds it", "End the other program, then try again"),
    "SQLITE_FULL": ("the disk is full", "Make room on the disk"),
    "SQLITE_READONLY": ("it may not be written", "Make it and its folder writable for you"),
    "SQLITE_CANTOPEN": ("it cannot be opened", "Make it and its folder writable for you"),
    "SQLITE_PERM": ("it may not be opened", "Make it and its folder writable for you"),
    "SQLITE_IOERR": ("the disk reports an error", "Check the disk"),
}


def default_path() -> Path:
    """Where the store is; it need not exist."""
    return paths.data_dir() / FILE


class Store:
    """The file at `path`; used by one thread from its first use to `close`.

    `patience` is how many seconds to wait for other processes.
    """

    def __init__(self, path: Path, *, patience: float = _PATIENCE) -> None:
        self.path = path
        self._patience = patience
        self._connection: Connection | None = None
        self._inode: int | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, alone among all processes; it is undone if the block raises.

        Raises:
            StoreDamaged: the file was damaged; it has been set aside, and the next use makes a new one.
            StoreError: it cannot be opened or written; the message says why.
        """
        with self._in_words():
            self._make_folder()
            with self._alone():
                connection = self._opened()
                with _transaction(connection):
                    yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A look at what is there; waits for nobody who writes, and raises as `write` does."""
        with self._in_words():
            if self._connection is None or not self._is_there():
                self._make_folder()
                with self._alone():
                    self._opened()
            yield self._opened()

    def close(self) -> None:
        """Close the file until it is used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Who closes last writes back the WAL.
            with suppress(OSError, connection.Error), self._alone():
                connection.close()
            connection.close()

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _alone(self) -> AbstractContextManager[None]:
        return lock.held(self.path.with_name(f"{self.path.name}.lock"), self._patience)

    def _opened(self) -> Connection:
        if self._connection is not None and not self._is_there():
            self._connection.close()  # another process has set it aside
            self._connection = None
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _is_there(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _open(self) -> Connection:
        import sqlite3  # noqa: PLC0415 - not before the first prompt

        # What SQLite creates itself can be read by everyone for a moment; WAL files take its mode.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        self._inode = self.path.stat().st_ino
        try:
            self._set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_up(self, connection: Connection) -> None:
        found = migrations.version(connection)
        if found > len(migrations.STEPS):
            raise StoreError(
                f"{self.path}: a newer version of cloudllm wrote it, so it is left as it is",
                advice="Update cloudllm",
            )
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if journal != "wal":  # a network file system, perhaps
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")
        if found < len(migrations.STEPS):
            with _transaction(connection):
                migrations.migrate(connection)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        import sqlite3  # noqa: PLC0415 - see above

        try:
            yield
        except TimeoutError:
            raise self._unusable(*_REASONS["SQLITE_BUSY"]) from None
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise self._unusable(reason, _REASONS["SQLITE_PERM"][1]) from error
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: Error) -> StoreError:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(_DAMAGED):
            return self._set_aside()
        for prefix, (reason, advice) in _REASONS.items():
            if name.startswith(prefix):
                return self._unusable(reason, advice)
        return self._unusable(str(error), "Set the file aside, then try again")

    def _unusable(self, reason: str, advice: str) -> StoreError:
        return StoreError(f"{self.path}: {reason}", advice=advice)

    def _set_aside(self) -> StoreError:
        """Rename the damaged file, unless another process has done so already."""
        self.close()
        try:
            with self._alone():
                if not self._is_there():
                    return StoreDamaged(f"{self.path} was damaged, and a new one has begun")
                kept = self._rename()
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            return StoreError(f"{self.path}: it is damaged and cannot be set aside: {reason}")
        return StoreDamaged(
            f"{self.path} was damaged; it is kept as {kept.name}, and a new one begins"
        )

    def _rename(self) -> Path:
        stem = f"{self.path.name}.damaged-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
        kept = self.path.with_name(stem)
        number = 1
        while kept.exists():
            number += 1
            kept = self.path.with_name(f"{stem}-{number}")
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(
                    kept.with_name(kept.name + suffix)
                )
        return kept


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """One that waits for other writers as it begins: later it could not, if it has read before."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(connection.Error):  # a full disk has undone it already
            connection.execute("ROLLBACK")
        raise
