"""What a backend yields, called without anything around it: the right events, in the right order."""

from __future__ import annotations

import copy
import inspect
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from cloudllm.events import ReasoningDelta, StreamEnded, TextDelta
from cloudllm.messages import Message, Role, Usage
from cloudllm.provider import Client, Request
from cloudllm.testing.conformance.bench import QUESTION, Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import Raw
from cloudllm.testing.script import Reply


async def _backend(bench: Bench) -> Client:
    bench.made()
    bench.unless_failed("does-not-block")
    client = await bench.client()
    if client.backend is None:
        raise NotApplicable("it has no backend of its own")
    return client


async def _plain(bench: Bench) -> Raw:
    """What it yields for a plain question."""
    client = await _backend(bench)

    async def ask() -> Raw:
        return await bench.raw(client, Reply())

    raw: Raw = await bench.once("raw", ask)
    return raw


@check(
    "stream-events", "stream() is an async generator of TextDelta, ReasoningDelta and StreamEnded"
)
async def events(bench: Bench) -> None:
    """With text that is text."""
    client = await _backend(bench)
    assert client.backend is not None  # noqa: S101 - else it would not apply
    if inspect.iscoroutinefunction(client.backend.stream):
        raise Failed("stream() is a coroutine; it must yield, or return an async generator")
    stream: Any = client.backend.stream(Request(messages=(Message(Role.USER, QUESTION),)))
    if inspect.isawaitable(stream) or not isinstance(stream, AsyncIterator):
        if inspect.iscoroutine(stream):
            stream.close()
        raise Failed(f"stream() gave {type(stream).__name__}, no async generator")
    if not callable(getattr(stream, "aclose", None)):
        raise Failed(f"stream() gave {type(stream).__name__}, which has no aclose(); use yield")
    if isinstance(stream, AsyncGenerator):
        await stream.aclose()
    raw = await _plain(bench)
    for event in raw.events:
        _look_at(event)
    if isinstance(raw.error, TypeError):
        raise Failed(f"stream() raised TypeError: {raw.error}")


def _look_at(event: object) -> None:
    match event:
        case TextDelta(text) | ReasoningDelta(text):
            if not isinstance(text, str):
                raise Failed(f"{type(event).__name__} holds {type(text).__name__}, not text")
        case StreamEnded(reason, usage):
            if not isinstance(reason, str | None) or not isinstance(usage, Usage | None):
                raise Failed(f"came {event!r}; it holds a finish reason and a Usage, or None")
        case _:
            raise Failed(f"it yielded {type(event).__name__}, which is no event: {event!r:.60}")


@check("ends-once", "one StreamEnded comes, as the last event")
async def ends_once(bench: Bench) -> None:
    """What comes after it is lost, and without it the reply counts as cut."""
    bench.unless_failed("stream-events")
    raw = await _plain(bench)
    if raw.gave_up and raw.ended:
        raise Failed("StreamEnded came, and the stream did not end")
    if raw.gave_up:
        raise NotApplicable("see answers")
    if raw.error is not None and raw.ended:
        raise Failed(f"after StreamEnded it raised {type(raw.error).__name__}: {raw.error}")
    if raw.error is not None:
        raise NotApplicable("see answers")
    if not raw.ended:
        raise Failed("no StreamEnded came; yield one when the service says that it is done")
    if len(raw.ended) > 1:
        raise Failed(f"StreamEnded came {len(raw.ended)} times")
    if raw.events[-1] is not raw.ended[0]:
        late = type(raw.events[-1]).__name__
        raise Failed(f"a {late} came after StreamEnded, where nobody listens any more")


@check("request-untouched", "the request it is given is as it was afterwards")
async def untouched(bench: Bench) -> None:
    """It is sent again when a turn is retried."""
    client = await _backend(bench)
    bench.unless_failed("stream-events")
    request = Request(
        messages=(Message(Role.SYSTEM, "Be brief."), Message(Role.USER, QUESTION)),
        params={"kit": {"nested": [1, 2]}},
        temperature=0.5,
    )
    before = copy.deepcopy(request)
    await bench.raw(client, Reply(), request)
    if request != before:
        raise Failed("stream() changed the request's messages or params; make a copy of them")


@check("answers", "a question gets an answer")
async def answers(bench: Bench) -> str:
    """By the whole road: registry, client, gateway, session."""
    bench.made()
    bench.unless_failed("honours-api-base", "does-not-block", "stream-events")
    outcome = await bench.first()
    if (await bench.client()).own_credentials and not outcome.requests:
        raise NotApplicable("see honours-api-base")
    if outcome.reply is not None:
        return f"over {bench.wire.name}" if bench.wire else "in this process"
    if outcome.requests and bench.wire is None:
        path = outcome.requests[-1].path
        raise Failed(f"it sent POST {path}, the path of no wire format that the kit speaks")
    raise Failed(outcome.story)


CHECKS = (events, ends_once, untouched)
ANSWERS = (answers,)
