"""Backends that are wrong in what they pass on: the text, the question, what is reported."""

from __future__ import annotations

import asyncio
import html
import json
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp

from cloudllm import (
    NetworkError,
    ReasoningDelta,
    Request,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Usage,
)
from tests.core.testing.mutants import backend
from tests.core.testing.specimens import HttpBackend


@backend("streaming")
class Collects(HttpBackend):
    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        events = [event async for event in super().answer(session, request)]
        texts = [event.text for event in events if isinstance(event, TextDelta)]
        for event in events:
            if isinstance(event, ReasoningDelta):
                yield event
        yield TextDelta("".join(texts))
        yield events[-1]


class Rewrites(HttpBackend):
    """Passes on other deltas than came."""

    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        self.start()
        async for event in super().answer(session, request):
            if isinstance(event, TextDelta):
                for text in self.texts(event.text):
                    yield TextDelta(text)
            else:
                if isinstance(event, StreamEnded):
                    for text in self.rest():
                        yield TextDelta(text)
                yield event

    def start(self) -> None:
        pass

    def texts(self, text: str) -> list[str]:
        return [text]

    def rest(self) -> list[str]:
        return []


@backend("streaming-order")
class Swaps(Rewrites):
    def start(self) -> None:
        self.count = 0
        self.held = ""

    def texts(self, text: str) -> list[str]:
        self.count += 1
        if self.count == 4:
            self.held = text
            return []
        held, self.held = self.held, ""
        return [text, held] if held else [text]

    def rest(self) -> list[str]:
        return [self.held] if self.held else []


@backend("no-text-lost", "streaming")  # it holds one back to know the last
class LosesTheLast(HttpBackend):
    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        held: StreamEvent | None = None
        async for event in super().answer(session, request):
            if isinstance(held, TextDelta) and isinstance(event, TextDelta):
                yield held
            elif isinstance(event, StreamEnded | ReasoningDelta):
                yield event
            held = event


