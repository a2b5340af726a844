"""Migrations: each is done wholly or not at all, wherever it breaks, and never twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudllm.errors import StoreError
from cloudllm.store import migrations
from cloudllm.store.database import Store

STATEMENTS = [statement for step in migrations.STEPS for statement in step]
BROKEN = "CREATE BROKEN"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.db")
    yield made
    made.close()


def schema(path: Path) -> tuple[int, set[str]]:
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    found = migrations.version(connection), names
    connection.close()
    return found


@pytest.mark.parametrize("place", range(len(STATEMENTS) + 1))
def test_G10_a_migration_that_breaks_at_any_statement_leaves_nothing(
    place: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (*STATEMENTS[:place], BROKEN, *STATEMENTS[place:])
    monkeypatch.setattr(migrations, "STEPS", (broken,))
    with pytest.raises(StoreError), store.write():
        pass
    assert schema(store.path) == (0, set())
    monkeypatch.undo()
    with store.write():
        pass
    version, names = schema(store.path)
    assert version == len(migrations.STEPS)
    assert "call" in names


def test_G10_a_later_migration_that_breaks_leaves_the_version_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write():
        pass
    store.close()
    before = schema(store.path)
    later = ("CREATE TABLE later (text TEXT)", "ALTER TABLE call ADD COLUMN more TEXT")
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, (*later, BROKEN)))
    with pytest.raises(StoreError), store.write():
        pass
    assert schema(store.path) == before
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS[:-1], later))
    with store.write():
        pass
    assert schema(store.path) == (before[0] + 1, before[1] | {"later"})


def test_what_is_up_to_date_is_not_touched(store: Store) -> None:
    for _ in range(3):
        with store.write() as connection:
            migrations.migrate(connection)
        store.close()
    assert schema(store.path)[0] == len(migrations.STEPS)
