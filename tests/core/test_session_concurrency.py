"""Many sessions on one client, many tasks and loops on one session."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from cloudllm import (
    Client,
    Deadlines,
    Event,
    LLMSession,
    ModelInfo,
    Request,
    Role,
    Status,
    StreamEnded,
    StreamEvent,
    TextDelta,
    TurnFinished,
    Usage,
    UsageError,
)

ACME = Client(provider="acme", label="Acme AI", model="one")


class Echo:
    """A gateway that answers with the question, slowly; its usage is what the question says."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        question = request.messages[-1].content
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for word in question.split():
                await asyncio.sleep(0.001)
                yield TextDelta(word + " ")
            number = int(question.split()[-1])
            yield StreamEnded("stop", Usage(input_tokens=number, output_tokens=1))
        finally:
            self.running -= 1

    async def model_info(self, client: Client) -> ModelInfo:
        return ModelInfo(name=client.model)


async def test_G10_200_sessions_on_one_client_never_mix() -> None:
    gateway = Echo()
    sessions = [LLMSession(ACME, gateway=gateway) for _ in range(200)]

    async def chat(number: int, session: LLMSession) -> None:
        for turn in range(3):
            reply = await session.send_message(Role.USER, f"session {number}")
            assert reply.content == f"session {number} "
            assert reply.usage == Usage(input_tokens=number, output_tokens=1)
            assert session.usage.input_tokens == number * (turn + 1)

    await asyncio.gather(*(chat(number, session) for number, session in enumerate(sessions)))
    assert gateway.most > 100
    assert [session.usage.input_tokens for session in sessions] == [3 * n for n in range(200)]


async def test_turns_of_several_tasks_on_one_session_follow_each_other() -> None:
    gateway = Echo()
    session = LLMSession(ACME, gateway=gateway)
    await asyncio.gather(*(session.send_message(Role.USER, f"turn {n}") for n in range(20)))
    assert gateway.most == 1
    contents = [message.content for message in session.history]
    assert contents[1::2] == [content + " " for content in contents[::2]]
    assert sorted(contents[::2]) == sorted(f"turn {n}" for n in range(20))


async def test_streams_made_in_one_task_and_read_in_others_wait_too() -> None:
    session = LLMSession(ACME, gateway=Echo())

    async def read(number: int) -> Status:
        async for event in streams[number]:
            if isinstance(event, TurnFinished):
                return event.reply.status
        raise AssertionError

    streams = [session.stream_message(Role.USER, f"one two three {n}") for n in range(3)]
    assert await asyncio.gather(*map(read, range(3))) == [Status.COMPLETE] * 3


async def test_a_stream_read_through_a_task_per_event_stays_whole() -> None:
    session = LLMSession(ACME, gateway=Echo())
    stream = session.stream_message(Role.USER, "one two 3")

    async def step() -> Event:
        return await anext(stream)

    while not isinstance(await asyncio.create_task(step()), TurnFinished):
        assert session.history == ()
    assert session.history[-1].content == "one two 3 "


async def test_a_waiting_turn_starts_when_the_task_before_it_dies() -> None:
    session = LLMSession(ACME, gateway=Echo())
    held = []

    async def leave() -> None:
        stream = session.stream_message(Role.USER, "one two 3")
        held.append(stream)
        for _ in range(2):
            await anext(stream)
        await asyncio.sleep(0.01)

    leaver = asyncio.create_task(leave())
    await asyncio.sleep(0.005)
    async with asyncio.timeout(1):
        reply = await session.send_message(Role.USER, "next 4")
    await leaver
    assert reply.content == "next 4 "
    assert [m.content for m in session.history] == ["one two 3", "one ", "next 4", "next 4 "]
    assert session.history[1].status is Status.CANCELLED


async def test_cancelling_a_turn_that_waits_changes_nothing() -> None:
    session = LLMSession(ACME, gateway=Echo())
    first = asyncio.create_task(session.send_message(Role.USER, "a b c d 5"))
    await asyncio.sleep(0.002)
    second = asyncio.create_task(session.send_message(Role.USER, "never 6"))
    await asyncio.sleep(0)
    second.cancel()
    assert (await first).status is Status.COMPLETE
    assert second.cancelled()
    assert [m.content for m in session.history] == ["a b c d 5", "a b c d 5 "]


def test_a_session_serves_one_event_loop_after_another() -> None:
    session = LLMSession(ACME, gateway=Echo())
    for number in range(3):
        asyncio.run(_send(session, f"loop {number}"))
    assert len(session.history) == 6


def test_a_turn_left_open_in_a_loop_that_is_gone_is_kept_as_cancelled() -> None:
    session = LLMSession(ACME, gateway=Echo())
    loop = asyncio.new_event_loop()
    stream = session.stream_message(Role.USER, "one two 3")
    for _ in range(2):
        loop.run_until_complete(anext(stream))
    loop.close()
    asyncio.run(_send(session, "next 4"))
    assert [m.content for m in session.history] == ["one two 3", "one ", "next 4", "next 4 "]


def test_two_running_loops_at_once_are_refused_in_one_line() -> None:
    session = LLMSession(ACME, gateway=Echo())
    started, finish = threading.Event(), threading.Event()

    async def hold() -> None:
        async for _ in session.stream_message(Role.USER, "one two 3"):
            started.set()
            await asyncio.to_thread(finish.wait)

    thread = threading.Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    started.wait()
    try:
        with pytest.raises(UsageError, match="two running event loops"):
            asyncio.run(_send(session, "next 4"))
    finally:
        finish.set()
        thread.join()
    assert session.history[-1].content == "one two 3 "


async def _send(session: LLMSession, text: str) -> None:
    await session.send_message(Role.USER, text)
