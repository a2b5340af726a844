"""G5: what a session tells its journal is on disk, in time, with every branch."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import Journal, Message, ReasoningDelta, Status, TextDelta
from cloudllm.recording import Start
from cloudllm.store.conversations import Conversations, Loaded
from tests.core.store.stored import Chat, check_file, rows, said


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    made = Journal(path, folder="/work")
    yield made
    made.close(5)


@pytest.fixture
def chat(journal: Journal) -> Chat:
    return Chat(journal)


async def loaded(journal: Journal) -> Loaded:
    key = journal.key
    assert key is not None
    return await journal.ask(lambda kept: kept.load(kept.find(key).id))


async def test_nothing_is_made_before_the_first_turn(path: Path) -> None:
    journal = Journal(path)
    journal.close(0.1)
    assert journal.key is None
    assert not path.parent.exists()


async def test_G5_the_users_message_is_on_disk_before_the_request_goes_out(
    path: Path, journal: Journal, chat: Chat
) -> None:
    await chat.begin(Start(0, (said("user", "hello"),)))
    found = rows(path, "SELECT role, status, content, owner IS NULL FROM message")
    assert found == [("user", "complete", "hello", 1), ("assistant", "streaming", "", 0)]
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


async def test_G5_a_piece_is_on_disk_in_time_even_while_the_event_loop_is_blocked(
    path: Path, journal: Journal, chat: Chat
) -> None:
    await chat.begin(Start(0, (said("user", "hello"),)))
    journal.add(TextDelta("one "))
    journal.add(TextDelta("two"))
    journal.add(ReasoningDelta("why"))
    began = time.monotonic()
    while not (found := rows(path, "SELECT number, kind, text FROM piece")):
        assert time.monotonic() < began + 10  # 0.2 s, but for a machine that does other things
        time.sleep(0.005)  # noqa: ASYNC251 - this is what is tested
    assert found == [(2, "text", "one two"), (3, "reasoning", "why")]


async def test_G5_a_turn_that_is_over_is_on_disk_whole(
    path: Path, journal: Journal, chat: Chat
) -> None:
    await chat.turn("hello\nthere", "one ", "two")
    check_file(path)
    found = await loaded(journal)
    assert found.messages == chat.history
    entry = found.entry
    assert (entry.title, entry.folder, entry.model) == ("hello", "/work", "acme/one")
    assert (entry.turns, entry.broken, entry.is_open) == (1, False, False)
    assert found.system_prompt == "Be brief."
    assert found.entry.key == journal.key


async def test_G3_a_turn_of_which_nothing_came_leaves_no_rows(
    path: Path, journal: Journal, chat: Chat
) -> None:
    await chat.turn("hello")
    assert journal.key is None
    assert rows(path, "SELECT * FROM conversation") == []
    await chat.turn("hello", "there")
    key, before = journal.key, rows(path, "SELECT * FROM message")
    for fail in (chat.turn("again"), chat.retry(), chat.go_on()):
        await fail
        assert rows(path, "SELECT * FROM message") == before
    assert journal.key == key
    check_file(path)


async def test_retry_edit_undo_and_going_on_lose_nothing(
    path: Path, journal: Journal, chat: Chat
) -> None:
    await chat.turn("one", "1")
    await chat.turn("two", "2", status=Status.PARTIAL)
    await chat.go_on(" and more")
    await chat.retry("2nd")
    chat.undo()
    await chat.turn("too", "3")
    assert (await loaded(journal)).messages == chat.history
    tree = await journal.ask(lambda kept: kept.tree(kept.entries()[0].id))
    assert [(each.parent, each.line, each.on_branch) for each in tree.nodes] == [
        (None, "one", True), (1, "1", True), (2, "two", False), (3, "2", False),
        (3, "2 and more", False), (3, "2nd", False), (2, "too", True), (7, "3", True),
    ]  # fmt: skip


async def test_the_first_message_said_anew_is_another_beginning_of_the_same_conversation(
    path: Path, journal: Journal, chat: Chat
) -> None:
    await chat.turn("one", "1")
    key = journal.key
    chat.undo()
    await journal.saved()
    assert rows(path, "SELECT head FROM conversation") == [(None,)]
    assert (await loaded(journal)).messages == ()
    await chat.turn("nothing comes")
    assert journal.key == key
    await chat.turn("two", "2")
    assert journal.key == key
    assert (await loaded(journal)).messages == chat.history
    asked = "SELECT parent, content FROM message"
    assert rows(path, asked) == [(None, "one"), (1, "1"), (None, "two"), (3, "2")]


async def test_after_the_conversation_was_cleared_one_of_its_own_begins(
    journal: Journal, chat: Chat
) -> None:
    await chat.turn("one", "1")
    first = journal.key
    chat.clear()
    assert journal.key is None
    await chat.turn("two", "2")
    entries = await journal.ask(Conversations.entries)
    assert [each.key for each in entries] == [journal.key, first]
    assert first is not None
    assert journal.key is not None
    assert first < journal.key


async def test_pins_and_messages_without_a_turn_are_kept(journal: Journal, chat: Chat) -> None:
    chat.history = (said("user", "one"), said("assistant", "1"))
    for message in chat.history:
        journal.append(message)
    await chat.turn("two", "2")
    journal.pin(2, True)
    pinned = [each.pinned for each in (await loaded(journal)).messages]
    assert pinned == [False, False, True, False]
    journal.pin(2, False)
    assert (await loaded(journal)).messages == chat.history


async def test_tool_calls_and_their_results_come_before_the_reply(
    path: Path, journal: Journal, chat: Chat
) -> None:
    start = Start(0, (said("user", "sum"),))
    await chat.begin(start)
    between = (said("assistant", "let me see"), said("user", "go on"))
    history = (*start.head, *between, said("assistant", "4"))
    journal.settle(0, history)
    await journal.saved()
    assert (await loaded(journal)).messages == history
    check_file(path)


@pytest.mark.parametrize("text", ["\x00é\x1b", "half \ud83d", "🙂" * 10_000])
async def test_any_text_is_kept(journal: Journal, chat: Chat, text: str) -> None:
    await chat.turn(text, text)
    found = [each.content for each in (await loaded(journal)).messages]
    assert found == [text] * 2


async def test_a_clock_that_is_set_back_changes_no_order(path: Path) -> None:
    times = iter(range(10_000, 0, -10))
    journal = Journal(path, clock=lambda: float(next(times)))
    for text in "abc":
        chat = Chat(journal)
        await chat.turn(text, text)
        journal.clear()
    entries = await journal.ask(Conversations.entries)
    assert [each.title for each in entries] == ["c", "b", "a"]
    journal.resume(await journal.ask(lambda kept: kept.load(entries[2].id)))
    journal.append(said("user", "x"))
    entries = await journal.ask(Conversations.entries)
    assert [each.title for each in entries] == ["a", "c", "b"]
    journal.close(5)


async def test_a_message_that_was_never_answered_is_not_kept_twice(
    path: Path, journal: Journal, chat: Chat
) -> None:
    journal.append(said("user", "hello"))
    found = await loaded(journal)
    assert (found.messages, found.unanswered) == ((), "hello")
    later = Journal(path)
    later.resume(found)
    again = Chat(later)
    await again.turn("hello", "there")
    assert rows(path, "SELECT parent, content FROM message") == [(None, "hello"), (1, "there")]
    assert (await loaded(later)).messages == again.history
    later.close(5)


STEPS = (
    "turn", "failed", "partial", "retry", "failed retry", "go on", "undo", "fork", "again", "clear",
)  # fmt: skip


async def take(chat: Chat, step: str, number: int) -> None:
    journal, text = chat.journal, f"{step} {number}"
    if step in ("turn", "failed", "partial"):
        status = Status.PARTIAL if step == "partial" else Status.COMPLETE
        await chat.turn(text, *(() if step == "failed" else ("re", text)), status=status)
    elif not chat.history:
        return
    elif step in ("retry", "failed retry"):
        await chat.retry(*(() if step == "failed retry" else (text,)))
    elif step == "go on":
        await chat.go_on(text)
    elif step == "undo":
        chat.undo()
    elif step == "clear":
        chat.clear()
    else:
        found = await loaded(journal)
        if step == "fork":
            made = await journal.ask(lambda kept: kept.fork(found.entry.id))
            found = await journal.ask(lambda kept: kept.load(made.id))
        journal.resume(found)
        assert found.messages == chat.history


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_G5_the_branch_on_disk_is_always_the_history_and_no_row_is_ever_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("data") / "store.db"

    async def live() -> None:
        chat, seen = Chat(Journal(path)), set[tuple[object, ...]]()
        for number, step in enumerate(steps):
            await take(chat, step, number)
            history: tuple[Message, ...] = ()
            if chat.journal.key is not None:
                history = (await loaded(chat.journal)).messages
            assert history == chat.history
            await chat.journal.saved()
            there = path.exists()
            now = set(rows(path, "SELECT id, parent, content FROM message") if there else ())
            assert seen <= now
            seen = now
        chat.journal.close(5)

    asyncio.run(live())


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.COMPLETE])
async def test_G5_a_reply_that_is_broken_off_is_left_as_by_a_crash_unless_it_is_whole(
    path: Path, journal: Journal, chat: Chat, status: Status
) -> None:
    start = Start(0, (said("user", "hello"),))
    await chat.begin(start)
    journal.add(TextDelta("one two"))
    journal.break_off()
    chat.settle(start, "one two", status)
    journal.close(5)
    (found,) = rows(path, "SELECT status FROM message WHERE role = 'assistant'")
    (owner,) = rows(path, "SELECT owner IS NULL FROM conversation")
    is_whole = status is Status.COMPLETE
    assert (found, owner) == (("complete" if is_whole else "streaming",), (is_whole,))
    assert rows(path, "SELECT text FROM piece") == ([] if is_whole else [("one two",)])


async def test_what_is_said_after_a_reply_was_broken_off_is_kept_as_ever(
    path: Path, journal: Journal, chat: Chat
) -> None:
    start = Start(0, (said("user", "hello"),))
    await chat.begin(start)
    journal.add(TextDelta("one"))
    journal.break_off()
    chat.settle(start, "one", Status.CANCELLED)
    await chat.turn("and then?", "two")
    found = rows(path, "SELECT status FROM message WHERE content = 'two'")
    assert found == [("complete",)]
