"""Migrations: each is done wholly or not at all, wherever it breaks, and never twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm.errors import StoreError
from cloudllm.store import migrations
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store

STATEMENTS = [statement for step in migrations.STEPS for statement in step]
BROKEN = "CREATE BROKEN"


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


def test_the_turns_of_what_was_kept_before_are_counted(store: Store) -> None:
    said = (  # id, parent, role
        (1, None, "user"), (2, 1, "assistant"), (3, 2, "user"), (4, 3, "assistant"),
        (5, 2, "user"), (6, 5, "user"), (7, 6, "assistant"), (8, 7, "tool"), (9, None, "assistant"),
    )  # fmt: skip
    store.path.parent.mkdir()
    with closing(sqlite3.connect(store.path)) as connection:
        for statement in (each for step in migrations.STEPS[:3] for each in step):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO conversation VALUES (1, 'k', 't', 'person', 5, 5, '/f', '', '', NULL, NULL, 7)"
        )
        connection.executemany(
            "INSERT INTO message (id, conversation, parent, created, role, status, content,"
            " reasoning, pinned, details) VALUES (?, 1, ?, 0, ?, 'complete', 'x', '', 0, '{}')",
            said,
        )
        connection.execute("UPDATE conversation SET head = 4")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with store.read() as connection:
        turns = [turn for (turn,) in connection.execute("SELECT turn FROM message ORDER BY id")]
    assert turns == [1, 1, 2, 2, 2, 2, 2, 2, 0]
    kept = Conversations(store)
    (entry,) = kept.entries()
    assert (entry.turns, entry.updated) == (2, 5)
    assert kept.last("/f") == entry
