"""Models that run in this process take the same road."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from cloudllm import gateway
from cloudllm.errors import CloudLLMError, DeadlineExceeded, ProviderError, RateLimited
from cloudllm.events import ReasoningDelta, StreamEnded, StreamEvent, TextDelta, ToolCallDelta
from cloudllm.gateway import backends, closing
from cloudllm.messages import Usage
from cloudllm.provider import Client, Deadlines, Request


class Scripted:
    """Yields events, a little apart; raises those that are exceptions."""

    def __init__(self, *script: StreamEvent | BaseException, pause: float = 0.001) -> None:
        self.script = script
        self.pause = pause
        self.closed = False
        self.request: Request | None = None

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        self.request = request
        try:
            for event in self.script:
                await asyncio.sleep(self.pause)
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self.closed = True


def client_of(backend: Scripted) -> Client:
    return Client(
        provider="mine", label="Mine", model="m", backend=backend, params={"a": 1, "b": 1}
    )


async def call(backend: Scripted, request: Request, **deadlines: Any) -> list[StreamEvent]:
    stream = gateway.stream(client_of(backend), request, Deadlines(**deadlines))
    return [event async for event in stream]


async def test_all_events_survive_the_trip(ask: Request) -> None:
    usage = Usage(input_tokens=3, output_tokens=2, cached_tokens=1, reasoning_tokens=1)
    script = (
        ReasoningDelta("hm"), TextDelta("<s>"), ToolCallDelta("{", name="f"), TextDelta("b\n"),
        StreamEnded("odd", usage, "req_1"),
    )  # fmt: skip
    backend = Scripted(*script)
    assert await call(backend, ask) == list(script)
    assert backend.closed


async def test_the_backend_gets_the_request_with_all_parameters(ask: Request) -> None:
    backend = Scripted(StreamEnded("stop"))
    await call(backend, Request(messages=ask.messages, temperature=0.1, params={"b": 2}))
    assert backend.request == Request(
        messages=ask.messages, temperature=0.1, params={"a": 1, "b": 2}
    )


@pytest.mark.parametrize(
    "script",
    [(StreamEnded(None),), (TextDelta("a"), StreamEnded(None)), (StreamEnded("stop"),), ()],
)
async def test_nothing_is_invented(ask: Request, script: tuple[StreamEvent, ...]) -> None:
    assert await call(Scripted(*script), ask) == list(script or [StreamEnded(None)])


async def test_two_at_once_do_not_mix(ask: Request) -> None:
    scripts: list[tuple[StreamEvent, ...]] = [
        (*[TextDelta(f"{name}{number}") for number in range(30)], StreamEnded("stop"))
        for name in "ab"
    ]
    results = await asyncio.gather(*(call(Scripted(*script), ask) for script in scripts))
    assert results == [list(script) for script in scripts]


@pytest.mark.parametrize("before", [(), (TextDelta("a"),)])
async def test_its_own_error_arrives_as_it_is(
    ask: Request, before: tuple[StreamEvent, ...]
) -> None:
    error = RateLimited("slow down", retry_after=5)
    with pytest.raises(RateLimited) as caught:
        await call(Scripted(*before, error), ask)
    assert caught.value is error


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (ValueError("no\nweights"), "Mine failed: ValueError: no weights"),
        (SystemExit(3), "Mine failed: SystemExit: 3"),
        (StopAsyncIteration(), "Mine failed: RuntimeError: async generator raised StopAsyncIterat"),
    ],
)
async def test_any_other_error_names_the_provider(
    ask: Request, raised: BaseException, words: str
) -> None:
    with pytest.raises(ProviderError) as caught:
        await call(Scripted(TextDelta("a"), raised), ask)
    assert caught.value.message.startswith(words)


async def test_what_is_no_event_is_an_error(ask: Request) -> None:
    with pytest.raises(ProviderError, match="yielded str, which is no event"):
        await call(Scripted("text"), ask)  # type: ignore[arg-type]


async def test_closing_and_cancelling_close_the_backend(ask: Request) -> None:
    closed = Scripted(*[TextDelta("a")] * 900)
    events = gateway.stream(client_of(closed), ask, Deadlines())
    await anext(events)
    await events.aclose()
    assert closed.closed

    cancelled = Scripted(TextDelta("a"), TextDelta("b"), pause=30)
    task = asyncio.create_task(call(cancelled, ask))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.closed
    assert backends._calls == {}


async def test_deadlines_hold(ask: Request) -> None:
    backend = Scripted(TextDelta("a"), pause=30)
    with pytest.raises(DeadlineExceeded, match=r"Mine: no reply within 0\.1 s"):
        await call(backend, ask, first_token=0.1)
    assert backend.closed


async def test_a_failed_call_is_forgotten(ask: Request) -> None:
    with pytest.raises(CloudLLMError):
        await call(Scripted(ValueError()), ask)
    assert backends._calls == {}


class Stubborn:
    """Ignores being cancelled, or takes long to clean up."""

    def __init__(self, *, ignores: bool) -> None:
        self.ignores = ignores
        self.ended = asyncio.Event()

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        yield TextDelta("a")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            if not self.ignores:
                raise
        finally:
            self.ended.set()
        yield TextDelta("b")
        raise ValueError("nobody hears this")


@pytest.mark.parametrize("ignores", [True, False])
async def test_G12_a_backend_that_will_not_stop_is_left_behind(
    ask: Request, *, ignores: bool
) -> None:
    backend = Stubborn(ignores=ignores)
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    client = Client(provider="mine", label="Mine", model="m", backend=backend)
    task = asyncio.create_task(anext_twice(gateway.stream(client, ask, Deadlines())))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait({task}, timeout=0.4)
    assert task.cancelled()
    assert not backend.ended.is_set()
    await backend.ended.wait()
    await asyncio.sleep(0.02)
    gc.collect()
    assert unheard == []
    assert closing._left == set()


async def anext_twice(stream: AsyncGenerator[StreamEvent, None]) -> None:
    await anext(stream)
    await anext(stream)


async def test_a_backend_that_cancels_itself_has_failed(ask: Request) -> None:
    with pytest.raises(ProviderError, match="it cancelled itself") as caught:
        await call(Scripted(TextDelta("a"), asyncio.CancelledError()), ask)
    assert caught.value.tries == 1
