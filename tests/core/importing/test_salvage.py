"""Our own store, damaged: what still stands in it is read, and it is said how much that is."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing import read
from cloudllm.messages import Status
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.importing.reading import own, said, whole_and_error
from tests.core.store.stored import alternating

PAGE = 4_096
HEADER = Random(1).randbytes(100)


@pytest.fixture
def kept(tmp_path: Path) -> list[Archive]:
    """40 conversations in a store that is closed, at `path`."""
    store = Store(tmp_path / "store.db")
    kept = Conversations(store)
    for number in range(39):
        texts = (f"{number}-{place} " + "wörds " * (place * 120) for place in range(6))
        kept.add(replace(alternating(*texts), id=f"k{number}", title=f"Talk {number}", created=9))
    kept.add(own("the tree"))
    found = [kept.archive(entry.id) for entry in sorted(kept.entries(), key=lambda each: each.id)]
    store.close()
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def overwritten(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def root(path: Path, name: str) -> int:
    """Where the first page of a table or an index begins."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (number,) = connection.execute(query, (name,)).fetchone()
    return (int(number) - 1) * PAGE


def all_read(path: Path, number: int = 40) -> str:
    return f"{path}: it is damaged; {number} of {number} conversations could be read"


def header(path: Path) -> None:
    overwritten(path, 0, HEADER)


def first_page(path: Path) -> None:
    overwritten(path, 0, bytes(PAGE))


def index(path: Path) -> None:
    overwritten(path, root(path, "message_conversation"), b"\xff" * PAGE)


def root_of_messages(path: Path) -> None:
    overwritten(path, root(path, "message"), b"\xff" * PAGE)


def page_size(path: Path) -> None:
    overwritten(path, 16, b"\x00\x07")


@pytest.mark.parametrize("hurt", [header, first_page, index, root_of_messages, page_size])
def test_where_only_the_ways_to_it_are_damaged_all_is_read(
    kept: list[Archive], path: Path, hurt: Callable[[Path], None]
) -> None:
    hurt(path)
    before = path.read_bytes()
    found, error = whole_and_error(path)
    assert found == kept
    assert error == all_read(path)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.glob("store.db-*")] == []


@pytest.mark.parametrize("hurt", ["emptied", "header", "nothing"])
def test_what_is_only_in_the_log_is_read_where_the_file_is_damaged(
    tmp_path: Path, hurt: str
) -> None:
    store = Store(tmp_path / "there" / "store.db")
    entry = Conversations(store).add(own())
    assert entry is not None
    expected = [Conversations(store).archive(entry.id)]
    path = tmp_path / "store.db"
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{store.path}{suffix}", f"{path}{suffix}")
    store.close()
    if hurt == "nothing":
        assert list(read(path)) == expected
        return
    path.write_bytes(b"" if hurt == "emptied" else HEADER + path.read_bytes()[100:])
    found, error = whole_and_error(path)
    assert found == expected
    assert error == all_read(path, 1)


def test_a_file_that_was_cut_short_gives_what_stands_before(
    kept: list[Archive], path: Path
) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 99)
    found, error = whole_and_error(path)
    match = re.fullmatch(
        rf"{path}: it is damaged; (\d+) of 40 conversations could be read, (\d+) of them in part",
        error,
    )
    assert match is not None
    assert 5 < len(found) == int(match[1]) < 40
    whole = [each for each in found if each in kept]
    assert len(whole) == len(found) - int(match[2])


def test_messages_whose_conversation_is_lost_are_read(kept: list[Archive], path: Path) -> None:
    overwritten(path, root(path, "conversation"), b"\xff" * PAGE)
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.DatabaseError):
        connection.execute("SELECT * FROM conversation").fetchall()
    found, error = whole_and_error(path)
    assert {text for each in found for _, text in said(each)} >= {
        text for each in kept[:39] for _, text in said(each)
    }
    assert "it is damaged; 40 of 40 conversations could be read" in error


def test_what_followed_a_lost_message_follows_the_one_before_it(
    kept: list[Archive], path: Path
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM message WHERE content LIKE '3-2 %'")
        connection.execute("UPDATE conversation SET title = title")
        connection.commit()
    header(path)
    found, error = whole_and_error(path)
    assert len(found) == 40
    hurt = next(each for each in found if each.id == "k3")
    assert [text.split()[0] for _, text in said(hurt)] == ["3-0", "3-1", "3-3", "3-4", "3-5"]
    assert error.endswith("40 of 40 conversations could be read, 1 of them in part")


@pytest.mark.parametrize("filler", [b"\xff" * PAGE, bytes(PAGE)])
def test_of_a_reply_that_is_damaged_its_beginning_is_read(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "store.db"
    store = Store(path)
    Conversations(store).add(alternating("hi", "long " * 10_000))
    store.close()
    content = path.read_bytes()
    pages = range(0, len(content), PAGE)
    inside = [at for at in pages if content[at + 4 : at + PAGE].count(b"long") > 800]
    overwritten(path, inside[5], filler)
    (found,), error = whole_and_error(path)
    _, reply = (each.message for each in found.messages)
    assert reply.status is Status.PARTIAL
    assert ("long " * 10_000).startswith(reply.content)
    assert 20_000 < len(reply.content) < 30_000
    assert error.endswith("1 of 1 conversations could be read, 1 of them in part")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_pages_are_lost_nothing_is_made_up(
    kept: list[Archive], path: Path, seed: int
) -> None:
    random = Random(seed)
    pages = path.stat().st_size // PAGE
    for _ in range(random.choice([1, 5, pages // 4, pages])):
        filler = random.choice([bytes(PAGE), b"\xff" * PAGE, random.randbytes(PAGE)])
        overwritten(path, random.randrange(pages) * PAGE, filler)
    found: list[Archive] = []
    with suppress(UsageError):
        found.extend(read(path))
    texts = {each.message.content for archive in kept for each in archive.messages}
    for archive in found:
        for each in archive.messages:
            if each.message.status is Status.COMPLETE:
                assert each.message.content in texts


def test_what_was_read_can_be_kept(kept: list[Archive], path: Path, tmp_path: Path) -> None:
    header(path)
    found, _ = whole_and_error(path)
    store = Store(tmp_path / "new" / "store.db")
    conversations = Conversations(store)
    for each in found:
        assert conversations.add(each) is not None
        assert conversations.add(each) is None
    assert len(conversations.entries()) == len(kept)
    store.close()


def test_damage_within_a_value_costs_that_conversation_alone(
    kept: list[Archive], path: Path
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE message SET role = '\ufffdser' WHERE content LIKE '3-2 %'")
        connection.commit()
    found, error = whole_and_error(path)
    assert found == [each for each in kept if each.id != "k3"]
    assert error == f"{path}: conversation 4 is damaged"
