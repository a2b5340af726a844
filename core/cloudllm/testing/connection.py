"""One TCP connection of the scripted provider: reads requests, plays out replies."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from cloudllm.testing.script import JSON, Problem, Received, Reply, Steps
from cloudllm.testing.wires import Wire, wire_of
from cloudllm.testing.wires.base import packed
from cloudllm.testing.wires.openai import Chat

_BATCH = 20
_PAUSE = 0.001  # seconds between the pieces of a write, so that they arrive apart
_NO_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LAST = b"0\r\n\r\n"


class Desk(Protocol):
    """What a connection needs of its server."""

    def opened(self, connection: Connection) -> None:
        """A caller connected."""

    def closed(self, connection: Connection, *, in_reply: bool) -> None:
        """A caller left, `in_reply` if it did not wait for the end."""

    def answer(self, request: Received) -> Reply:
        """The reply that is due."""

    def working(self, by: int) -> None:
        """So many more replies, or fewer, are in progress."""


class Connection(asyncio.Protocol):
    """Runs one reply at a time and notices the caller leaving."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._buffer = b""
        self._reply: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._ready.set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the caller."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP servers make
        self._transport = transport
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._desk.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the reply that runs on it."""
        unfinished = self._reply is not None and not self._reply.done()
        if self._reply and unfinished:
            self._reply.cancel()
        self._desk.closed(self, in_reply=unfinished)

    def pause_writing(self) -> None:
        """The caller reads more slowly than it is written."""
        self._ready.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._ready.set()

    def abort(self) -> None:
        """Drop the connection and the reply that runs on it."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read a request as far as it came, and begin to answer it."""
        self._buffer += data
        if not self._buffer[:1].isalpha():  # a TLS handshake, for one
            self._transport.write(_NO_REQUEST)
            self._transport.close()
            return
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        request_line, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = request_line.split(" ", 2)
        url = urlsplit(target)
        body = json.loads(rest[:length]) if length else {}
        request = Received(method, url.path, headers, body, url.query)
        reply = self._desk.answer(request)
        self._desk.working(1)
        self._reply = asyncio.get_running_loop().create_task(self._send(request, reply))
        self._reply.add_done_callback(lambda _: self._desk.working(-1))

    async def _send(self, request: Received, reply: Reply) -> None:
        if not await self._goes_on(reply, -1):
            return
        if reply.raw is not None:
            await self._play(reply.raw, self._transport.write)
            await self._part(reply.cut)
            return
        wire = wire_of(request.path) or Chat()
        body, content_type = reply.body, reply.content_type
        if reply.problem is not None:
            body, content_type = packed(wire.problem(reply.problem)), JSON
        if body is not None:
            self._head(reply, content_type, body=body.replace("{key}", request.key or ""))
        elif reply.stream is not None:
            self._head(reply, wire.content_type)
            await self._play(reply.stream, self._chunk)
            await self._part(reply.cut, _LAST)
        elif not wire.streams(request):
            self._head(reply, JSON, body=packed(wire.whole(reply, wire.asked(request).model)))
        else:
            self._head(reply, wire.content_type)
            await self._stream(wire, request, reply)

    def _head(self, reply: Reply, content_type: str, body: str | None = None) -> None:
        """Send the status line and the headers, and with them a body that is known already."""
        payload = None if body is None else body.encode()
        headers = {
            "content-type": content_type,
            **({"transfer-encoding": "chunked"} if payload is None else {}),
            **({} if payload is None else {"content-length": str(len(payload))}),
            **reply.headers,
        }
        lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (payload or b""))

    async def _stream(self, wire: Wire, request: Received, reply: Reply) -> None:
        frames = wire.frames(reply, wire.asked(request).model)
        if reply.crlf and wire.text:
            frames = frames.with_crlf()

        async def wait(seconds: float | None) -> None:
            await self._wait(seconds, reply.heartbeat, wire.silence)

        self._chunk(frames.opening)
        if reply.first_delay:
            await wait(reply.first_delay)
        async for burst in _paced(frames.chunks, reply, wait):
            if isinstance(burst, bytes):
                await self._write(burst, reply)
            elif burst == reply.fail_after:
                problem = reply.problem or Problem(message="scripted failure")
                self._chunk(wire.failure(problem))
                self._transport.write(_LAST)
                return
            elif not await self._goes_on(reply, burst, wait):
                return
        self._chunk(frames.closing)
        self._transport.write(_LAST)

    async def _goes_on(
        self, reply: Reply, sent: int, wait: Callable[[None], Any] | None = None
    ) -> bool:
        """Whether the reply goes on after `sent` chunks; cuts or stalls it if that is due."""
        if reply.stall_after == sent:
            await (wait(None) if wait else self._wait(None))
        if reply.cut_after != sent:
            return True
        early = reply.cut == "end" and sent < 0  # there is no body yet to be finished
        await self._part("close" if early else reply.cut, _LAST)
        return False

    async def _part(self, cut: str, last: bytes = b"") -> None:
        """End the reply: with its last bytes, or without them and the connection too."""
        if cut == "end":
            self._transport.write(last)
        elif cut == "close":
            self._transport.close()
        else:
            await asyncio.sleep(0.02)  # a reset overtakes what the caller has not read yet
            linger = struct.pack("ii", 1, 0)
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    async def _play(self, steps: Steps, write: Callable[[bytes], None]) -> None:
        """Send what is bytes, and pause for what is a number; no faster than the caller reads."""
        for step in steps:
            if isinstance(step, bytes):
                write(step)
                await asyncio.sleep(0)
                await self._ready.wait()
            else:
                await self._wait(step)

    async def _wait(
        self, seconds: float | None, heartbeat: float | None = None, silence: bytes = b""
    ) -> None:
        """Wait that long, or until the caller hangs up, which cancels this task."""
        loop = asyncio.get_running_loop()
        end = float("inf") if seconds is None else loop.time() + seconds
        while (left := end - loop.time()) > 0:
            await asyncio.sleep(min(left, heartbeat or 60.0))
            if heartbeat and loop.time() < end:
                self._chunk(silence)

    async def _write(self, data: bytes, reply: Reply) -> None:
        size = reply.fragment
        if size is None:
            self._chunk(data)
            return
        for start in range(0, len(data), size):
            self._chunk(data[start : start + size])
            await asyncio.sleep(_PAUSE)

    def _chunk(self, data: bytes) -> None:
        if data:  # an empty one would be the end
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))


async def _paced(
    chunks: Sequence[bytes], reply: Reply, wait: Callable[[float], Any]
) -> AsyncIterator[bytes | int]:
    """Yield what to write, and after each write how many chunks are out."""
    stops = {reply.cut_after, reply.stall_after, reply.fail_after, len(chunks)}
    yield 0
    burst: list[bytes] = []
    for count, chunk in enumerate(chunks, 1):
        burst.append(chunk)
        if reply.delay or len(burst) == _BATCH or count in stops:
            yield b"".join(burst)
            burst.clear()
            yield count
            if count < len(chunks):
                await wait(reply.delay) if reply.delay else await asyncio.sleep(0)
