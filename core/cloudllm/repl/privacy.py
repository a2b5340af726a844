"""The accounts of a private chat: money is counted, and written only where a budget needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.accounts import Accounts, Budgets, Standing, stand
from cloudllm.errors import StoreError
from cloudllm.store import ledger
from cloudllm.store.database import Store
from cloudllm.store.migrations import migrate

if TYPE_CHECKING:
    from sqlite3 import Connection

_COLUMNS = tuple(each.name for each in fields(ledger.Entry))
_ROWS = f"SELECT {', '.join(_COLUMNS)} FROM call"  # noqa: S608 - names of ours
_COUNTED = (
    "This chat is private. What its calls cost is written down all the same, in numbers only,"
    " because a budget counts it."
)


class MemoryStore(Store):
    """A store that is gone with the process."""

    def __init__(self) -> None:
        super().__init__(Path(":memory:"))

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:  # noqa: ARG002 - the contract
        """One transaction; it is undone if the block raises."""
        connection = self._made()
        with connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A look at what is there."""
        yield self._made()

    def close(self) -> None:
        """Keep it: there would be nothing left of it."""

    def _made(self) -> Connection:
        if self._connection is None:
            import sqlite3  # noqa: PLC0415 - not before the first prompt

            self._connection = sqlite3.connect(
                ":memory:", isolation_level=None, check_same_thread=False
            )
            migrate(self._connection)
        return self._connection


class PrivateAccounts(Accounts):
    """Keeps the ledger in memory, until a budget of a day or a month makes it count with others."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._disk, self._memory = self._store, MemoryStore()
        self._store: Store = self._memory
        self._counts = False

    def keep_to(self, budgets: Budgets) -> None:
        """Keep to these budgets from now on; in the event loop."""
        self.budgets = budgets
        if not self._counts and (budgets.day is not None or budgets.month is not None):
            self._counts = True
            self._worker.put(self._move)
            self._notices.append(_COUNTED)
            self._tell()

    def _move(self) -> None:
        """Write what is in memory to the disk, and go on there; in the thread."""
        with self._memory.read() as connection:
            rows = connection.execute(_ROWS).fetchall()
        self._store = self._disk
        try:
            with self._disk.write() as connection:
                for row in rows:
                    ledger.put(connection, ledger.Entry(**dict(zip(_COLUMNS, row, strict=True))))
        except StoreError:  # the next call will say so
            return

    def _standings(self, budgets: Budgets, session: str) -> tuple[Standing, ...]:
        if self._store is not self._memory:
            return super()._standings(budgets, session)
        with self._memory.read() as connection:
            return stand(connection, budgets, session, round(self._clock() * 1000))
