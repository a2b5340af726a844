"""G5: whatever the disk does, a chat goes on, is told once, and everything is saved in the end."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm import Journal, TextDelta
from cloudllm.recording import Start
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.kept import ELSEWHERE
from tests.core.store.stored import Chat, alternating, check_file, rows, said

HELD = "another program holds it. End the other program, then try again"
AGAIN = "The conversation is saved again"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def chat(path: Path, told: list[str]) -> AsyncIterator[Chat]:
    journal = Journal(path, patience=0.05)
    journal.listen(told.append)
    yield Chat(journal)
    journal.close(5)


async def check(chat: Chat, path: Path) -> None:
    check_file(path)
    assert chat.journal.key is not None
    key = chat.journal.key
    found = await chat.journal.ask(lambda kept: kept.load(kept.find(key).id))
    assert found.messages == chat.history


async def test_G5_while_another_program_holds_the_file_the_chat_goes_on(
    path: Path, chat: Chat, told: list[str]
) -> None:
    await chat.turn("one", "1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await chat.turn("two", "2")
        await chat.retry("2nd")
        chat.undo()
        await chat.turn("three", "3")
        (line,) = told
        assert line == f"The conversation is not saved: {path}: {HELD}"
        other.execute("ROLLBACK")
    await chat.turn("four", "4")
    assert told[1:] == [AGAIN]
    await check(chat, path)
    contents = [text for (text,) in rows(path, "SELECT content FROM message ORDER BY id")]
    assert contents == ["one", "1", "two", "2", "2nd", "three", "3", "four", "4"]


async def test_G5_what_could_not_be_written_is_tried_again_while_a_reply_comes_in(
    path: Path, chat: Chat, told: list[str]
) -> None:
    await chat.turn("one", "1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await chat.begin(Start(2, (said("user", "two"),)))
        chat.journal.add(TextDelta("coming"))
        await asyncio.sleep(0.3)
        other.execute("ROLLBACK")
    end = time.monotonic() + 10
    while not rows(path, "SELECT 1 FROM piece"):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.02)
    assert told[1:] == [AGAIN]


async def test_G5_what_could_not_be_written_is_tried_again_even_if_nothing_more_is_said(
    path: Path, chat: Chat, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudllm.store.journal._LONG_PAUSE", 0.05)
    await chat.turn("one", "1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await chat.turn("two", "2")
        other.execute("ROLLBACK")
    end = time.monotonic() + 10
    while told[1:] != [AGAIN]:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    assert len(rows(path, "SELECT 1 FROM message")) == 4


async def test_G5_after_a_failure_a_piece_is_on_disk_in_time_again(
    path: Path, chat: Chat, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudllm.store.journal._LONG_PAUSE", 60)
    await chat.turn("one", "1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await chat.turn("two", "2")
        assert told
        other.execute("ROLLBACK")
    await chat.begin(Start(4, (said("user", "three"),)))
    chat.journal.add(TextDelta("coming"))
    end = time.monotonic() + 10
    while not rows(path, "SELECT 1 FROM piece"):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("when", ["between turns", "while a reply comes in"])
async def test_G5_after_the_file_was_set_aside_the_whole_conversation_is_in_the_new_one(
    path: Path, chat: Chat, told: list[str], when: str
) -> None:
    await chat.turn("one", "1")
    await chat.turn("two", "2")
    start = Start(4, (said("user", "three"),))
    if when != "between turns":
        await chat.begin(start)
        chat.journal.add(TextDelta("a"))
        await asyncio.sleep(0.25)
    for each in path.parent.glob("store.db*"):
        each.unlink()
    # The ids of the old file are those of others in the new one.
    Conversations(Store(path)).add(alternating("a", "b", "c", "d", "e", "f"))
    if when == "between turns":
        await chat.begin(start)
        chat.journal.add(TextDelta("a"))
    chat.journal.add(TextDelta("b"))
    await asyncio.sleep(0.25)
    assert rows(path, "SELECT text FROM piece") == [("ab",)]
    chat.settle(start, "ab")
    await chat.journal.saved()
    await check(chat, path)
    assert told == []


async def test_G5_a_damaged_file_is_set_aside_and_said_so_and_nothing_of_this_chat_is_lost(
    path: Path, chat: Chat, told: list[str]
) -> None:
    await chat.turn("one", "1")
    await chat.journal.ask(lambda kept: kept._store.close())
    path.write_bytes(b"no database at all" * 500)  # noqa: ASYNC240 - a small file
    await chat.turn("two", "2")
    (line,) = told
    assert "was damaged; it is kept as store.db.damaged-" in line
    await check(chat, path)


async def test_G5_a_conversation_that_was_deleted_elsewhere_is_written_anew(
    path: Path, chat: Chat, told: list[str]
) -> None:
    await chat.turn("one", "1")
    other = Conversations(Store(path))
    other.delete([other.entries()[0].id])
    await chat.turn("two", "2")
    await check(chat, path)
    assert told == []


async def test_G5_a_folder_that_cannot_be_made_stops_nobody(
    tmp_path: Path, told: list[str]
) -> None:
    (tmp_path / "data").touch()
    journal = Journal(tmp_path / "data" / "store.db")
    journal.listen(told.append)
    chat = Chat(journal)
    await chat.turn("one", "1")
    await chat.turn("two", "2")
    assert len(told) == 1
    (tmp_path / "data").unlink()
    journal.close(5)
    assert told[1:] == [AGAIN]
    check_file(tmp_path / "data" / "store.db")
    assert len(rows(tmp_path / "data" / "store.db", "SELECT * FROM message")) == 4


async def test_a_turn_waits_for_the_disk_for_a_second_at_most(path: Path) -> None:
    journal = Journal(path, patience=30)
    chat = Chat(journal)
    await chat.turn("one", "1")
    with Store(path).write():
        began = time.monotonic()
        await chat.begin(Start(2, (said("user", "two"),)))
        assert time.monotonic() - began < 10
    chat.settle(Start(2, (said("user", "two"),)), "2")
    await journal.saved()
    await check(chat, path)
    journal.close(5)


async def test_two_chats_on_one_conversation_are_two_branches_and_told_so_once(
    path: Path, chat: Chat, told: list[str]
) -> None:
    await chat.turn("one", "1")
    key = chat.journal.key
    assert key is not None
    other = Chat(Journal(path))
    other_told: list[str] = []
    other.journal.listen(other_told.append)
    loaded = await other.journal.ask(lambda kept: kept.load(kept.find(key).id))
    other.journal.resume(loaded)
    other.history = loaded.messages
    for number in range(2):
        await other.turn(f"there {number}", "yes")
        await chat.turn(f"here {number}", "no")
    assert told == other_told == [ELSEWHERE]
    await check(chat, path)
    tree = await chat.journal.ask(lambda kept: kept.tree(loaded.entry.id))
    used = [each.line for each in tree.nodes if each.on_branch]
    assert used == ["one", "1", "here 0", "no", "here 1", "no"]
    assert len(tree.nodes) == 10
    other.journal.close(5)


async def test_the_end_is_told_what_is_not_saved_and_does_not_wait_for_ever(
    path: Path, told: list[str]
) -> None:
    journal = Journal(path, patience=0.05)
    journal.listen(told.append)
    with Store(path).write():
        await Chat(journal).turn("one", "1")
        began = time.monotonic()
        journal.close(0.4)
        assert time.monotonic() - began < 5
    assert len(told) == 1
    journal.close(5)
    assert told[1:] == [AGAIN]
