"""What a session tells its record of changes without a turn; and G5: from these words alone the
history can be had again, whatever happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import LLMSession, Message, Role, TextDelta, UsageError, sync
from cloudllm.recording import Record
from tests.core.notebooks import Notebook
from tests.core.test_session_atomic import ACME, AT_ONCE, Fate, Fates, Turn, read, turns

ASK, ANSWER = Message(Role.USER, "ask"), Message(Role.ASSISTANT, "answer")


def a_session() -> tuple[LLMSession, Notebook]:
    notebook = Notebook()
    session = LLMSession(ACME, gateway=Fates(Fate([TextDelta("ok")])), record=notebook)
    return session, notebook


def test_changes_are_told_even_where_no_loop_runs() -> None:
    session, notebook = a_session()
    for message in (ASK, ANSWER, ASK, ANSWER):
        session.inject_message(message)
    session.pin(2)
    session.pin(1)
    session.pin(1, pinned=False)
    assert session.undo() == "ask"
    session.clear_history()
    assert session.undo() is None
    assert notebook.lines[4:] == ["pin 2", "pin 0", "unpin 0", "cut 2", "clear"]


def test_what_cannot_be_done_is_not_told() -> None:
    session, notebook = a_session()
    for wrong in (partial(session.pin, 1), partial(session.inject_message, ANSWER)):
        with pytest.raises(UsageError):
            wrong()
    assert session.undo() is None
    assert notebook.lines == []


async def test_a_record_may_come_and_go() -> None:
    session, notebook = a_session()
    session.record = None
    await session.send_message(Role.USER, "one")
    session.record = Notebook()
    session.clear_history()
    assert (notebook.lines, session.record.lines) == ([], ["clear"])


def test_the_blocking_session_tells_the_same() -> None:
    notebook = Notebook()
    session = sync.LLMSession(ACME, gateway=Fates(Fate([TextDelta("ok")], "cut")), record=notebook)
    session.send_message(Role.USER, "one")
    session.load([ASK], "")
    session.inject_message(ANSWER)
    assert notebook.lines == ["begin", "add ok", "settle", "saved", "append answer"]
    assert session.record is notebook
    assert session.history == (ASK, ANSWER)


changes = st.sampled_from(["undo", "clear", "inject", "pin", "continue"])


@settings(max_examples=25)
@given(st.lists(turns | changes, min_size=1, max_size=8))
def test_G5_the_history_always_follows_from_what_was_told(script: list[Turn | str]) -> None:
    notebook = Notebook()

    async def check(session: LLMSession) -> None:
        history = session.history  # which ends a turn that was dropped
        assert texts(notebook.history) == texts(history)
        assert notebook.lines.count("begin") == sum(map(is_settling, notebook.lines))

    asyncio.run(live_through(script, notebook, check))


async def live_through(
    script: list[Turn | str], record: Record, check: Callable[[LLMSession], Awaitable[None]]
) -> None:
    """Do all of that in one session, and check it after each step."""
    gateway = Fates(Fate([]))
    session = LLMSession(ACME, gateway=gateway, retry=AT_ONCE, record=record)
    held: list[object] = []
    for number, step in enumerate(script):
        if isinstance(step, str):
            change(session, step, number)
            if step == "continue":
                gateway.next = Fate([TextDelta("more")])
                await asyncio.gather(go_on(session), return_exceptions=True)
        else:
            await live(session, gateway, step, f"message {number}", held)
        await check(session)
    held.clear()
    await asyncio.sleep(0.001)


async def live(
    session: LLMSession, gateway: Fates, turn: Turn, text: str, held: list[object]
) -> None:
    """Run a turn as far as it comes, and have it stopped where it hangs."""
    gateway.next = turn.fate
    gateway.hanging.clear()
    again = turn.retry and bool(session.history)
    stream = session.retry_message if again else partial(session.stream_message, "user", text)
    reader = asyncio.create_task(read(stream, turn, held))
    hang = asyncio.create_task(gateway.hanging.wait())
    await asyncio.wait({reader, hang}, return_when=asyncio.FIRST_COMPLETED)
    hang.cancel()
    reader.cancel()
    await asyncio.gather(reader, hang, return_exceptions=True)


def change(session: LLMSession, name: str, number: int) -> None:
    if name == "undo":
        session.undo()
    elif name == "clear":
        session.clear_history()
    elif name == "inject":
        session.inject_message(Message(Role.USER, f"injected {number}"))
        session.inject_message(ANSWER)
    elif name == "pin" and session.history:
        session.pin()


async def go_on(session: LLMSession) -> None:
    async for _ in session.continue_message():
        pass


def texts(messages: Sequence[Message]) -> list[tuple[str, str, str]]:
    return [(str(each.role), each.content, str(each.status)) for each in messages]


def is_settling(line: object) -> bool:
    return str(line).startswith("settle")
