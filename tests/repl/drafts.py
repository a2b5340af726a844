"""The unsent drafts as they are on the disk, and waiting for them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path


def on_disk(home: Path) -> list[str]:
    """The drafts in the store."""
    path = home / "store.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(path)
    try:
        return [text for (text,) in connection.execute("SELECT text FROM draft ORDER BY time")]
    except sqlite3.OperationalError:  # it is being made
        return []
    finally:
        connection.close()


def wait_for(home: Path, expected: list[str], timeout: float = 20) -> None:
    end = time.monotonic() + timeout
    while (found := on_disk(home)) != expected:
        assert time.monotonic() < end, found
        time.sleep(0.02)