@backend("no-text-lost")
class Strips(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [text.rstrip("\n")]


@backend("no-text-lost")
class DropsBlanks(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [text] if text.strip() else []


@backend("no-text-lost")
class DropsTheSame(Rewrites):
    def start(self) -> None:
        self.last = ""

    def texts(self, text: str) -> list[str]:
        same, self.last = text == self.last, text
        return [] if same else [text]


@backend("no-text-lost")
class BelievesMarkup(HttpBackend):
    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
        async for line in self.lines(response):
            if b"[DONE]" in line:
                return
            if line.startswith(b"data: "):
                yield self.parsed(line.removeprefix(b"data: "))


@backend("no-text-lost")
class ShortLines(HttpBackend):
    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        async for line in super().lines(response):
            if len(line) > 65_536:
                raise ValueError("Chunk too big")
            yield line


@backend("no-text-invented")
class Twice(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [text, text] if "9" in text else [text]


@backend("no-text-invented")
class AddsLineEnd(Rewrites):
    def rest(self) -> list[str]:
        return ["\n"]


@backend("no-text-invented")
class Capitals(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [text.replace("the", "The").replace("w0", "W0")]


@backend("no-text-lost")
class Unescapes(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [html.unescape(text)]


@backend("unicode")
class Normalises(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [unicodedata.normalize("NFC", text)]


@backend("unicode")
class AsciiOnly(Rewrites):
    def texts(self, text: str) -> list[str]:
        return [text.encode("ascii", "replace").decode()]


@backend("unicode")
class NoControls(Rewrites):
    def texts(self, text: str) -> list[str]:
        return ["".join(letter for letter in text if letter >= " " or letter in "\r\n\t")]


@backend("unicode")
class DecodesPieces(HttpBackend):
    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        buffer = ""
        async for data in response.content.iter_any():
            *lines, buffer = (buffer + data.decode(errors="replace")).split("\n")
            for line in lines:
                yield line.encode().removesuffix(b"\r")


@backend("fragments")
class NoBuffer(HttpBackend):
    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        whole = b""
        async for data in response.content.iter_any():
            if len(data) > 500 or data.endswith(b"\n"):
                *lines, whole = (whole + data).split(b"\n")
                for line in lines:
                    yield line.removesuffix(b"\r")
            elif len(data) > 3:
                whole = b""
            else:
                whole += data


@backend("event-stream")
class NoComments(HttpBackend):
    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
        async for line in self.lines(response):
            if line and line != b"data: [DONE]":
                yield self.parsed(line.strip()[len(b"data: ") :])


@backend("event-stream")
class NoCarriageReturns(HttpBackend):
    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        buffer = b""
        async for data in response.content.iter_any():
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                yield b"" if line.endswith(b"\r") else line


@backend("no-text-lost")
class EndsEarly(HttpBackend):
    """Looks at the finish reason first, which may come with text."""

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
        async for chunk in super().chunks(response):
            for choice in chunk["choices"]:
                if choice.get("finish_reason"):
                    choice["delta"] = {}
            yield chunk


@backend("event-loops")
class OneLoop(HttpBackend):
    """Keeps its connections, and with them the first loop."""

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        loop = asyncio.get_running_loop()
        if self.__dict__.setdefault("loop", loop) is not loop:
            raise RuntimeError("attached to a different loop")
        async for event in super().stream(request):
            yield event


@backend("any-input")
class Utf8Only(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        for message in request.messages:
            message.content.encode()
        return super().body(request)


@backend("whole-conversation")
class LastMessageOnly(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        return super().body(replace(request, messages=request.messages[-1:]))


@backend("whole-conversation")
class NoSystemPrompt(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        said = tuple(message for message in request.messages if message.role != "system")
        return super().body(replace(request, messages=said))


@backend("whole-conversation")
class StripsMessages(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        body = super().body(request)
        for message in body["messages"]:
            message["content"] = message["content"].strip()
        return body


@backend("parameters")
class ZeroIsNothing(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        body = super().body(request)
        if not request.temperature:
            body.pop("temperature", None)
        return body


@backend("parameters")
class NoLimit(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        return super().body(replace(request, max_output_tokens=None))


@backend("parameters")
class AlwaysHot(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        return {"temperature": 1.0, **super().body(request)}


@backend("reasoning")
class ThinksAloud(HttpBackend):
    def deltas(self, delta: dict[str, str]) -> list[StreamEvent]:
        return [TextDelta(event.text) for event in super().deltas(delta)]  # type: ignore[union-attr]


@backend("reasoning")
class Thoughtless(HttpBackend):
    def deltas(self, delta: dict[str, str]) -> list[StreamEvent]:
        return [event for event in super().deltas(delta) if isinstance(event, TextDelta)]


@backend("usage")
class NoUsage(HttpBackend):
    def usage(self, chunk: dict[str, Any]) -> Usage | None:
        return None


@backend("usage")
class UsageSwapped(HttpBackend):
    def usage(self, chunk: dict[str, Any]) -> Usage | None:
        found = super().usage(chunk)
        return found and replace(
            found, input_tokens=found.output_tokens, output_tokens=found.input_tokens
        )


@backend("usage")
class UsageInvented(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded(reason, usage or Usage())]


@backend("usage")
class UsageDetailsInvented(HttpBackend):
    def usage(self, chunk: dict[str, Any]) -> Usage | None:
        found = super().usage(chunk)
        return found and replace(found, cached_tokens=found.cached_tokens or 0)


@backend("finish-reason")
class LengthIsStop(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded("stop" if reason == "length" else reason, usage)]


@backend("finish-reason")
class AlwaysStop(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded("stop", usage)]


@backend("cut-stream")
class CutIsStop(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded(reason or "stop", usage)]


@backend("cut-stream")
class ResetIsStop(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        begun = False
        try:
            async for event in super().stream(request):
                begun = True
                yield event
        except NetworkError:
            if not begun:
                raise
            yield StreamEnded("stop")


@backend("error-in-stream")
class FailureIsStop(HttpBackend):
    def parsed(self, data: bytes) -> Any:
        if b'"error"' in data:
            return {"choices": [{"delta": {}, "finish_reason": "stop"}]}
        return (
            json.loads(data)
            if data.startswith(b"{") and b"broken" not in data
            else super().parsed(data)
        )


@backend("empty-reply")
class FillsIn(HttpBackend):
    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        empty = True
        async for event in super().answer(session, request):
            if isinstance(event, StreamEnded) and event.finish_reason and empty:
                yield TextDelta("(no answer)")
            empty = False
            yield event


@backend("ends-once")
class EndsTwice(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded(reason, usage), StreamEnded(reason, usage)]


@backend("ends-once")
class NeverEnds(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return []


@backend("ends-once")
class GoesOn(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded(reason, usage), TextDelta("")]
