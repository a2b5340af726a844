"""G3: a turn is atomic, wherever it fails, is cut, is cancelled or is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import (
    Client,
    Deadlines,
    Event,
    InvalidResponse,
    LLMSession,
    Message,
    ModelInfo,
    ReasoningDelta,
    Request,
    RetryPolicy,
    Role,
    ServerError,
    Status,
    StreamEnded,
    StreamEvent,
    TextDelta,
    TurnFinished,
    Usage,
    UsageError,
)

ACME = Client(provider="acme", label="Acme AI", model="one")
END = StreamEnded("stop", Usage(input_tokens=7, output_tokens=3))
AT_ONCE = RetryPolicy(first=0.0)
Ending = Literal["stop", "cut", "error", "bug", "hang", "nothing"]


@dataclass
class Fate:
    """What comes of one request: pieces of a reply, then an end."""

    pieces: list[StreamEvent]
    ending: Ending = "stop"

    async def play(self, hanging: asyncio.Event) -> AsyncGenerator[StreamEvent, None]:
        for piece in self.pieces:
            yield piece
        match self.ending:
            case "stop":
                yield END
            case "cut":
                yield StreamEnded(None)
            case "error":
                raise ServerError("it broke\nin two lines")
            case "bug":
                raise ZeroDivisionError
            case "hang":
                hanging.set()
                await asyncio.Event().wait()


@dataclass
class Fates:
    """A gateway whose next request meets the fate `next`; knows how many streams are open."""

    next: Fate
    open: int = 0
    hanging: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Request] = field(default_factory=list)

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.requests.append(request)
        self.open += 1
        try:
            async with aclosing(self.next.play(self.hanging)) as events:
                async for event in events:
                    yield event
        finally:
            self.open -= 1

    async def model_info(self, client: Client) -> ModelInfo:
        return ModelInfo(name=client.model)


@dataclass
class Turn:
    """One thing a person does: send or retry, meet a fate, and perhaps leave early in some way."""

    fate: Fate
    retry: bool
    leave_after: int | None
    leave_by: Literal["aclose", "drop", "hold", "cancel"]

    @property
    def leaves(self) -> bool:
        return self.leave_after is not None and self.leave_after <= len(self.fate.pieces)

    @property
    def seen(self) -> list[StreamEvent]:
        return self.fate.pieces[: self.leave_after] if self.leaves else self.fate.pieces

    @property
    def status(self) -> Status | None:
        """How the reply ends, or `None` if there is none to keep."""
        if self.leaves or self.fate.ending == "hang":
            return Status.CANCELLED if self.seen else None
        if self.fate.ending == "stop":
            return Status.COMPLETE
        return Status.PARTIAL if self.seen else None

    @property
    def error(self) -> type[BaseException] | None:
        """What the reader is told by an exception."""
        if self.leaves or self.fate.ending in ("stop", "hang"):
            return None
        if self.fate.ending == "bug":
            return ZeroDivisionError
        if self.seen:
            return None
        return ServerError if self.fate.ending == "error" else InvalidResponse


pieces = st.lists(
    st.builds(TextDelta, st.sampled_from(["a", "b ", "\n"]))
    | st.builds(ReasoningDelta, st.sampled_from(["hm", " so"])),
    max_size=4,
)
turns = st.builds(
    Turn,
    fate=st.builds(
        Fate, pieces, st.sampled_from(["stop", "cut", "error", "bug", "hang", "nothing"])
    ),
    retry=st.booleans(),
    leave_after=st.none() | st.integers(min_value=0, max_value=4),
    leave_by=st.sampled_from(["aclose", "drop", "hold", "cancel"]),
)


@given(st.lists(turns, min_size=1, max_size=6))
def test_G3_the_history_is_always_what_was_kept_and_nothing_else(script: list[Turn]) -> None:
    asyncio.run(live_through(script))


async def live_through(script: list[Turn]) -> None:
    gateway = Fates(Fate([]))
    session = LLMSession(ACME, gateway=gateway, retry=AT_ONCE)
    expected: list[tuple[str, str, str, Status]] = []
    spent = Usage()
    failed: str | None = None
    held: list[object] = []
    for number, turn in enumerate(script):
        gateway.next = turn.fate
        gateway.hanging.clear()
        retry = turn.retry and bool(expected or failed)
        again = retry and failed is None
        text = (failed or expected[-2][1]) if retry else f"message {number}"
        stream = session.retry_message if retry else partial(session.stream_message, "user", text)
        reader = asyncio.create_task(read(stream, turn, held))
        del stream
        hang = asyncio.create_task(gateway.hanging.wait())
        await asyncio.wait({reader, hang}, return_when=asyncio.FIRST_COMPLETED)
        hang.cancel()
        reader.cancel()
        await asyncio.gather(reader, hang, return_exceptions=True)
        if not again:
            failed = text if turn.status is None else None
        if turn.status is not None:
            failed = None
            expected[len(expected) - 2 * again :] = [
                ("user", text, "", Status.COMPLETE),
                ("assistant", *told(turn.seen), turn.status),
            ]
            spent += session.history[-1].usage or Usage()
        assert raised(reader) is turn.error
        assert described(session.history) == expected
        assert session.usage == spent
        check_invariants(session)
    held.clear()
    async with asyncio.timeout(20):
        while gateway.open:  # noqa: ASYNC110 - a stream that is closed sends no event
            await asyncio.sleep(0)


async def read(
    start: Callable[[], AsyncGenerator[Event, None]], turn: Turn, held: list[object]
) -> None:
    """Read a stream as far as the turn says and leave it the way the turn says."""
    stream = start()
    async with aclosing(stream) if turn.leave_by == "aclose" else nullcontext():
        seen = -1
        async for event in stream:
            seen += 1
            if turn.leaves and seen == turn.leave_after:
                break
            assert not isinstance(event, TurnFinished) or seen == len(turn.fate.pieces) + 1
        if turn.leave_by == "hold":
            held.append(stream)
        if turn.leaves and turn.leave_by == "cancel":
            raise asyncio.CancelledError


def raised(task: asyncio.Task[None]) -> type[BaseException] | None:
    error = None if task.cancelled() else task.exception()
    return type(error) if error else None


def told(seen: list[StreamEvent]) -> tuple[str, str]:
    text = "".join(event.text for event in seen if isinstance(event, TextDelta))
    return text, "".join(event.text for event in seen if isinstance(event, ReasoningDelta))


def described(history: tuple[Message, ...]) -> list[tuple[str, str, str, Status]]:
    return [(str(m.role), m.content, m.reasoning, m.status) for m in history]


def check_invariants(session: LLMSession) -> None:
    history = session.history
    assert not history or history[0].role is Role.USER
    assert all(left.role is not right.role for left, right in pairwise(history))
    for reply in history[1::2]:
        assert reply.usage is not None
        assert reply.usage.estimated == (reply.finish_reason is None)
        assert (reply.error is None) == (reply.status is Status.COMPLETE)
        assert "\n" not in (reply.error or "")
    assert session.usage.total_tokens >= sum(m.usage.total_tokens for m in history if m.usage)


def a_session(fate: Fate) -> tuple[LLMSession, Fates]:
    gateway = Fates(fate)
    return LLMSession(ACME, gateway=gateway, retry=AT_ONCE), gateway


LONG = Fate([TextDelta("some "), TextDelta("text")], "hang")


async def test_G3_a_cut_reply_is_returned_marked_partial_with_its_cause() -> None:
    session, gateway = a_session(Fate([TextDelta("half")], "error"))
    reply = await session.send_message(Role.USER, "Hi")
    assert (reply.content, reply.status) == ("half", Status.PARTIAL)
    assert (reply.error, reply.finish_reason) == ("it broke in two lines", None)
    gateway.next = Fate([TextDelta("half")], "cut")
    reply = await session.send_message(Role.USER, "Again")
    assert (reply.status, reply.error) == (
        Status.PARTIAL,
        "the stream ended without a finish reason",
    )


async def test_G10_a_stream_without_a_finish_reason_is_never_complete() -> None:
    session, _ = a_session(Fate([], "cut"))
    with pytest.raises(InvalidResponse, match="acme/one ended the stream before"):
        await session.send_message(Role.USER, "Hi")
    assert session.history == ()


async def test_G12_a_cancelled_turn_ends_within_200_ms_and_keeps_what_came() -> None:
    session, gateway = a_session(LONG)
    task = asyncio.create_task(session.send_message(Role.USER, "Hi"))
    await gateway.hanging.wait()
    start = time.perf_counter()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.perf_counter() - start < 0.2
    reply = session.history[-1]
    assert (reply.content, reply.status) == ("some text", Status.CANCELLED)
    assert reply.usage is not None
    assert reply.usage.estimated
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens == 2
    assert gateway.open == 0


async def test_a_timeout_around_a_turn_is_a_cancellation() -> None:
    session, _ = a_session(LONG)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await session.send_message(Role.USER, "Hi")
    assert session.history[-1].status is Status.CANCELLED


async def test_breaking_off_shows_in_the_history_at_once() -> None:
    session, _ = a_session(LONG)
    async for event in session.stream_message(Role.USER, "Hi"):
        if isinstance(event, TextDelta):
            break
    assert described(session.history)[-1] == ("assistant", "some ", "", Status.CANCELLED)


async def test_a_stream_left_open_by_the_same_task_is_closed_by_its_next_turn() -> None:
    session, gateway = a_session(LONG)
    stream = session.stream_message(Role.USER, "one")
    for _ in range(2):
        await anext(stream)
    gateway.next = Fate([TextDelta("done")])
    await session.send_message(Role.USER, "two")
    assert [event async for event in stream] == []
    assert [text for _, text, _, _ in described(session.history)] == ["one", "some ", "two", "done"]
    assert gateway.open == 0


@pytest.mark.parametrize("change", ["undo", "clear", "inject"])
async def test_changing_the_history_ends_an_abandoned_turn_first(change: str) -> None:
    session, _ = a_session(LONG)
    stream = session.stream_message(Role.USER, "one")
    for _ in range(2):
        await anext(stream)
    if change == "undo":
        assert session.undo() == "one"
    elif change == "clear":
        session.clear_history()
    else:
        session.inject_message(Message(Role.USER, "two"))
    assert len(session.history) == (3 if change == "inject" else 0)
    assert [event async for event in stream] == []


async def test_the_history_cannot_be_changed_under_a_running_turn() -> None:
    session, gateway = a_session(LONG)
    task = asyncio.create_task(session.send_message(Role.USER, "one"))
    await gateway.hanging.wait()
    for change in (session.undo, session.clear_history):
        with pytest.raises(UsageError, match="still coming in"):
            change()
    assert session.history == ()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert session.undo() == "one"


async def test_retrying_without_a_turn_is_an_error() -> None:
    session, _ = a_session(Fate([]))
    with pytest.raises(UsageError, match="nothing to retry"):
        await anext(session.retry_message())


async def test_G11_a_retry_sends_the_same_message_and_replaces_the_reply() -> None:
    session, gateway = a_session(Fate([TextDelta("first")]))
    session.inject_message(Message(Role.USER, "Hi", pinned=True))
    for answer in ("first", "second"):
        gateway.next = Fate([TextDelta(answer)])
        async for _ in session.retry_message():
            pass
    assert [message.content for message in session.history] == ["Hi", "second"]
    assert session.history[0].pinned
    assert [len(request.messages) for request in gateway.requests] == [1, 1]
    assert session.usage == (END.usage or Usage()) + (END.usage or Usage())


async def test_a_failed_retry_leaves_the_old_turn_as_it_was() -> None:
    session, gateway = a_session(Fate([TextDelta("first")]))
    await session.send_message(Role.USER, "Hi")
    before = session.history
    gateway.next = Fate([], "error")
    with pytest.raises(ServerError):
        async for _ in session.retry_message():
            pass
    assert session.history == before


async def test_a_long_reply_is_put_together_in_linear_time() -> None:
    pieces: list[StreamEvent] = [TextDelta("x" * 20)] * 50_000
    session, _ = a_session(Fate(pieces))
    start = time.perf_counter()
    reply = await session.send_message(Role.USER, "Hi")
    assert len(reply.content) == 1_000_000
    assert time.perf_counter() - start < 3
