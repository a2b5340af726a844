"""Reads along with a response body, and mends what litellm's parsers would take for something else.

Two things they get wrong, on every route but those of the OpenAI SDK: a line ends for them at U+2028
and its kin too, and any line that holds `[DONE]` is the end. A broken or cut line they pass over in
silence; here it is an error.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

from cloudllm.gateway.ends import Ending

_NOT_LINE_ENDS = {b"\xc2\x85": rb"\u0085", b"\xe2\x80\xa8": rb"\u2028", b"\xe2\x80\xa9": rb"\u2029"}
_DONE = b"[DONE]"
_PACKET = 0.05  # seconds that the end of a body may come after its last event
_FRAME = 16  # bytes of a frame without headers and payload: two lengths and two checksums
_LARGEST = 1 << 25  # bytes that are held back; more is no event
_COMMENT = re.compile(rb"^:[^\n]*(?:\n|\Z)", re.MULTILINE)  # litellm stops at one of Gemini's
_EXCEPTION = re.compile(rb":exception-type\x07..(\w+)", re.DOTALL)  # 7: a string, its length


class _Reader(Protocol):
    """Takes what arrived; returns what may be passed on."""

    done: bool

    def feed(self, data: bytes) -> bytes:
        """Return what is complete of this and what was held back, up to the first failure."""

    def rest(self) -> bytes:
        """Return what is held back at the end of the body."""

    def check(self) -> None:
        """Raise the failure that came after what was returned."""


class Body:
    """A response body, as httpx wants it: iterable and closable."""

    def __init__(self, stream: Any, ending: Ending, content_type: str) -> None:  # noqa: ANN401 - httpx's
        self._stream = stream
        self._data = aiter(stream)
        self._ending = ending
        frames = "eventstream" in content_type
        self._reader: _Reader = Frames(ending) if frames else Lines(ending, content_type)

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            async for data in self._data:
                if ready := self._reader.feed(data):
                    yield ready
                self._reader.check()
            self._ending.over = True
            if rest := self._reader.rest():
                yield rest
            self._reader.check()
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


class Lines:
    """Server-sent events, a JSON object per line, or one that takes many lines."""

    def __init__(self, ending: Ending, content_type: str) -> None:
        self.done = False
        self._ending = ending
        self._failure: Exception | None = None
        self._events = content_type.startswith("text/")
        self._line: Callable[[bytes], None] = self._event_line if self._events else self._json_line
        self._held = bytearray()
        self._object = bytearray()  # as much of one as has come, from the lines that carry it
        self._broken: ValueError | None = None
        self._started = False

    def feed(self, data: bytes) -> bytes:
        """Whole lines only: nobody can use half of one."""
        block, mark, rest = data.rpartition(b"\n")
        if not mark:
            self._held += rest
            self._bound(self._held)
            return b""
        block = bytes(self._held) + block + mark
        self._held = bytearray(rest)
        return self._pass(block)

    def rest(self) -> bytes:
        """The last line, if nothing ends it: a JSON object, or an event that was cut."""
        rest = self._pass(bytes(self._held))
        self._held.clear()
        if self._line == self._more_json:
            self._see(bytes(self._object))
        return rest

    def check(self) -> None:
        """Raise what is wrong with the line after those that were passed on."""
        if self._failure is not None:
            raise self._failure

    def _pass(self, block: bytes) -> bytes:
        if not self._started and block:
            self._started, block = True, block.removeprefix(codecs.BOM_UTF8)
        if self._events:
            block = _COMMENT.sub(b"", block)
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()  # it is what follows the last line's end
        for number, line in enumerate(lines):
            self._line(line)
            self._failure = self._failure or self._ending.error
            if self._failure is not None:
                return _mended(b"\n".join([*lines[:number], b""]))
        return _mended(block)

    def _event_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._more_json(line[5:].strip())
            self.done = self._object == _DONE
            if self._broken is None:  # else it is read again at its end: it may have many lines
                self._read_event()
        elif self._broken is not None and not line.strip():
            self._read_event()
            self._failure = self._broken

    def _read_event(self) -> None:
        self._broken = self._see(bytes(self._object))
        if self._broken is None:
            self._object.clear()

    def _json_line(self, line: bytes) -> None:
        if line.startswith((b"data:", b"event:", b":")):  # whatever the header says
            self._line = self._event_line
            self._event_line(line)
        elif self._see(line.strip()) is not None:
            self._line = self._more_json
            self._more_json(line)

    def _more_json(self, line: bytes) -> None:
        self._object += line
        self._bound(self._object)

    def _bound(self, held: bytearray) -> None:
        if len(held) > _LARGEST:
            self._failure = json.JSONDecodeError("too long", "", 0)

    def _see(self, text: bytes) -> ValueError | None:
        """Take note of an object; returns what is wrong with it, which more of it may mend."""
        if text.startswith(b"{"):
            try:
                event = json.loads(text)
            except (ValueError, RecursionError):  # also a number too long, or too many levels
                return json.JSONDecodeError("no JSON", "", 0)
            self._ending.see(event)
        return None


class Frames:
    """Amazon's binary event stream: lengths, a checksum, headers, a JSON payload, a checksum."""

    done = False

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Whole frames."""
        self._held += data
        end = 0
        while len(self._held) - end >= _FRAME:
            total = int.from_bytes(self._held[end : end + 4])
            if not _FRAME <= total <= _LARGEST:
                return self.rest()  # no such stream; what it is instead, litellm will say
            if len(self._held) - end < total:
                break
            self._see(self._held[end : end + total])
            if self._ending.error is not None:
                break
            end += total
        whole, self._held = self._held[:end], self._held[end:]
        return whole

    def rest(self) -> bytes:
        """What is no whole frame."""
        rest, self._held = self._held, b""
        return rest

    def check(self) -> None:
        """Raise the error that the frame after those passed on carries."""
        if self._ending.error is not None:
            raise self._ending.error

    def _see(self, frame: bytes) -> None:
        start = 12 + int.from_bytes(frame[4:8])
        headers, payload = frame[12:start], frame[start:-4]
        event = json.loads(payload) if payload.startswith(b"{") else {}
        if kind := _EXCEPTION.search(headers):
            event = {"error": {"message": event.get("message"), "type": kind[1].decode()}}
        self._ending.see(event)


def _mended(block: bytes) -> bytes:
    """The same JSON in other words: escaped where a parser would stumble."""
    for raw, escaped in _NOT_LINE_ENDS.items():
        if raw in block:
            block = block.replace(raw, escaped)
    if _DONE in block:
        lines = block.split(b"\n")
        done = rb"\u005bDONE]"
        block = b"\n".join(line.replace(_DONE, done) if b"{" in line else line for line in lines)
    return block


def reading_along(byte_stream: type) -> type[Body]:
    """The class for httpx, which insists on its own base class; it is imported with litellm."""
    return type("HttpxBody", (Body, byte_stream), {})
