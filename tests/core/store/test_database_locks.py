"""Locks of the store's file: nobody loses those of another in the same process, and no text by it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cloudllm.store import lock
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.purge import purge
from tests.core.store.stored import alternating

LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(*(row[0] for row in connection.execute("SELECT name FROM chore ORDER BY name")))
connection.close()
"""


def put(store: Store, name: str) -> None:
    with store.write() as connection:
        connection.execute("INSERT INTO chore VALUES (?, 1)", (name,))


def seen_by_another(path: Path) -> list[str]:
    """The rows that another process sees, which closes the file, as the last one if it seems so."""
    command = [sys.executable, "-c", LOOK, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("purges", [False, True])
def test_G5_what_two_stores_of_a_process_write_is_there_after_another_has_closed_the_file(
    tmp_path: Path, purges: bool
) -> None:
    path = tmp_path / "store.db"
    stores = Store(path), Store(path)
    for name, store in zip("ab", stores, strict=True):
        put(store, name)
    if purges:
        made = Conversations(stores[0]).add(alternating("a text to be removed", "and its reply"))
        assert made is not None
        purge(stores[1], [made.id])
    assert seen_by_another(path) == ["a", "b"]
    assert path.with_name("store.db-wal").exists()
    put(stores[0], "c")
    assert seen_by_another(path) == ["a", "b", "c"]
    for store in stores:
        store.close()
    assert seen_by_another(path) == ["a", "b", "c"]


def test_threads_of_a_process_need_not_look_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_PAUSE", 60)
    done: list[int] = []

    def hold(number: int) -> None:
        with lock.held(tmp_path / "lock", 30):
            time.sleep(0.001)
            done.append(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(9))


def test_a_thread_that_holds_it_too_long_is_told_of(tmp_path: Path) -> None:
    with (
        lock.held(tmp_path / "lock", 1),
        pytest.raises(TimeoutError),
        lock.held(tmp_path / "lock", 0.01),
    ):
        pass
    with lock.held(tmp_path / "lock", 0):
        pass


def test_outside_of_a_transaction_one_is_alone_all_the_same(tmp_path: Path) -> None:
    store, other = Store(tmp_path / "store.db"), Store(tmp_path / "store.db", patience=0.01)
    with store.alone() as connection:
        assert not connection.in_transaction
        connection.execute("VACUUM")
        with pytest.raises(Exception, match="another program holds it"):
            put(other, "a")
    put(other, "b")
    store.close()
    other.close()


def test_what_was_removed_is_overwritten(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    with store.write() as connection:
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
    store.close()


@pytest.mark.parametrize("moved", [False, True])
def test_G5_a_file_that_was_put_in_its_place_is_not_overwritten_by_the_log_of_the_old_one(
    tmp_path: Path, moved: bool
) -> None:
    path, old = tmp_path / "store.db", tmp_path / "old.db"
    new = Store(tmp_path / "new.db")
    put(new, "new")
    new.close()
    stores = Store(path), Store(path)
    for name, store in zip("ab", stores, strict=True):
        put(store, name)
    if moved:
        path.rename(old)
    new.path.replace(path)
    for name, store in zip("cd", stores, strict=True):
        put(store, name)
    put(stores[0], "e")
    assert seen_by_another(path) == ["c", "d", "e", "new"]
    for store in stores:
        store.close()
    assert seen_by_another(path) == ["c", "d", "e", "new"]
    if moved:
        assert seen_by_another(old) == ["a", "b"]
