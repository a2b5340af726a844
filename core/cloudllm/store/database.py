"""The store's file: private, opened at first use, brought up to date, written in transactions."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm import paths
from cloudllm.errors import StoreDamaged, StoreError
from cloudllm.store import backup, damage, failures, lock, migrations, readonly

if TYPE_CHECKING:
    from sqlite3 import Connection, Error

FILE = "store.db"
_EFFECTIVE = os.access in os.supports_effective_ids
_PATIENCE = 10.0  # seconds; what holds the file for longer is no ordinary writer


def default_path() -> Path:
    """Where the store is; it need not exist."""
    return paths.data_dir() / FILE


class Store:
    """The file at `path`; used by one thread from its first use to `close`.

    One that a newer version wrote, or that may not be written, can be read as far as that goes.
    Foreign keys are enforced, so what hangs on a row is to be deleted before it. `patience` is how
    many seconds to wait for other processes.
    """

    def __init__(self, path: Path, *, patience: float = _PATIENCE) -> None:
        self.path = path
        self._lock = self._beside(".lock")
        self._patience = patience
        self._connection: Connection | None = None
        self._inode: int | None = None
        self._log_inode: int | None = None
        self._is_wal = False
        self._is_newer = False

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """One transaction, alone among all processes; it is undone if the block raises.

        A `durable` one outlives a power cut; it waits for the disk, some milliseconds.

        Raises:
            StoreDamaged: the file was damaged; it has been set aside, and the next use makes a new one.
            StoreError: it cannot be opened or written; the message says why.
        """
        with self.alone() as connection, _transaction(connection, durable and self._is_wal):
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """As `write`, but outside of a transaction: neither the log nor the pages can go within one."""
        with self._in_words(), self._locked(makes_folder=True):
            connection = self._opened()
            if self._is_newer:
                raise self._newer()
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A look at what is there; waits for nobody who writes, and raises as `write` does."""
        with self._in_words():
            refused = self._prepared()
            if refused is None:
                yield self._opened()
                return
        with self._in_words(may_set_aside=False), readonly.reading(self.path) as connection:
            if connection is None:
                raise refused
            yield connection

    def close(self) -> None:
        """Close the file until it is used again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # Who closes last writes back the WAL.
            with suppress(OSError, connection.Error), self._locked():
                connection.close()
            connection.close()

    def _prepared(self) -> OSError | Error | None:
        """Open the file to read; what is given back is why it can't be opened to write as well."""
        import sqlite3  # noqa: PLC0415 - not before the first prompt

        if self._connection is not None and self._is_there():
            return None
        try:
            with self._locked(makes_folder=True):
                self._opened()
        except (OSError, sqlite3.OperationalError) as error:
            if failures.is_for_reading_only(error) and not self._connection:
                return error
            raise
        return None

    def _locked(self, *, makes_folder: bool = False) -> AbstractContextManager[None]:
        return lock.held(self._lock, self._patience, makes_folder=makes_folder)

    def _opened(self) -> Connection:
        if self._connection is not None and not self._is_there():
            self._leave(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection, was_emptied = self._open()
            if was_emptied:
                raise StoreDamaged(f"{self.path} was empty, and a new one has begun")
        return self._connection

    def _is_there(self) -> bool:
        return _inode(self.path) == self._inode is not None

    def _leave(self, connection: Connection) -> None:
        """Close a file that was set aside, or replaced; its log is not to be taken for the new one's.

        SQLite would overwrite the new file with what is in it. One that is in another place by now
        gets all that was written to it.
        """
        log = self._beside("-wal")
        if self._log_inode is not None and _inode(log) == self._log_inode:
            with suppress(connection.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            for each in (log, self._beside("-shm")):
                each.unlink(missing_ok=True)
        connection.close()

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _open(self) -> tuple[Connection, bool]:
        """The file, and whether one that was in use had been emptied."""
        import sqlite3  # noqa: PLC0415 - not before the first prompt

        is_new = self._create()
        if damage.lost_its_log(self.path):
            raise self._kept_as("is gone, and its log is not", damage.set_aside(self.path))
        was_emptied = not is_new and damage.was_emptied(self.path)
        connection = sqlite3.connect(
            self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        self._inode = _inode(self.path)
        try:
            self._set_up(connection)
            self._log_inode = _inode(self._beside("-wal"))
        except BaseException:
            connection.close()
            raise
        return connection, was_emptied

    def _create(self) -> bool:
        """Make the file, if there is none, for its owner alone; SQLite would do so a moment later.

        One that is there must not be opened: to close it would take all locks that this process has
        on it; another one would then remove the WAL, and with it what is written later.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if self.path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            if not os.access(self.path, os.W_OK, effective_ids=_EFFECTIVE):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
            return False
        return True

    def _set_up(self, connection: Connection) -> None:
        connection.execute("PRAGMA secure_delete = ON")  # nothing stays of what was removed
        found = migrations.version(connection)
        self._is_newer = found > len(migrations.STEPS)
        if self._is_newer:
            connection.execute("PRAGMA query_only = ON")
            return
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if journal != "wal":  # a network file system, perhaps
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        self._is_wal = journal == "wal"
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if self._is_wal else 'FULL'}")
        if found < len(migrations.STEPS):
            self._migrate(connection, found)
        connection.execute("PRAGMA foreign_keys = ON")

    def _migrate(self, connection: Connection, found: int) -> None:
        if found:
            self._back_up(connection)
        with _transaction(connection):
            migrations.migrate(connection)

    def _back_up(self, connection: Connection) -> None:
        import sqlite3  # noqa: PLC0415 - see above

        try:
            backup.back_up(connection, self.path, len(migrations.STEPS))
        except OSError as error:
            raise _no_backup(self.path, failures.of_system(self.path, error)) from error
        except sqlite3.OperationalError as error:
            raise _no_backup(self.path, failures.of(self.path, error)) from error

    def _newer(self) -> StoreError:
        return StoreError(
            f"{self.path}: a newer version of cloudllm wrote it, so it is left as it is",
            advice="Update cloudllm",
        )

    @contextmanager
    def _in_words(self, *, may_set_aside: bool = True) -> Iterator[None]:
        import sqlite3  # noqa: PLC0415 - see above

        try:
            yield
        except OSError as error:
            raise failures.of_system(self.path, error) from error
        except sqlite3.Error as error:
            if failures.is_index_damage(error):
                raise self._mended(error) from error
            if failures.is_damage(error) and may_set_aside:
                raise self._set_aside() from error
            raise failures.of(self.path, error) from error

    def _mended(self, error: Error) -> StoreError:
        """Make a damaged index for searching anew: no text is lost with it."""
        import sqlite3  # noqa: PLC0415 - see above

        try:
            with self._locked():
                connection = self._opened()
                with _transaction(connection):
                    is_mended = damage.mend_index(connection)
        except (OSError, sqlite3.Error):
            is_mended = False
        if not is_mended:
            return failures.of(self.path, error)
        return failures.unusable(
            self.path, "its index was damaged, and has been made anew", "Try again"
        )

    def _set_aside(self) -> StoreError:
        """Rename the damaged file, unless another process has done so already."""
        self.close()
        try:
            with self._locked():
                if not self._is_there():
                    return StoreDamaged(f"{self.path} was damaged, and a new one has begun")
                kept = damage.set_aside(self.path)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            return StoreError(f"{self.path}: it is damaged and cannot be set aside: {reason}")
        return self._kept_as("was damaged", kept)

    def _kept_as(self, how: str, kept: Path) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path} {how}; it is kept as {kept.name}, and a new one begins",
            advice=damage.way_back(kept),
        )


def _inode(path: Path) -> int | None:
    try:
        return os.stat(path).st_ino  # noqa: PTH116 - for each batch
    except FileNotFoundError:
        return None


@contextmanager
def _transaction(connection: Connection, synced: bool = False) -> Iterator[None]:  # noqa: FBT001, FBT002
    """One that waits for other writers as it begins: later it could not, if it has read before.

    A `synced` one waits for the disk at its end; without a WAL that is always so.
    """
    if synced:
        connection.execute("PRAGMA synchronous = FULL")
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with suppress(connection.Error):  # a full disk has undone it already
                connection.execute("ROLLBACK")
            raise
    finally:
        if synced:
            connection.execute("PRAGMA synchronous = NORMAL")


def _no_backup(path: Path, why: StoreError) -> StoreError:
    reason = why.message.removeprefix(f"{path}: ")
    return StoreError(
        f"{path}: it must be brought up to date, and cannot be backed up before: {reason}",
        advice=why.advice,
    )
