"""How the store's file came to its present form: steps that are never changed, only added to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_CALLS = (
    # One row for each call that went out. Money is in billionths of a US dollar, a price that for a
    # million tokens, a time in milliseconds. `charged` is what counts against a budget.
    """
    CREATE TABLE call (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        time INTEGER NOT NULL,
        session TEXT NOT NULL,
        purpose TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('reserved', 'settled', 'void')),
        projected INTEGER,
        charged INTEGER NOT NULL CHECK (charged >= 0),
        input INTEGER,
        output INTEGER,
        cached INTEGER,
        stored INTEGER,
        reasoning INTEGER,
        source TEXT CHECK (source IN ('provider', 'estimate')),
        cost INTEGER,
        input_price INTEGER,
        output_price INTEGER,
        cached_price INTEGER,
        stored_price INTEGER,
        price_source TEXT
    ) STRICT
    """,
    "CREATE INDEX call_time ON call (time, charged)",
    "CREATE INDEX call_session ON call (session, charged)",
)

_DRAFTS = (
    # What stands unsent in an editor, one row for each chat; the time is in milliseconds since 1970.
    """
    CREATE TABLE draft (
        owner INTEGER PRIMARY KEY,
        time INTEGER NOT NULL,
        text TEXT NOT NULL
    ) STRICT
    """,
)

STEPS: tuple[Sequence[str], ...] = (_CALLS, _DRAFTS)
"""The statements of each version, the first being 1."""


def version(connection: Connection) -> int:
    """Which version the file has; 0 is an empty one."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def migrate(connection: Connection) -> None:
    """Bring the file to the newest version; the caller holds a transaction around it.

    The statements go one by one: `executescript` would commit the transaction, and a failure
    halfway would leave a file that no version knows.
    """
    for number in range(version(connection), len(STEPS)):
        for statement in STEPS[number]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number + 1}")
