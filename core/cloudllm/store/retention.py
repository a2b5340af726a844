"""Purges conversations that were not in use for a number of days, once a day at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudllm.store.alive import alive
from cloudllm.store.database import Store
from cloudllm.store.purge import purge

if TYPE_CHECKING:
    from sqlite3 import Connection

_DAY = 86_400_000  # milliseconds
_LAST = "SELECT time FROM chore WHERE name = 'expire'"
_DONE = "INSERT OR REPLACE INTO chore VALUES ('expire', ?)"
_OLD = "SELECT id, owner FROM conversation WHERE updated < :before AND used < :before"


def expire(store: Store, days: int, now: float) -> int:
    """Purge what has neither changed nor been taken up for so many days; how many those were.

    Those that are open in a chat stay. `now` is in seconds since 1970. Nothing is done, and no file
    made, if it was done less than a day ago; so it may be called after every start.

    Raises:
        StoreError: as `purge` does; it is tried again a day later.
    """
    time = round(now * 1000)
    if not store.path.exists():
        return 0
    with store.read() as connection:
        if _is_done(connection, time):
            return 0
    with store.write() as connection:
        if _is_done(connection, time):  # another process was faster
            return 0
        connection.execute(_DONE, (time,))
        rows = connection.execute(_OLD, {"before": time - days * _DAY}).fetchall()
    living = alive(store.path.parent)
    old = [at for at, owner in rows if owner is None or not living.has(owner)]
    return purge(store, old).conversations if old else 0


def _is_done(connection: Connection, time: int) -> bool:
    """Was it less than a day ago? A time that is still to come says nothing."""
    row = connection.execute(_LAST).fetchone()
    return row is not None and 0 <= time - row[0] < _DAY
