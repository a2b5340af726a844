"""Our own store, of another machine or as a backup: all of it is read, and nothing of it changed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm import Journal, Status, TextDelta
from cloudllm.archive import Archive
from cloudllm.importing import read
from cloudllm.recording import Start
from cloudllm.store import migrations
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.recovery import WHY
from tests.core.importing.reading import error_of, own, said
from tests.core.store.stored import Chat, alternating, somebody_else
from tests.core.store.stored import said as message


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "there" / "store.db")
    yield made
    made.close()


def put(store: Store, *archives: Archive) -> list[Archive]:
    """Keep these, and give all that is kept."""
    kept = Conversations(store)
    for each in archives:
        assert kept.add(each) is not None
    return [kept.archive(entry.id) for entry in sorted(kept.entries(), key=lambda each: each.id)]


def seen(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def copied(store: Store, folder: Path, *suffixes: str) -> Path:
    """The file as it is while a chat has it, with those of the files beside it."""
    folder.mkdir()
    for suffix in suffixes:
        shutil.copyfile(f"{store.path}{suffix}", folder / f"store.db{suffix}")
    return folder / "store.db"


def test_every_conversation_comes_as_it_is_kept(store: Store) -> None:
    kept = put(store, own("k1"), alternating("a", "b" * 20_000, "c"), own("k2"))
    store.close()
    before = seen(store.path.parent)
    assert list(read(store.path)) == kept
    assert seen(store.path.parent) == before


@pytest.mark.parametrize("suffixes", [("", "-wal"), ("", "-wal", "-shm")])
def test_what_is_only_in_the_log_is_read_too(
    store: Store, tmp_path: Path, suffixes: tuple[str, ...]
) -> None:
    kept = put(store, own())
    path = copied(store, tmp_path / "copy", *suffixes)
    assert path.stat().st_size == 4_096  # all is in the log
    before = {name: data for name, data in seen(path.parent).items() if "-shm" not in name}
    assert list(read(path)) == kept
    after = seen(path.parent)
    assert {name: data for name, data in after.items() if "-shm" not in name} == before
    assert len(after) == len(suffixes)


def test_a_store_that_another_chat_has_open_is_read(store: Store) -> None:
    kept = put(store, own())
    assert list(read(store.path)) == kept
    assert put(store, own("k2")) == list(read(store.path))


def test_a_file_without_its_log_says_where_the_text_may_be(store: Store, tmp_path: Path) -> None:
    put(store, own())
    path = copied(store, tmp_path / "copy", "")
    assert error_of(path) == (
        f"{path}: it is empty; what was in it may be in store.db-wal."
        " Put that file beside it, and import it again"
    )


async def test_a_reply_that_was_coming_in_comes_as_far_as_it_came(
    store: Store, tmp_path: Path
) -> None:
    journal = Journal(store.path)
    chat = Chat(journal)
    await chat.turn("hi", "ho")
    await chat.begin(Start(2, (message("user", "more"),)))
    journal.add(TextDelta("much "))
    journal.add(TextDelta("mo"))
    await journal.saved()
    path = copied(store, tmp_path / "copy", "", "-wal")
    journal.close(1)
    (found,) = read(path)
    assert said(found) == [
        ("user", "hi"), ("assistant", "ho"), ("user", "more"), ("assistant", "much mo"),
    ]  # fmt: skip
    last = found.branch()[-1].message
    assert (last.status, last.error) == (Status.PARTIAL, WHY)


async def test_a_reply_of_which_nothing_came_leaves_its_question(
    store: Store, tmp_path: Path
) -> None:
    journal = Journal(store.path)
    await Chat(journal).begin(Start(0, (message("user", "hi"),)))
    path = copied(store, tmp_path / "copy", "", "-wal")
    journal.close(1)
    (found,) = read(path)
    assert said(found) == [("user", "hi")]


@pytest.mark.parametrize("version", range(1, len(migrations.STEPS)))
def test_a_store_of_an_older_version_is_read_as_it_is(
    store: Store, tmp_path: Path, version: int
) -> None:
    kept = put(store, own(), alternating("a", "b"))
    store.close()
    path = tmp_path / "older.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in (each for step in migrations.STEPS[:version] for each in step):
            connection.execute(statement)
        connection.execute("ATTACH ? AS new", (str(store.path),))
        tables = ("conversation", "message") if version > 2 else ()
        for table in tables:
            names = connection.execute(f"SELECT name FROM pragma_table_info('{table}', 'main')")
            columns = ", ".join(name for (name,) in names)
            connection.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}"
            )
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    assert list(read(path)) == (kept if tables else [])
    assert path.read_bytes() == before
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("older.db-")]


def test_a_store_of_a_newer_version_is_left_alone(store: Store) -> None:
    put(store, own())
    with store.write() as connection:
        connection.execute(f"PRAGMA user_version = {len(migrations.STEPS) + 1}")
    store.close()
    path = store.path
    assert error_of(path) == f"{path}: a newer version of cloudllm wrote it. Update cloudllm"


def test_one_in_a_folder_that_may_not_be_written_is_read(store: Store, tmp_path: Path) -> None:
    kept = put(store, own())
    path = copied(store, tmp_path / "copy", "", "-wal", "-shm")
    for each in path.parent.iterdir():
        each.chmod(0o444)
    path.parent.chmod(0o555)
    with somebody_else(tmp_path):
        assert list(read(path)) == kept
    path.parent.chmod(0o700)
