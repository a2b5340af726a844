"""G5: what chats that died were receiving is found again, marked partial, and only theirs."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cloudllm import Journal, Status, TextDelta
from cloudllm.recording import Start
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.store.stored import alternating, check_file, rows, said

KILLED = """
import asyncio, sys, time
from pathlib import Path
from cloudllm import Journal, Message, ReasoningDelta, Role, TextDelta
from cloudllm.recording import Start

async def main():
    journal = Journal(Path(sys.argv[1]))
    start = Start(0, (Message(Role.USER, "next"),))
    await journal.begin(start, model="acme/one", system_prompt="")
    for delta in (ReasoningDelta("hm"), TextDelta("some "), TextDelta("text")):
        journal.add(delta)
    await journal.saved()
    print("ready", flush=True)
    time.sleep(60)

asyncio.run(main())
"""


async def dead(
    path: Path, what: str, *pieces: str, number: int = 1, folder: str = "", place: int = 0
) -> None:
    """Leave what a chat leaves that dies; the `number` that it had is nobody's."""
    journal = Journal(path, folder=folder)
    loaded = await journal.ask(lambda kept: kept.load(kept.entries()[place].id))
    journal.resume(loaded)
    keep, history = len(loaded.messages), loaded.messages
    start = Start(keep, (said("user", "next"),))
    if what == "retry":
        start = Start(keep - 2, history[-2:-1])
    if what == "continue":
        start = Start(keep - 2, history[-2:-1], history[-1])
    await journal.begin(start, model="acme/one", system_prompt="")
    for piece in pieces:
        journal.add(TextDelta(piece))
    await journal.saved()
    await journal.ask(lambda kept: _disown(path, number))


def _disown(path: Path, number: int) -> None:
    store = Store(path)
    with store.write() as connection:
        for table in ("message", "conversation"):
            connection.execute(f"UPDATE {table} SET owner = ? WHERE owner > 9", (number,))
    store.close()


def test_there_is_nothing_to_recover_at_first_and_no_file_is_made(
    path: Path, kept: Conversations
) -> None:
    assert kept.recover() == []
    assert kept.entries() == []
    assert not path.parent.exists()


def test_G5_a_broken_off_reply_appears_marked_partial_and_never_that_of_a_living_chat(
    path: Path, kept: Conversations
) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert kept.recover() == []
        assert kept.entries()[0].is_open
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (entry,) = kept.recover()
    assert (entry.broken, entry.is_open, entry.title) == (True, False, "next")
    user, reply = kept.load(entry.id).messages
    assert (user.content, reply.content, reply.reasoning) == ("next", "some text", "hm")
    assert (reply.status, reply.model) == (Status.PARTIAL, "acme/one")
    assert reply.error == "the chat ended while it was coming in"
    assert kept.recover() == []
    check_file(path)
    assert rows(path, "SELECT count(*) FROM searchable") == [(2,)]


async def test_G5_a_message_that_nothing_came_to_stays_unanswered(
    path: Path, kept: Conversations
) -> None:
    kept.add(alternating("one", "1"))
    await dead(path, "new")
    (entry,) = kept.recover()
    found = kept.load(entry.id)
    assert ([each.content for each in found.messages], found.unanswered) == (["one", "1"], "next")
    await dead(path, "new", "answer")
    (entry,) = kept.recover()
    found = kept.load(entry.id)
    assert [each.content for each in found.messages] == ["one", "1", "next", "answer"]
    assert rows(path, "SELECT count(*) FROM message") == [(4,)]
    check_file(path)


@pytest.mark.parametrize("what", ["retry", "continue"])
async def test_G5_an_old_reply_stays_if_nothing_took_its_place(
    path: Path, kept: Conversations, what: str
) -> None:
    kept.add(alternating("one", "1"))
    await dead(path, what)
    (entry,) = kept.recover()
    assert [each.content for each in kept.load(entry.id).messages] == ["one", "1"]
    assert rows(path, "SELECT count(*) FROM message") == [(2,)]
    await dead(path, what, " more")
    (entry,) = kept.recover()
    content = "1 more" if what == "continue" else " more"
    assert [each.content for each in kept.load(entry.id).messages] == ["one", content]
    assert rows(path, "SELECT count(*) FROM message") == [(3,)]
    check_file(path)


async def test_of_two_chats_that_died_the_last_one_has_the_branch_in_use(
    path: Path, kept: Conversations
) -> None:
    kept.add(alternating("one", "1"))
    for number, piece in enumerate(("first", "second"), start=1):
        await dead(path, "new", piece, number=number)
    (entry,) = kept.recover()
    assert kept.load(entry.id).messages[-1].content == "second"
    assert [each.line for each in kept.tree(entry.id).nodes] == [
        "one", "1", "next", "first", "next", "second",
    ]  # fmt: skip
    check_file(path)


async def test_two_that_start_at_once_recover_it_once(path: Path, kept: Conversations) -> None:
    kept.add(alternating("one", "1"))
    await dead(path, "new", "text")
    other = Store(path)
    assert [len(kept.recover()), len(Conversations(other).recover())] == [1, 0]
    other.close()


async def test_G5_what_was_broken_off_is_known_until_somebody_goes_on_with_it(
    path: Path, kept: Conversations
) -> None:
    kept.add(replace(alternating("one", "1"), folder="/work"))
    assert kept.broken("/work") is None
    await dead(path, "new", "text")
    kept.recover()
    entry = kept.broken("/work")
    assert entry is not None
    assert entry.broken
    assert kept.broken("/other") is None
    assert kept.broken("/work") == entry
    journal = Journal(path)
    journal.resume(kept.load(entry.id))
    await journal.saved()
    assert kept.broken("/work") is None
    journal.close(5)
    assert kept.broken("/work") is None


async def test_G5_what_was_broken_off_in_another_folder_than_its_own_is_known_in_both(
    path: Path, kept: Conversations
) -> None:
    kept.add(replace(alternating("one", "1"), folder="/own"))
    kept.add(replace(alternating("other", "1"), folder="/work"))
    await dead(path, "new", "text", folder="/work", place=1)
    (entry,) = kept.recover()
    assert kept.broken("/work") == kept.broken("/own") == entry


@pytest.mark.parametrize(("what", "found"), [("new", True), ("retry", False)])
async def test_G5_a_message_without_a_reply_was_broken_off_and_an_old_reply_was_not(
    path: Path, kept: Conversations, what: str, found: bool
) -> None:
    kept.add(replace(alternating("one", "1"), folder="/work"))
    await dead(path, what)
    kept.recover()
    assert (kept.broken("/work") is not None) is found


async def test_a_chat_that_was_killed_between_two_turns_broke_nothing_off(
    path: Path, kept: Conversations
) -> None:
    kept.add(replace(alternating("one", "1"), folder="/work"))
    await dead(path, "new", "text")
    kept.recover()
    with Store(path).write() as connection:
        connection.execute("UPDATE message SET details = '{}' WHERE status = 'partial'")
    assert kept.broken("/work") is None


async def test_half_characters_and_nulls_of_a_broken_off_reply_are_kept(
    path: Path, kept: Conversations
) -> None:
    kept.add(alternating("one", "1"))
    await dead(path, "turn", "a\0b \ud83d", "\ude00 \udfff")
    assert [entry.broken for entry in kept.recover()] == [True]
    assert kept.load(1).messages[-1].content == "a\0b \U0001f600 \udfff"
    check_file(path)
