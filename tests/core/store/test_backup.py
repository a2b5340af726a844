"""Before a file is brought up to date it is copied; without a copy it is left as it is."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm.errors import StoreError
from cloudllm.store import migrations
from cloudllm.store.backup import backups
from cloudllm.store.database import Store

LATER = ("CREATE TABLE later (text TEXT)",)


@pytest.fixture
def old(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A file of the first version, with a draft in it."""
    monkeypatch.setattr(migrations, "STEPS", (("CREATE TABLE note (text TEXT)",),))
    store = Store(path)
    with store.write() as connection:
        connection.execute("INSERT INTO note VALUES ('precious')")
    store.close()
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, LATER))
    yield store
    store.close()


def content(path: Path) -> tuple[int, list[tuple[str]]]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT text FROM note").fetchall()
        return migrations.version(connection), found


def use(store: Store) -> None:
    with store.write():
        pass


def test_a_new_file_needs_none(path: Path) -> None:
    use(Store(path))
    assert backups(path) == []


def test_the_file_as_it_was_is_kept_privately(path: Path, old: Store) -> None:
    use(old)
    (kept,) = backups(path)
    assert kept.name == "store.db.before-v2"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert content(kept) == (1, [("precious",)])
    assert content(path) == (2, [("precious",)])


def test_only_the_newest_is_kept(path: Path, old: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    use(old)
    old.close()
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("CREATE TABLE more (a)",)))
    use(old)
    assert [each.name for each in backups(path)] == ["store.db.before-v3"]


def test_where_no_copy_can_be_made_the_file_is_left_as_it_is(path: Path, old: Store) -> None:
    blocked = path.with_name("store.db.before-v2.part")
    blocked.mkdir()
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            use(old)
        assert str(caught.value).startswith(
            f"{path}: it must be brought up to date, and cannot be backed up before: is a directory"
        )
    assert content(path) == (1, [("precious",)])
    blocked.rmdir()
    use(old)
    assert content(path) == (2, [("precious",)])


def test_a_copy_that_a_killed_process_left_half_done_is_no_trouble(path: Path, old: Store) -> None:
    path.with_name("store.db.before-v2.part").write_bytes(b"half")
    use(old)
    assert [each.name for each in backups(path)] == ["store.db.before-v2"]


def test_a_migration_that_fails_leaves_the_copy_and_the_file(
    path: Path, old: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS[:1], (*LATER, "BROKEN")))
    with pytest.raises(StoreError):
        use(old)
    assert content(path) == content(backups(path)[0]) == (1, [("precious",)])
