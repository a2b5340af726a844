"""Unsent drafts: each running chat keeps its own, and takes what one that has died has left."""

from __future__ import annotations

import os
import time

from cloudllm.store.alive import alive
from cloudllm.store.database import Store

_PUT = (
    "INSERT INTO draft VALUES (?, ?, ?)"
    " ON CONFLICT (owner) DO UPDATE SET time = excluded.time, text = excluded.text"
)


class Drafts:
    """The draft of this chat, in `store`; each method raises `StoreError` as that one does.

    A process has one draft, by the number that it has as long as it lives.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._alive = alive(store.path.parent)

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
            if text:
                kept = text.encode(errors="replace").decode()  # SQLite takes no half characters
                now = int(time.time() * 1000)
                connection.execute(_PUT, (self._alive.number, now, kept))
            else:
                connection.execute("DELETE FROM draft WHERE owner = ?", (self._alive.number,))

    def close(self) -> None:
        """Close the store until it is used again; the number is kept."""
        self._store.close()
