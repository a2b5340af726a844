"""The store's file: private, kept whole, shared between processes, and clear about what is wrong."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloudllm.errors import StoreDamaged, StoreError
from cloudllm.store import migrations
from cloudllm.store.database import Store, default_path
from tests.core.store.stored import somebody_else

PUT = "INSERT INTO note VALUES (?)"


@pytest.fixture(autouse=True)
def one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    part = "CREATE TABLE part (word REFERENCES word DEFERRABLE INITIALLY DEFERRED)"
    tables = ("CREATE TABLE note (text TEXT)", "CREATE TABLE word (id INTEGER PRIMARY KEY)", part)
    monkeypatch.setattr(migrations, "STEPS", (tables,))


def put(store: Store, text: str) -> None:
    with store.write() as connection:
        connection.execute(PUT, (text,))


def notes(store: Store) -> list[str]:
    with store.read() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note")]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_at_first_use_in_the_data_folder(home: Path, store: Store, path: Path) -> None:
    assert default_path() == home / "store.db"
    assert not path.parent.exists()
    put(store, "a")
    assert path.exists()


def test_only_its_owner_can_read_it(store: Store, path: Path) -> None:
    umask = os.umask(0)
    try:
        put(store, "a")
    finally:
        os.umask(umask)
    assert mode(path.parent) == 0o700
    files = sorted(path.parent.iterdir())
    assert [each.name for each in files] == [
        "store.db", "store.db-shm", "store.db-wal", "store.db.lock",
    ]  # fmt: skip
    assert {mode(each) for each in files} == {0o600}


def test_what_was_written_is_there_after_it_was_closed(store: Store, path: Path) -> None:
    put(store, "a")
    store.close()
    store.close()
    assert not path.with_name("store.db-wal").exists()
    assert notes(store) == ["a"]


def test_it_uses_a_write_ahead_log(store: Store) -> None:
    with store.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(StoreError), store.write() as connection:
        connection.execute(PUT, ("a",)).execute("NONSENSE")
    put(store, "b")
    assert notes(store) == ["b"]


def test_a_transaction_that_fails_at_its_end_leaves_nothing(store: Store) -> None:
    with store.read() as connection:
        connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(StoreError, match="FOREIGN KEY"), store.write() as connection:
        connection.execute("INSERT INTO part VALUES (7)")
    put(store, "b")
    assert notes(store) == ["b"]


def test_who_holds_the_file_too_long_is_told_of(store: Store, path: Path) -> None:
    put(store, "a")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as caught:
        put(store, "b")
    assert str(caught.value) == (
        f"{path}: another program holds it. End the other program, then try again"
    )
    assert notes(store) == ["a"]
    other.execute("ROLLBACK")
    other.close()
    put(store, "c")
    assert notes(store) == ["a", "c"]


def test_a_process_that_holds_the_lock_too_long_is_told_of(store: Store, path: Path) -> None:
    second = Store(path, patience=0.05)
    with store.write(), pytest.raises(StoreError, match="another program holds it"):
        put(second, "b")
    put(second, "c")
    second.close()
    assert notes(store) == ["c"]


def test_writers_wait_for_each_other(path: Path) -> None:
    stores = [Store(path) for _ in range(4)]

    def write(store: Store) -> None:
        for number in range(10):
            put(store, str(number))
        store.close()

    threads = [threading.Thread(target=write, args=(each,)) for each in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes(stores[0])) == 40
    stores[0].close()


def test_a_file_from_a_newer_version_is_read_and_left_as_it_is(store: Store, path: Path) -> None:
    put(store, "a")
    store.close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            put(store, "b")
        assert str(caught.value) == (
            f"{path}: a newer version of cloudllm wrote it, so it is left as it is. Update cloudllm"
        )
        assert notes(store) == ["a"]
    with pytest.raises(StoreError, match="may not be written"), store.read() as connection:
        connection.execute(PUT, ("c",))
    store.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["garbage", "overwritten"])
def test_a_damaged_file_is_set_aside_and_never_deleted(
    store: Store, path: Path, damage: str
) -> None:
    for _ in range(50):
        put(store, "x" * 500)
    store.close()
    content = b"no database at all" * 100
    if damage == "overwritten":
        content = path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreDamaged) as caught:
        notes(store)
    pattern = (
        rf"{path} was damaged; it is kept as (store\.db\.damaged-[-\d]+), and a new one begins\."
        rf" To get back what can be read: cloudllm sessions import {path}\.damaged-[-\d]+"
    )
    (kept,) = re.fullmatch(pattern, str(caught.value)).groups()  # type: ignore[union-attr]
    assert path.with_name(kept).read_bytes() == content
    assert notes(store) == []
    put(store, "a")
    assert notes(store) == ["a"]


def test_of_two_that_find_it_damaged_one_sets_it_aside(store: Store, path: Path) -> None:
    put(store, "a")
    second = Store(path, patience=0.2)
    assert notes(second) == ["a"]
    store.close()
    second.close()
    path.write_bytes(b"no database at all" * 100)
    for each in (store, second):
        each._inode = path.stat().st_ino
    assert store._set_aside().message.endswith("a new one begins")
    put(store, "b")
    assert second._set_aside().message.endswith("a new one has begun")
    assert notes(second) == ["b"]
    assert len(list(path.parent.glob("*.damaged-*"))) == 1
    second.close()


def test_a_name_that_is_taken_is_not_overwritten(store: Store, path: Path) -> None:
    for number in range(3):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no database at all %d" % number * 100)
        with pytest.raises(StoreDamaged):
            put(store, "a")
    assert len({each.read_bytes() for each in path.parent.glob("*.damaged-*")}) == 3


def test_a_file_that_was_removed_is_made_anew(store: Store, path: Path) -> None:
    put(store, "a")
    for each in path.parent.glob("store.db*"):
        each.unlink()
    put(store, "b")
    assert notes(store) == ["b"]


def test_an_empty_file_is_a_new_one(store: Store, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    put(store, "a")
    assert notes(store) == ["a"]


def test_what_is_no_file_is_one_line(store: Store, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError) as caught:
        put(store, "a")
    assert str(caught.value) == (f"{path}: is a directory. Make it and its folder writable for you")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/data/store.db: not a directory"):
        put(Store(tmp_path / "file" / "data" / "store.db"), "a")


@pytest.mark.parametrize("what", ["store.db", "store.db.lock", ""])
def test_what_may_not_be_written_is_one_line(
    store: Store, path: Path, what: str, tmp_path: Path
) -> None:
    put(store, "a")
    store.close()
    for each in (path.parent, *path.parent.iterdir()):
        each.chmod(0o777)
    (path.parent / what).chmod(0o555)
    if not what:
        path.with_name("store.db.lock").unlink()
    with somebody_else(tmp_path), pytest.raises(StoreError) as caught:
        put(store, "b")
    assert str(caught.value) == (
        f"{path}: permission denied. Make it and its folder writable for you"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_FULL", "the disk is full. Make room on the disk"),
        (
            "SQLITE_READONLY_DBMOVED",
            "it may not be written. Make it and its folder writable for you",
        ),
        ("SQLITE_IOERR_WRITE", "the disk reports an error. Check the disk"),
        (None, "odd. Set the file aside, then try again"),
    ],
)
def test_every_other_failure_is_one_line(
    store: Store, path: Path, name: str | None, words: str
) -> None:
    error = sqlite3.OperationalError("odd")
    if name:
        error.sqlite_errorname = name
    with pytest.raises(StoreError) as caught, store.read():
        raise error
    assert str(caught.value) == f"{path}: {words}"


def test_a_full_disk_is_one_line_and_loses_nothing(store: Store, path: Path) -> None:
    put(store, "a")
    with store.read() as connection:
        connection.execute("PRAGMA max_page_count = 6")
    with pytest.raises(StoreError, match="the disk is full"):
        put(store, "x" * 100_000)
    with store.read() as connection:
        connection.execute("PRAGMA max_page_count = 4000")
    put(store, "b")
    assert notes(store) == ["a", "b"]


def test_sqlite_is_not_imported_before_it_is_used() -> None:
    program = (
        "import sys; import cloudllm, cloudllm.accounts, cloudllm.store.report\n"
        "from pathlib import Path\n"
        "cloudllm.accounts.Accounts(Path('none')); print('sqlite3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_durable_transaction_waits_for_the_disk_and_the_next_does_not(store: Store) -> None:
    with store.write(durable=True) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with store.write() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_folder_that_was_removed_is_not_made_again_to_close(store: Store, path: Path) -> None:
    put(store, "a")
    shutil.rmtree(path.parent)
    store.close()
    assert not path.parent.exists()
