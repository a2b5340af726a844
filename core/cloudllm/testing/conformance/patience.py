"""Stopping: a cancelled turn stops at once, and a deadline is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from cloudllm.errors import DeadlineExceeded
from cloudllm.events import RequestSent
from cloudllm.messages import Message, Role, Status
from cloudllm.provider import Backend, Client, Deadlines, Request
from cloudllm.session import LLMSession
from cloudllm.testing.conformance.bench import ONCE, QUESTION, Bench, until
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import words
from cloudllm.testing.conformance.places import black_hole, moved
from cloudllm.testing.script import Reply

_PROMPT = 1.5  # seconds that stopping may take here, on a busy machine; 0.2 is what users get
_SHORT = 0.12  # seconds of a deadline that is meant to pass


@check("cancel", "stopping closes the connection at once, and the next call works")
async def cancel(bench: Bench) -> None:
    """Ctrl-C; whoever pays stops paying."""
    client = await bench.answers()
    if not (await bench.first()).requests:
        await _cancel_in_process(bench, client)
        return
    await _closed(bench, client)
    await _cancelled(bench, client)
    outcome = await bench.turn(Reply(), client=client)
    if outcome.reply is None:
        raise Failed(f"after a call was stopped, the next one gave {outcome.story}")


async def _closed(bench: Bench, client: Client) -> None:
    """Stop in the middle of the text."""
    bench.forget()
    bench.server.default = Reply(text=words(6), stall_after=3)
    if not await bench.hears(client, deltas=1):
        raise NotApplicable("nothing to be stopped came; see streaming")
    if not await until(lambda: bench.server.disconnects > 0, _PROMPT):
        raise Failed("the stream was closed, and the connection stayed open; use try … finally")


async def _cancelled(bench: Bench, client: Client) -> None:
    """Stop while nothing has come yet."""
    bench.forget()
    bench.server.default = Reply(text=words(6), stall_after=0)
    session = LLMSession(client, retry=ONCE)
    task = asyncio.ensure_future(session.send_message(Role.USER, QUESTION))
    await until(lambda: bool(bench.server.requests), _PROMPT)
    await _must_be_cancelled(task)
    if not await until(lambda: bench.server.disconnects > 0, _PROMPT):
        raise Failed("the turn was cancelled while it waited, and the connection stayed open")
    if client.backend is not None:
        bench.forget()
        bench.server.default = Reply(text=words(6), stall_after=0)
        alone = asyncio.ensure_future(_read_alone(client.backend))
        await until(lambda: bool(bench.server.requests) or alone.done(), _PROMPT)
        await _must_be_cancelled(alone)


async def _cancel_in_process(bench: Bench, client: Client) -> None:
    """Stop after the first event, in both ways."""
    if client.backend is not None:
        await _closed_alone(client.backend)
        alone = asyncio.ensure_future(_read_alone(client.backend))
        await asyncio.sleep(0.02)
        await _must_be_cancelled(alone)
    session = LLMSession(client, retry=ONCE)
    task = asyncio.ensure_future(_read_slowly(session))
    await asyncio.sleep(0.02)
    await _must_be_cancelled(task)
    if (await bench.said(client)).reply is None:
        raise Failed("after a call was stopped, the next one gave no reply")


async def _closed_alone(backend: Backend) -> None:
    """Close the backend's own stream after its first event."""
    stream = backend.stream(Request(messages=(Message(Role.USER, QUESTION),)))
    await anext(stream)
    if isinstance(stream, AsyncGenerator):
        try:
            await asyncio.wait_for(stream.aclose(), _PROMPT)
        except TimeoutError:
            raise Failed("the stream was closed, and did not end") from None
        except RuntimeError as error:
            async for _ in stream:  # else it is told again when the generator is collected
                pass
            raise Failed(f"the stream was closed, and went on: {error}") from None


async def _read_alone(backend: Backend) -> None:
    """Read the backend's own stream: a session leaves one behind that ignores a cancellation."""
    async for _ in backend.stream(Request(messages=(Message(Role.USER, QUESTION),))):
        await asyncio.sleep(0)


async def _read_slowly(session: LLMSession) -> None:
    async with aclosing(session.stream_message(Role.USER, QUESTION)) as events:
        async for event in events:
            if not isinstance(event, RequestSent):
                await asyncio.sleep(0)


async def _must_be_cancelled(task: asyncio.Task[Any]) -> None:
    if task.done():  # it was quicker than we are
        with contextlib.suppress(Exception):
            task.exception()
        return
    task.cancel()
    await asyncio.wait({task}, timeout=_PROMPT)
    if not task.done():
        raise Failed("the turn was cancelled, and goes on; let CancelledError pass")
    if not task.cancelled():
        task.exception()
        raise Failed("the turn was cancelled, and ended as if nothing had been; raise it again")


@check(
    "deadlines", "a service that is silent, or goes silent, is not waited for beyond the deadline"
)
async def deadlines(bench: Bench) -> None:
    """Before the first token, in the text, while comments come, and while connecting."""
    client = await bench.wired()
    bench.unless_failed("cancel", "does-not-block")
    silent = Deadlines(first_token=_SHORT, gap=5.0, connect=5.0)
    for heartbeat in (None,) if bench.failed("event-stream") else (None, 0.03):
        script = Reply(stall_after=0, heartbeat=heartbeat)
        outcome = await bench.turn(script, client=client, deadlines=silent)
        if not isinstance(outcome.error, DeadlineExceeded):
            raise Failed(f"the service was silent, came {outcome.story}")
    stuck = Deadlines(first_token=5.0, gap=_SHORT, connect=5.0)
    script = Reply(text=words(6), stall_after=3)
    outcome = await bench.turn(script, client=client, deadlines=stuck)
    if outcome.reply is None and bench.failed("streaming"):
        return
    if outcome.reply is None or outcome.reply.status is Status.COMPLETE:
        raise Failed(f"the service went silent in its text, came {outcome.story}")
    await _unreachable(bench)


async def _unreachable(bench: Bench) -> None:
    if bench.api_base is None or any(map(bench.failed, ("client-repeatable", "client-offline"))):
        return
    with black_hole(bench.watch.allowed) as address:
        client = await bench.client(api_base=moved(bench.api_base, address))
        hurried = Deadlines(connect=_SHORT, first_token=2 * _SHORT, gap=5.0)
        outcome = await bench.turn(Reply(), client=client, deadlines=hurried)
    if not isinstance(outcome.error, DeadlineExceeded):
        raise Failed(f"no connection could be made, came {outcome.story}")


CHECKS = (cancel, deadlines)
