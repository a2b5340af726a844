"""A response body on its way to litellm: unpacked, read along, and whole up to where it broke."""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from cloudllm.errors import InvalidResponse
from cloudllm.gateway.ends import Ending
from cloudllm.gateway.frames import Frames
from cloudllm.gateway.inflate import Inflater
from cloudllm.gateway.lines import Lines

_PACKET = 0.05  # seconds that the end of a body may come after its last event
_BURST = 0.005  # seconds that a packet may keep the event loop while it is unpacked
_LARGEST_ERROR = 1 << 16  # bytes of the body of an error


class Reader(Protocol):
    """Takes what arrived; returns what may be passed on."""

    @property
    def done(self) -> bool:
        """Whether nothing is wanted any more."""

    def feed(self, data: bytes) -> bytes:
        """Return what is complete of this and what was held back, up to the first failure."""

    def rest(self) -> bytes:
        """Return what is held back at the end of the body."""

    def check(self) -> None:
        """Raise the failure that came after what was returned."""


class Body:
    """A response body, as httpx wants it: iterable and closable."""

    def __init__(
        self,
        stream: Any,  # noqa: ANN401 - httpx's
        reader: Reader,
        ending: Ending,
        inflater: Inflater | None = None,
    ) -> None:
        self._stream = stream
        self._data = aiter(stream)
        self._reader = reader
        self._ending = ending
        self._inflater = inflater
        self._broken: Exception | None = None

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._unpacked()) as pieces:
                async for data in pieces:
                    if ready := self._reader.feed(data):
                        yield ready
                    self._reader.check()
                    if self._reader.done:
                        break
            self._ending.over = self._broken is None
            if rest := self._reader.rest():
                yield rest
            self._reader.check()
            if self._broken is not None:
                raise self._broken
        except Exception as exc:
            self._ending.failure = exc
            raise

    async def aclose(self) -> None:
        """Close the connection, unless the body was read to its end: then the next call has it.

        Who leaves at `[DONE]` may be a packet early.
        """
        if self._reader.done:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_PACKET):
                    async for _ in self._data:
                        pass
        await self._stream.aclose()

    async def _unpacked(self) -> AsyncGenerator[bytes, None]:
        """The body as it was before it was compressed."""
        rested = time.perf_counter()
        async with aclosing(self._arrived()) as packets:
            async for data in packets:
                if self._inflater is None:
                    yield data
                    continue
                try:
                    for piece in self._inflater.feed(data):
                        yield piece
                        if time.perf_counter() - rested > _BURST:
                            await asyncio.sleep(0)
                            rested = time.perf_counter()
                except zlib.error as exc:
                    self._broken = InvalidResponse(f"the answer is compressed, and broken: {exc}")
                    return

    async def _arrived(self) -> AsyncGenerator[bytes, None]:
        """All that arrived; what broke the connection, if anything did, is remembered."""
        try:
            async for data in self._data:
                yield data
        except Exception as exc:  # noqa: BLE001 - raised again when all that came is read
            self._broken = exc
            yield _left_in(self._stream)


def _left_in(stream: Any) -> bytes:  # noqa: ANN401 - httpx's
    """What came before the failure: aiohttp raises it first, and keeps that to itself."""
    response = getattr(stream, "_aiohttp_response", None)
    if response is None:
        return b""
    with contextlib.suppress(Exception):  # another version of either
        response.content.set_exception(None)
        return bytes(response.content.read_nowait())
    return b""


class Excerpt:
    """Reads the body of an error: as much of it as an error may have."""

    def __init__(self, limit: int = _LARGEST_ERROR) -> None:
        self._left = limit

    @property
    def done(self) -> bool:
        """Whether there is no more room."""
        return not self._left

    def feed(self, data: bytes) -> bytes:
        """What there is room for."""
        part = data[: self._left]
        self._left -= len(part)
        return part

    def rest(self) -> bytes:
        """Nothing: nothing is held back."""
        return b""

    def check(self) -> None:
        """Raise nothing: this is an error already."""


def reader_for(content_type: str, ending: Ending, limit: int) -> Reader:
    """How to read a body of this type, of which no event may have more bytes than `limit`."""
    if "eventstream" in content_type:
        return Frames(ending, limit)
    return Lines(ending, content_type, limit)


def reading_along(byte_stream: type) -> type[Body]:
    """The class for httpx, which insists on its own base class; it is imported with litellm."""
    return type("HttpxBody", (Body, byte_stream), {})
