"""G5: a session with a journal on a real file; what is on disk is what the session knows."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import Event, Journal, LLMSession, Message, Role, Status, TextDelta, sync
from cloudllm.store.branch import Loaded
from tests.core.test_record_changes import changes, live_through
from tests.core.test_session_atomic import ACME, AT_ONCE, Fate, Fates, Turn, turns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    kept = Journal(path, folder="/somewhere")
    yield kept
    kept.close(2)


async def on_disk(journal: Journal) -> Loaded | None:
    """The conversation of a journal as it stands in the file."""
    key = journal.key
    if key is None:
        return None
    return await journal.ask(lambda conversations: conversations.load(conversations.find(key).id))


async def check(session: LLMSession) -> None:
    """What is on disk is the session's history."""
    assert isinstance(session.record, Journal)
    history = session.history  # which ends a turn that was dropped
    loaded = await on_disk(session.record)
    assert (() if loaded is None else loaded.messages) == history
    assert loaded is None or not loaded.unanswered


async def read(events: AsyncGenerator[Event, None]) -> None:
    async for _ in events:
        pass


def a_session(journal: Journal, *pieces: str) -> tuple[LLMSession, Fates]:
    gateway = Fates(Fate([TextDelta(piece) for piece in pieces or ("ok",)]))
    return LLMSession(ACME, gateway=gateway, retry=AT_ONCE, record=journal), gateway


async def test_every_change_is_on_disk(journal: Journal) -> None:
    session, gateway = a_session(journal, "The answer ", "is ")
    gateway.next.ending = "cut"
    await session.send_message(Role.USER, "one")
    await check(session)
    gateway.next = Fate([TextDelta("42.")])
    await read(session.continue_message())
    await check(session)
    assert session.history[-1].content == "The answer is 42."
    await read(session.retry_message())
    await check(session)
    session.pin(1)
    await check(session)
    session.inject_message(Message(Role.USER, "two"))
    session.inject_message(Message(Role.ASSISTANT, "injected"))
    await check(session)
    gateway.next = Fate([], "error")
    await asyncio.gather(session.send_message(Role.USER, "three"), return_exceptions=True)
    await check(session)
    assert session.undo() == "two"
    await check(session)
    key = journal.key
    session.clear_history()
    await check(session)
    gateway.next = Fate([TextDelta("new")])
    await session.send_message(Role.USER, "four")
    await check(session)
    assert journal.key != key


@settings(max_examples=8, deadline=None)
@given(st.lists(turns | changes, min_size=1, max_size=6))
def test_G5_what_is_on_disk_is_always_the_history(
    tmp_path_factory: pytest.TempPathFactory, script: list[Turn | str]
) -> None:
    async def run() -> None:
        journal = Journal(tmp_path_factory.mktemp("data") / "store.db")
        await live_through(script, journal, check)
        journal.close(2)

    asyncio.run(run())


async def test_a_conversation_is_taken_up_where_it_was_left(path: Path, journal: Journal) -> None:
    session, _ = a_session(journal)
    await session.send_message(Role.USER, "one")
    session.pin(1)
    journal.close(2)
    later = Journal(path)
    (entry,) = await later.ask(lambda conversations: conversations.entries())
    loaded = await later.ask(lambda conversations: conversations.load(entry.id))
    again, _ = a_session(later)
    again.load(loaded.messages, loaded.unanswered)
    later.resume(loaded)
    assert again.history == session.history
    await again.send_message(Role.USER, "two")
    await check(again)
    assert (len(again.history), later.key) == (4, entry.key)
    await read(again.retry_message())
    await check(again)
    later.close(2)


def test_the_blocking_session_has_one_too(path: Path) -> None:
    journal = Journal(path)
    session = sync.LLMSession(ACME, gateway=Fates(Fate([TextDelta("ok")])), record=journal)
    session.send_message(Role.USER, "one")
    assert session.undo() == "one"
    session.send_message(Role.USER, "one again")
    session.clear_history()
    session.send_message(Role.USER, "two")
    journal.close(2)
    later = Journal(path)
    found = asyncio.run(later.ask(lambda conversations: conversations.entries()))
    assert [entry.title for entry in found] == ["two", "one"]
    later.close(2)


CHAT = """
import asyncio, sys
from pathlib import Path
from cloudllm import Client, Journal, LLMSession, ModelInfo, TextDelta

class Endless:
    async def stream(self, client, request, deadlines):
        for number in range(int(sys.argv[2])):
            yield TextDelta(f"{number} ")
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    async def model_info(self, client):
        return ModelInfo(name="endless")

async def main():
    client = Client(provider="acme", label="Acme AI", model="one")
    session = LLMSession(client, gateway=Endless(), record=Journal(Path(sys.argv[1])))
    async for event in session.stream_message("user", "Count."):
        print(event.text if isinstance(event, TextDelta) else "sent", flush=True)

asyncio.run(main())
"""


def killed(path: Path, pieces: int, *, all_kept: bool) -> tuple[list[str], Loaded]:
    """What a chat showed until it was killed, in mid-stream, and what is found afterwards."""
    command = [sys.executable, "-c", CHAT, str(path), str(pieces)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as chat:
        assert chat.stdout is not None
        shown = [chat.stdout.readline().strip() for _ in range(1 + pieces)]
        while all_kept and pieces_on_disk(path) != shown[1:]:
            time.sleep(0.02)
        chat.kill()
    return shown[1:], asyncio.run(recovered(path))


def pieces_on_disk(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT text FROM piece ORDER BY number").fetchall()
    return "".join(text for (text,) in found).split()


async def recovered(path: Path) -> Loaded:
    journal = Journal(path)
    (entry,) = await journal.ask(lambda conversations: conversations.recover())
    loaded = await journal.ask(lambda conversations: conversations.load(entry.id))
    journal.close(2)
    return loaded


def test_G5_a_killed_chat_leaves_its_message_and_what_came_of_the_reply(path: Path) -> None:
    shown, loaded = killed(path, 5, all_kept=True)
    message, reply = loaded.messages
    assert (message.content, reply.status) == ("Count.", Status.PARTIAL)
    assert reply.content.split() == shown


@pytest.mark.slow
@pytest.mark.parametrize("pieces", range(0, 60, 6))
def test_G5_whenever_it_is_killed_it_leaves_a_beginning_of_what_it_showed(
    path: Path, pieces: int
) -> None:
    shown, loaded = killed(path, pieces, all_kept=False)
    if not loaded.messages:
        assert loaded.unanswered == "Count."
        return
    message, reply = loaded.messages
    assert message.content == "Count."
    kept = reply.content.split()
    assert kept == [str(number) for number in range(len(kept))]
    assert len(shown) - len(kept) <= 30  # 300 ms, one each 10 ms
    assert reply.error
