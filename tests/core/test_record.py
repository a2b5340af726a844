"""What a session tells its record of a turn: in which order, how often, and when it waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest
from pydantic import SecretStr

from cloudllm import (
    AuthenticationError,
    Client,
    ContextTooLong,
    Event,
    FellBack,
    LLMSession,
    Message,
    RateLimited,
    Request,
    RequestSent,
    Retrying,
    RetryPolicy,
    Role,
    Status,
    TextDelta,
    TurnInfo,
    UsageError,
    gateway,
)
from cloudllm.testing import Received, Reply, WireServer
from tests.core.notebooks import Notebook

QUICK = RetryPolicy(first=0.001)
TWO = ["one ", "two"]


@pytest.fixture
async def server() -> AsyncIterator[WireServer]:
    await gateway.ready()
    with WireServer() as running:
        yield running
        await gateway.close()


def a_client(server: WireServer, model: str = "some-model") -> Client:
    return Client(
        provider="work",
        label="Work",
        model=model,
        route="openai",
        api_base=server.url,
        api_key=SecretStr("sk-test"),
    )


def a_session(server: WireServer, **options: object) -> tuple[LLMSession, Notebook]:
    notebook = Notebook()
    options = {"system_prompt": "Be brief.", "retry": QUICK, "record": notebook, **options}
    return LLMSession(a_client(server), **options), notebook  # type: ignore[arg-type]


async def hear(notebook: Notebook, events: AsyncGenerator[Event, None]) -> list[Event]:
    """Read all events, and write them between the notebook's lines."""
    heard = []
    async for event in events:
        notebook.lines.append(type(event).__name__)
        heard.append(event)
    return heard


async def stop_at(session: LLMSession, kind: type[Event], *, text: str = "Hi") -> None:
    """Begin a turn and leave it at the first event of a kind."""
    events = session.stream_message(Role.USER, text)
    async for event in events:
        if isinstance(event, kind):
            break
    await events.aclose()


def contents(messages: tuple[Message, ...] | list[Message]) -> list[str]:
    return [message.content for message in messages]


async def test_G5_a_turn_is_told_from_its_beginning_to_its_end(server: WireServer) -> None:
    session, notebook = a_session(server)
    server.replies(Reply(text=TWO, reasoning=["Hm."]))
    await hear(notebook, session.stream_message(Role.USER, "Hi"))
    assert notebook.lines == [
        "begin", "RequestSent", "add Hm.", "ReasoningDelta", "add one ", "TextDelta",
        "add two", "TextDelta", "settle", "saved", "TurnFinished",
    ]  # fmt: skip
    ((start, model, system_prompt),) = notebook.starts
    assert (start.keep, start.head, start.continued) == (0, (Message(Role.USER, "Hi"),), None)
    assert (model, system_prompt) == ("work/some-model", "Be brief.")
    assert notebook.history == list(session.history)


async def test_G5_nothing_goes_out_before_the_message_is_kept(server: WireServer) -> None:
    session, notebook = a_session(server)
    notebook.gates["begin"] = asyncio.Event()
    task = asyncio.create_task(session.send_message(Role.USER, "Hi"))
    await notebook.waiting.wait()
    await asyncio.sleep(0.02)
    assert notebook.lines == ["begin"]
    assert server.requests == []
    notebook.gates["begin"].set()
    await task
    assert len(server.requests) == 1


async def test_G5_no_reply_is_called_finished_before_it_is_kept(server: WireServer) -> None:
    session, notebook = a_session(server)
    notebook.gates["saved"] = asyncio.Event()
    task = asyncio.create_task(session.send_message(Role.USER, "Hi"))
    await notebook.waiting.wait()
    assert not task.done()
    assert len(session.history) == 2
    notebook.gates["saved"].set()
    assert await task is session.history[-1]


async def test_who_stops_waiting_for_the_disk_has_the_whole_reply_still(server: WireServer) -> None:
    session, notebook = a_session(server)
    notebook.gates["saved"] = asyncio.Event()
    task = asyncio.create_task(session.send_message(Role.USER, "Hi"))
    await notebook.waiting.wait()
    task.cancel()
    await asyncio.wait({task})
    assert session.history[-1].status is Status.COMPLETE
    del notebook.gates["saved"]
    await session.send_message(Role.USER, "And now?")
    assert notebook.history == list(session.history)


async def test_a_cut_reply_is_kept_like_any_other(server: WireServer) -> None:
    session, notebook = a_session(server)
    server.replies(Reply(text=TWO, cut_after=1))
    reply = await session.send_message(Role.USER, "Hi")
    assert reply.status is Status.PARTIAL
    assert notebook.lines == ["begin", "add one ", "settle", "saved"]
    assert notebook.history[-1] == reply


async def test_G3_of_a_failed_turn_nothing_is_kept(server: WireServer) -> None:
    session, notebook = a_session(server)
    server.replies(Reply.error(401))
    with pytest.raises(AuthenticationError):
        await session.send_message(Role.USER, "Hi")
    assert notebook.lines == ["begin", "settle with nothing"]


class Vetoing:
    """Hooks that let nothing go out."""

    listening = False

    async def request(
        self, request: Request, turn: TurnInfo, check: Callable[[Request], None]
    ) -> Request:
        raise RateLimited("plugin quota: slow down")

    def event(self, event: Event, turn: TurnInfo) -> None: ...

    def reply(self, reply: Message, turn: TurnInfo) -> None: ...


async def test_what_is_refused_before_it_goes_out_is_not_told(server: WireServer) -> None:
    session, notebook = a_session(server, max_tokens=20)
    with pytest.raises(ContextTooLong):
        await session.send_message(Role.USER, "word " * 50)
    with pytest.raises(UsageError, match="blank"):
        await session.send_message(Role.USER, " ")
    vetoed, other = a_session(server, hooks=Vetoing())
    with pytest.raises(RateLimited):
        await vetoed.send_message(Role.USER, "Hi")
    assert (notebook.lines, other.lines, server.requests) == ([], [], [])


