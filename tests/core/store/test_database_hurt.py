"""A store that may only be read, or is damaged: what can be read is, and nothing is deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudllm.errors import StoreDamaged, StoreError
from cloudllm.store import damage, migrations
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.store.stored import alternating, somebody_else

PUT = "INSERT INTO note VALUES (?)"


@pytest.fixture(autouse=True)
def one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "STEPS", (("CREATE TABLE note (text TEXT)",),))


def put(store: Store, text: str) -> None:
    with store.write() as connection:
        connection.execute(PUT, (text,))


def notes(store: Store) -> list[str]:
    with store.read() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note")]


@pytest.mark.parametrize("wal", ["empty", "left by a killed process"])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_written_can_be_read(
    store: Store, path: Path, tmp_path: Path, what: str, wal: str
) -> None:
    put(store, "a")
    if wal == "empty":
        store.close()
    for each in path.parent.iterdir():
        each.chmod(0o666 if (what, wal) == ("folder", "empty") else 0o444)
    path.parent.chmod(0o777 if what == "file" else 0o555)
    other = Store(path, patience=0.2)
    with somebody_else(tmp_path):
        assert notes(other) == ["a"]
        with pytest.raises(StoreError, match="Make it and its folder writable for you"):
            put(other, "b")
        assert notes(other) == ["a"]
        other.close()
    path.parent.chmod(0o700)


def test_what_may_not_be_written_and_is_of_an_older_version_is_one_line(
    store: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "a")
    store.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("CREATE TABLE other (a TEXT)",)))
    with (
        somebody_else(tmp_path),
        pytest.raises(StoreError, match=r"to date, and may not be written\. Make it and its"),
    ):
        notes(Store(path))
    path.parent.chmod(0o700)


def test_what_may_not_even_be_read_is_one_line(store: Store, path: Path, tmp_path: Path) -> None:
    put(store, "a")
    store.close()
    path.parent.chmod(0o755)
    if os.geteuid():
        path.chmod(0)
    with (
        somebody_else(tmp_path),
        pytest.raises(StoreError, match=r"store\.db: permission denied\. Make it"),
    ):
        notes(Store(path))


def test_damage_that_shows_in_the_middle_of_a_read_is_set_aside_too(
    store: Store, path: Path
) -> None:
    for number in range(50):
        put(store, f"{number}" * 2_000)
    store.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 20_000)
    seen: list[tuple[str]] = []
    with pytest.raises(StoreDamaged), store.read() as connection:
        seen.extend(connection.execute("SELECT text FROM note"))
    assert seen
    assert notes(store) == []


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_a_file_that_was_cut_short_is_set_aside(store: Store, path: Path, part: float) -> None:
    for _ in range(50):
        put(store, "x" * 5_000)
    store.close()
    os.truncate(path, int(path.stat().st_size * part))
    with pytest.raises(StoreDamaged):
        notes(store)
    assert notes(store) == []


def test_a_damaged_index_is_made_anew_and_no_text_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    store = Store(tmp_path / "whole.db")
    kept = Conversations(store)
    assert kept.add(alternating("precious", "text")) is not None
    with store.write() as connection:
        connection.execute("DELETE FROM found_data WHERE id > 10")
    asked = "SELECT rowid FROM found WHERE found MATCH '\"pre\"'"
    with (
        pytest.raises(StoreError, match=r"index was damaged, and has been made anew\. Try"),
        store.read() as connection,
    ):
        connection.execute(asked).fetchall()
    with store.read() as connection:
        assert connection.execute(asked).fetchall() == [(1,)]
    assert len(kept.entries()) == 1
    store.close()


def test_where_there_is_no_index_none_is_made_anew(store: Store) -> None:
    with store.write() as connection:
        assert not damage.mend_index(connection)
