"""The relay: events one by one, a watch over silence, and an end within a moment."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from cloudllm.relay import Relay

Produce = Callable[[Relay[object]], Awaitable[None]]


def relay(produce: Produce) -> Relay[object]:
    return Relay(produce, lambda seconds, limit: ("quiet", limit))


async def read(of: Relay[object]) -> list[object]:
    events = []
    while (event := await of.next()) is not None:
        events.append(event)
    return events


async def test_events_come_in_order_and_none_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []

    async def produce(to: Relay[object]) -> None:
        for number in range(5):
            made.append(number)
            await to.emit(number)

    events = relay(produce)
    await asyncio.sleep(0)
    assert made == []
    for number in range(3):
        assert await events.next() == number
        await asyncio.sleep(0.001)
        assert made == list(range(number + 1))
    assert await read(events) == [3, 4]


async def test_what_the_producer_raises_reaches_the_reader() -> None:
    async def produce(to: Relay[object]) -> None:
        await to.emit(1)
        raise ZeroDivisionError

    events = relay(produce)
    assert await events.next() == 1
    with pytest.raises(ZeroDivisionError):
        await events.next()


async def test_silence_is_said_once_and_ends_nothing() -> None:
    async def produce(to: Relay[object]) -> None:
        to.watch(0.04)
        await asyncio.sleep(0.1)
        await to.emit("late")

    assert await read(relay(produce)) == [("quiet", 0.04), "late"]


async def test_silence_is_said_in_time_when_the_limit_gets_shorter() -> None:
    async def produce(to: Relay[object]) -> None:
        to.watch(60.0)
        await asyncio.sleep(0.01)
        to.watch(0.04)
        await asyncio.sleep(0.1)

    assert await read(relay(produce)) == [("quiet", 0.04)]


async def test_a_sign_of_life_starts_the_silence_anew() -> None:
    async def produce(to: Relay[object]) -> None:
        to.watch(1.0)
        for number in range(6):
            await asyncio.sleep(0.01)
            await to.emit(number)
            to.watch(1.0)
        to.rest()
        await asyncio.sleep(0.02)

    assert await read(relay(produce)) == list(range(6))


async def test_nothing_is_lost_that_comes_while_the_silence_is_told() -> None:
    async def produce(to: Relay[object]) -> None:
        to.watch(0.02)
        await asyncio.sleep(0.03)
        await to.emit("one")
        await to.emit("two")

    events = relay(produce)
    assert await events.next() == ("quiet", 0.02)
    await asyncio.sleep(0.05)
    assert await read(events) == ["one", "two"]


async def test_whoever_waits_on_is_told_of_no_limit() -> None:
    async def produce(to: Relay[object]) -> None:
        to.watch(0.02)
        await asyncio.sleep(0.05)

    events = relay(produce)
    events.wait_on()
    assert await read(events) == [("quiet", None)]


async def test_G12_the_end_waits_only_a_moment_for_who_cleans_up_slowly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cleaned = asyncio.Event()

    async def produce(to: Relay[object]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.25)
            cleaned.set()
            raise ZeroDivisionError

    events = relay(produce)
    waiting = asyncio.create_task(events.next())
    await asyncio.sleep(0.01)
    waiting.cancel()
    async with asyncio.timeout(0.2):
        await events.close()
    assert not cleaned.is_set()
    await asyncio.wait_for(cleaned.wait(), 1)
    del events, waiting
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.records == []


async def test_a_producer_that_somebody_cancels_cancels_the_reader() -> None:
    started = asyncio.Event()
    producers: list[asyncio.Task[object] | None] = []

    async def produce(to: Relay[object]) -> None:
        producers.append(asyncio.current_task())
        started.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(relay(produce).next())
    await started.wait()
    assert producers[0] is not None
    producers[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