async def test_a_turn_begins_once_however_often_it_is_sent(server: WireServer) -> None:
    session, notebook = a_session(server, retry=RetryPolicy(attempts=2, first=0.001))
    session.fallback = [a_client(server, "another")]
    server.replies(Reply.error(503), Reply.error(503), Reply(text="at last"))
    events = await hear(notebook, session.stream_message(Role.USER, "Hi"))
    assert {Retrying, FellBack} < set(map(type, events))
    assert [line for line in notebook.lines if line in ("begin", "settle", "saved")] == [
        "begin", "settle", "saved",
    ]  # fmt: skip
    assert notebook.starts[0][1] == "work/some-model"
    assert notebook.history[-1].model == "work/another"


async def test_G3_a_turn_left_before_its_reply_leaves_nothing(server: WireServer) -> None:
    session, notebook = a_session(server)
    await stop_at(session, RequestSent)
    assert notebook.lines == ["begin", "settle with nothing"]


async def test_a_turn_stopped_while_its_message_is_being_kept_is_settled(
    server: WireServer,
) -> None:
    session, notebook = a_session(server)
    notebook.gates["begin"] = asyncio.Event()
    task = asyncio.create_task(session.send_message(Role.USER, "Hi"))
    await notebook.waiting.wait()
    task.cancel()
    await asyncio.wait({task})
    assert notebook.lines == ["begin", "settle with nothing"]
    assert server.requests == []


async def test_a_turn_stopped_in_its_reply_is_settled_and_not_waited_for(
    server: WireServer,
) -> None:
    session, notebook = a_session(server)
    server.replies(Reply(text=TWO, stall_after=2))
    await stop_at(session, TextDelta)
    assert notebook.lines[-1] == "settle"
    assert "saved" not in notebook.lines
    assert notebook.history[-1].status is Status.CANCELLED
    assert notebook.history == list(session.history)


async def test_a_dropped_turn_is_settled_once_before_anything_else(server: WireServer) -> None:
    session, notebook = a_session(server)
    server.replies(Reply(text=TWO, stall_after=1), Reply(text="next"))
    events = session.stream_message(Role.USER, "Hi")
    async for event in events:
        if isinstance(event, TextDelta):
            break
    session.inject_message(Message(Role.USER, "more"))
    assert [event async for event in events] == []
    assert notebook.lines == ["begin", "add one ", "settle", "append more"]


async def test_a_continued_reply_is_told_as_what_is_new_and_kept_as_a_whole(
    server: WireServer,
) -> None:
    session, notebook = a_session(server)
    text = "The quick brown fox jumps over"
    server.replies(Reply(text=[text], cut_after=1), Reply(text=["fox jumps over", " the dog."]))
    cut = await session.send_message(Role.USER, "Say it.")
    await hear(notebook, session.continue_message())
    start = notebook.starts[1][0]
    assert (start.keep, contents(list(start.head)), start.continued) == (0, ["Say it."], cut)
    assert contents(notebook.history) == ["Say it.", text + " the dog."]
    assert [piece.text for piece in notebook.pieces] == [" the dog."]


async def test_a_retried_turn_begins_where_the_old_one_did(server: WireServer) -> None:
    session, notebook = a_session(server)
    server.replies(Reply(text="a"), Reply(text="b"), Reply(text="c"), Reply.error(401))
    for text in ("one", "two"):
        await session.send_message(Role.USER, text)
    await hear(notebook, session.retry_message())
    assert notebook.starts[-1][0].keep == 2
    assert contents(notebook.history) == ["one", "a", "two", "c"]
    with pytest.raises(AuthenticationError):
        await hear(notebook, session.retry_message())
    assert notebook.lines[-1] == "settle with nothing"
    assert notebook.history == list(session.history)


async def test_a_failed_message_that_is_sent_again_begins_at_the_end(server: WireServer) -> None:
    session, notebook = a_session(server)
    server.replies(Reply(text="a"), Reply.error(401), Reply(text="b"))
    await session.send_message(Role.USER, "one")
    with pytest.raises(AuthenticationError):
        await session.send_message(Role.USER, "two")
    await hear(notebook, session.retry_message())
    assert [start.keep for start, _, _ in notebook.starts] == [0, 2, 2]
    assert contents(notebook.history) == ["one", "a", "two", "b"]


async def test_a_turn_ends_in_the_record_that_it_began_in(server: WireServer) -> None:
    session, notebook = a_session(server)
    other = Notebook()
    async for event in session.stream_message(Role.USER, "Hi"):
        if isinstance(event, RequestSent):
            session.record = other
    assert notebook.lines[-2:] == ["settle", "saved"]
    assert other.lines == []


async def test_two_sessions_at_once_do_not_mix(server: WireServer) -> None:
    def echo(request: Received) -> Reply:
        said = request.body["messages"][-1]["content"]
        return Reply(text=[f"{said} ", said], delay=0.002)

    server.default = echo
    pairs = [a_session(server) for _ in range(2)]

    async def talk(session: LLMSession, name: str) -> None:
        for number in range(3):
            await session.send_message(Role.USER, f"{name}{number}")

    await asyncio.gather(*(talk(pair[0], "ab"[n]) for n, pair in enumerate(pairs)))
    for name, (session, notebook) in zip("ab", pairs, strict=True):
        assert notebook.history == list(session.history)
        expected = [each for n in range(3) for each in (f"{name}{n}", f"{name}{n} {name}{n}")]
        assert contents(notebook.history) == expected
