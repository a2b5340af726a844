"""Backends that answer in this process, and are wrong."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from cloudllm import ModelNotFound, Request, StreamEnded, StreamEvent, TextDelta, Usage
from tests.core.testing.mutants import in_process
from tests.core.testing.specimens import Parrot


@in_process("stream-events")
class Coroutine:
    async def stream(self, request: Request) -> list[StreamEvent]:
        return [TextDelta("hello"), StreamEnded("stop")]


@in_process("stream-events")
class Strings:
    async def stream(self, request: Request) -> AsyncIterator[str]:
        yield "hello"


@in_process("stream-events")
class Bytes:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        yield TextDelta(b"hello")  # type: ignore[arg-type]
        yield StreamEnded("stop")


@in_process("stream-events")
class NotClosable:
    def stream(self, request: Request) -> Any:
        class Events:
            def __init__(self) -> None:
                self.left = [TextDelta("hello"), StreamEnded("stop")]

            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> Any:
                if not self.left:
                    raise StopAsyncIteration
                return self.left.pop(0)

        return Events()


@in_process("ends-once")
class NoEnd:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        yield TextDelta("hello")


@in_process("finish-reason")
class NoReason:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        yield TextDelta("hello")
        yield StreamEnded(None)


@in_process("usage")
class ZeroUsage:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        yield TextDelta("hello")
        yield StreamEnded("stop", Usage())


@in_process("usage")
class NegativeUsage:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        yield TextDelta("hello")
        yield StreamEnded("stop", Usage(input_tokens=-1, output_tokens=1))


@in_process("streaming")
class AllAtOnce(Parrot):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        await asyncio.sleep(0.6)
        yield TextDelta(" ".join(self.words(request)[: request.max_output_tokens]))
        yield StreamEnded("length" if request.max_output_tokens == 1 else "stop")


@in_process("parameters")
class GoesOnAndOn(Parrot):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        async for event in super().stream(replace(request, max_output_tokens=None)):
            yield event


@in_process("parameters")
class SaysStopWhenCut(Parrot):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        async for event in super().stream(request):
            yield StreamEnded("stop") if isinstance(event, StreamEnded) else event


@in_process("does-not-block")
class Computes(Parrot):
    def words(self, request: Request) -> list[str]:
        end = time.thread_time() + 0.4
        while time.thread_time() < end:
            pass
        return super().words(request)


@in_process("does-not-block")
class Sleeps(Parrot):
    def words(self, request: Request) -> list[str]:
        time.sleep(60)
        return super().words(request)


@in_process("does-not-block")
class SleepsByName(Parrot):
    def words(self, request: Request) -> list[str]:
        SLEEP(5)
        return super().words(request)


SLEEP = time.sleep


@in_process("answers")
class Endless:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        while True:
            await asyncio.sleep(0.005)
            yield TextDelta("on and ")


@in_process("any-input")
class Words(Parrot):
    def words(self, request: Request) -> list[str]:
        return request.messages[-1].content.encode("utf-8").decode().split()


@in_process("cancel", "no-output")  # what Python says of it when it is collected
class IgnoresClosing(Parrot):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        try:
            async for event in super().stream(request):
                yield event
        except GeneratorExit:
            yield TextDelta("one more")


@in_process("cancel")
class Stubborn(Parrot):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        try:
            yield TextDelta("wait ")
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            pass
        yield StreamEnded("stop")


@in_process("repeat")
class Counts(Parrot):
    count = 0

    def words(self, request: Request) -> list[str]:
        self.count += 1
        return [*super().words(request), str(self.count)]


@in_process("sessions-at-once")
class Mixes(Parrot):
    said: ClassVar[list[str]] = []

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        self.latest = self.words(request)[: request.max_output_tokens]
        await asyncio.sleep(0)
        for word in self.latest:
            await asyncio.sleep(0)
            yield TextDelta(word + " ")
        yield StreamEnded("length" if request.max_output_tokens == 1 else "stop")


@in_process("no-output")
class Talks(Parrot):
    def words(self, request: Request) -> list[str]:
        sys.stderr.write("thinking\n")
        return super().words(request)


@in_process("no-surprise-network")
class Reports(Parrot):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        with suppress(OSError):
            await asyncio.open_connection("telemetry.example", 443)
        async for event in super().stream(request):
            yield event


@in_process("answers")
class Fails:
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        raise ModelNotFound("the engine is not there")
        yield TextDelta("")
