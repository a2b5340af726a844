"""Sessions through the real gateway, to a server on the loopback interface that misbehaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import SecretStr

from cloudllm import (
    AuthenticationError,
    Client,
    Deadlines,
    LLMSession,
    Role,
    Status,
    TextDelta,
    Usage,
    gateway,
)
from cloudllm import sync as blocking
from cloudllm.testing import Reply, WireServer


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


@pytest.fixture
def client(server: WireServer) -> Client:
    return Client(
        provider="work",
        label="Work",
        model="some-model",
        route="openai",
        api_base=server.url,
        api_key=SecretStr("sk-test"),
    )


@pytest.fixture
async def session(client: Client) -> AsyncIterator[LLMSession]:
    yield LLMSession(client, system_prompt="Be brief.")
    await gateway.close()


async def test_a_conversation_over_the_wire(server: WireServer, session: LLMSession) -> None:
    server.replies(Reply(text="First."), Reply(text="Second.", reasoning="Hm."))
    await session.send_message(Role.USER, "one")
    reply = await session.send_message(Role.USER, "two")
    assert (reply.content, reply.reasoning, reply.status) == ("Second.", "Hm.", Status.COMPLETE)
    assert session.usage == Usage(input_tokens=14, output_tokens=10)
    assert [message["content"] for message in server.requests[-1].body["messages"]] == [
        "Be brief.",
        "one",
        "First.",
        "two",
    ]


async def test_G3_a_refused_key_leaves_nothing_behind(
    server: WireServer, session: LLMSession
) -> None:
    server.replies(Reply.error(401))
    with pytest.raises(AuthenticationError):
        await session.send_message(Role.USER, "one")
    assert session.history == ()


@pytest.mark.parametrize("cut", ["end", "close", "reset"])
async def test_G10_a_cut_stream_is_kept_and_marked_partial(
    server: WireServer, session: LLMSession, cut: str
) -> None:
    server.replies(Reply(text="one two three four", cut_after=3, cut=cut))  # type: ignore[arg-type]
    reply = await session.send_message(Role.USER, "count")
    assert reply.status is Status.PARTIAL
    assert reply.content.startswith("one two")
    assert reply.error
    assert reply.usage is not None
    assert reply.usage.estimated


async def test_G12_cancelling_closes_the_connection_within_200_ms(
    server: WireServer, session: LLMSession
) -> None:
    server.replies(Reply(text="one two three", stall_after=2))
    seen = asyncio.Event()

    async def read() -> None:
        async for event in session.stream_message(Role.USER, "count"):
            if isinstance(event, TextDelta):
                seen.set()

    task = asyncio.create_task(read())
    await seen.wait()
    start = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert session.history[-1].status is Status.CANCELLED
    assert await asyncio.to_thread(server.wait_for_disconnects)
    assert time.perf_counter() - start < 0.2


async def test_a_stalled_stream_is_partial_once_the_gap_is_too_long(
    server: WireServer, session: LLMSession
) -> None:
    server.replies(Reply(text="one two three", stall_after=2))
    session.deadlines = Deadlines(gap=0.2)
    reply = await session.send_message(Role.USER, "count")
    assert reply.status is Status.PARTIAL


async def test_G4_a_context_error_over_the_wire_causes_one_new_plan(
    server: WireServer, session: LLMSession
) -> None:
    for number in range(4):
        await session.send_message(Role.USER, f"{number} " + "word " * 50)
    message = "This model's maximum context length is 200 tokens. However, you sent 300."
    server.replies(Reply.error(400, message, code="context_length_exceeded"), Reply(text="Fits."))
    reply = await session.send_message(Role.USER, "last")
    assert reply.content == "Fits."
    refused, sent = server.requests[-2:]
    assert len(sent.body["messages"]) < len(refused.body["messages"])


def test_the_blocking_session_talks_over_the_wire(server: WireServer, client: Client) -> None:
    server.default = Reply(text="Hello from afar.")
    session = blocking.LLMSession(client)
    assert session.send_message(Role.USER, "Hi").content == "Hello from afar."
    deltas = [e.text for e in session.stream_message(Role.USER, "Hi") if isinstance(e, TextDelta)]
    assert "".join(deltas) == "Hello from afar."
    blocking.shutdown()
