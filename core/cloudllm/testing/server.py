"""A scripted provider on the loopback interface: OpenAI's and Anthropic's wire, and their failures.

    with WireServer() as server:
        server.replies(Reply(text=["Hel", "lo"]), Reply.error(429, headers={"retry-after": "2"}))
        ...                                  # point api_base at server.url ("http://127.0.0.1:PORT/v1")
        assert server.requests[0].body["model"] == "gpt-4.1-nano"

`replies` are used up one per request, in order; after them every request gets `server.default`.
Either may be a function of the request: `server.default = lambda request: Reply(text=...)`.
It answers POST /v1/chat/completions, POST /v1/messages (both streamed or whole, as the request
asks) and GET /v1/models (`server.models`). Anthropic's own address is `server.origin`, without /v1.
`server.disconnects` counts the replies that the caller hung up on; `wait_for_disconnects` waits.
It runs in a thread of its own; all attributes may be read and set from any thread.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from cloudllm.messages import Usage

_BATCH = 20
_SSE = "text/event-stream"
_JSON = "application/json"
_ANTHROPIC_WORDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one request gets; the fields below the first group make it misbehave.

    text           the answer: a string is sent word by word, a list chunk by chunk as it stands
    reasoning      sent before the text, cut up in the same way
    first_delay    seconds before the first chunk (after the headers)
    delay          seconds between chunks; with 0 they are sent in bursts
    usage          what is reported; `None` reports nothing
    finish_reason  in OpenAI's words; `None` ends the stream without any

    status         the HTTP status
    headers        sent in addition
    body           sent instead of an answer; `{key}` in it becomes the key that the caller sent
    content_type   of `body`
    cut_after      stop after that many chunks; 0 is after the headers, -1 before them
    cut            how: "end" finishes the body cleanly, "close" closes the socket, "reset" resets it
    stall_after    go silent after that many chunks (as `cut_after`) until the caller hangs up
    heartbeat      seconds between the SSE comments sent during every wait; `None` sends none
    """

    text: str | Sequence[str] = "Hello from the wire."
    reasoning: str | Sequence[str] = ()
    first_delay: float = 0.0
    delay: float = 0.0
    usage: Usage | None = field(default_factory=lambda: Usage(input_tokens=7, output_tokens=5))
    finish_reason: str | None = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    content_type: str = _JSON
    cut_after: int | None = None
    cut: Literal["end", "close", "reset"] = "end"
    stall_after: int | None = None
    heartbeat: float | None = None

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "scripted failure",
        *,
        kind: str = "scripted_error",
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """An error in the JSON form that OpenAI and Anthropic share."""
        error = {"message": message, "type": kind, "code": code, "param": None}
        body = json.dumps({"type": "error", "error": error})
        return cls(status=status, body=body, headers=headers or {})

    @classmethod
    def redirect(cls, location: str, status: int = 307) -> Self:
        """A redirect to `location`."""
        return cls(status=status, body="", headers={"location": location})

    @classmethod
    def html(cls, page: str = "<!doctype html><title>Sign in</title>", status: int = 200) -> Self:
        """A web page where an answer should be, as captive portals and wrong addresses send it."""
        return cls(status=status, body=page, content_type="text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; header names are in lower case, `body` is the parsed JSON."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def key(self) -> str | None:
        """The key it carried, in OpenAI's or Anthropic's header."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return bearer or self.headers.get("x-api-key")


Script = Reply | Callable[[Received], Reply]


class WireServer:
    """The server; a context manager, or `start` and `stop`. `port` 0 takes a free one."""

    def __init__(self, *replies: Script, port: int = 0) -> None:
        self.default: Script = Reply()
        self.models: list[str] = ["gpt-4.1-nano"]
        self.requests: list[Received] = []
        self.disconnects = 0
        self.connections = 0
        self._queue: deque[Script] = deque(replies)
        self._port = port
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._open: set[_Connection] = set()
        self._thread = threading.Thread(target=self._run, name="wire-server", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self._port

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The `api_base` of an OpenAI-compatible client."""
        return f"{self.origin}/v1"

    def replies(self, *replies: Script) -> None:
        """Queue replies for the requests to come."""
        self._queue.extend(replies)

    def wait_for_disconnects(self, count: int = 1, timeout: float = 2.0) -> bool:
        """Wait until `count` replies were hung up on; false if that took more than `timeout` s."""
        with self._changed:
            return self._changed.wait_for(lambda: self.disconnects >= count, timeout)

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(listener), self._loop).result()

    def stop(self) -> None:
        """Close the listener and every connection."""
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self, listener: socket.socket) -> None:
        self._listener = listener
        self._server = await self._loop.create_server(lambda: _Connection(self), sock=listener)

    async def _shut_down(self) -> None:
        self._loop.remove_reader(self._listener)
        for _ in range(3):  # lets asyncio open what it has accepted; else it would forget to close
            await asyncio.sleep(0)
        while self._open:
            for connection in tuple(self._open):
                connection.abort()
            await asyncio.sleep(0)
        replies = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*replies, return_exceptions=True)
        self._server.close()

    def opened(self, connection: _Connection) -> None:
        """A caller connected."""
        self._open.add(connection)
        self.connections += 1

    def closed(self, connection: _Connection, *, in_reply: bool) -> None:
        """A caller left, `in_reply` if it did not wait for the end."""
        self._open.discard(connection)
        with self._changed:
            self.disconnects += in_reply
            self._changed.notify_all()

    def answer(self, request: Received) -> Reply:
        """Record the request and take the reply that is due."""
        if request.method == "GET":
            return self._listing(request)
        self.requests.append(request)
        script = self._queue.popleft() if self._queue else self.default
        return script(request) if callable(script) else script

    def _listing(self, request: Received) -> Reply:
        if not request.path.endswith("/models"):
            return Reply.error(404, f"no such path: {request.path}")
        data = [{"id": name, "object": "model", "owned_by": "test"} for name in self.models]
        return Reply(body=json.dumps({"object": "list", "data": data}))


class _Connection(asyncio.Protocol):
    """One TCP connection: parses requests, runs one reply at a time, notices the caller leaving."""

    def __init__(self, server: WireServer) -> None:
        self._server = server
        self._buffer = b""
        self._reply: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP servers make
        self._transport = transport
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        unfinished = self._reply is not None and not self._reply.done()
        if self._reply and unfinished:
            self._reply.cancel()
        self._server.closed(self, in_reply=unfinished)

    def abort(self) -> None:
        """Drop the connection and the reply that runs on it."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._buffer[:1].isalpha():  # a TLS handshake, for one
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
        body = json.loads(rest[:length]) if length else {}
        request = Received(method, urlsplit(target).path, headers, body)
        reply = self._server.answer(request)
        self._reply = asyncio.get_running_loop().create_task(self._send(request, reply))

    async def _send(self, request: Received, reply: Reply) -> None:
        if not await self._goes_on(reply, -1):
            return
        if reply.body is not None:
            key = request.key or ""
            self._head(reply, reply.content_type, body=reply.body.replace("{key}", key))
        elif not request.body.get("stream"):
            self._head(reply, _JSON, body=json.dumps(_whole(request, reply)))
        else:
            self._head(reply, _SSE)
            await self._stream(request, reply)

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

    async def _stream(self, request: Received, reply: Reply) -> None:
        wire = _anthropic if request.path.endswith("/messages") else _openai
        opening, chunks, closing = wire(request, reply)
        self._write(opening)
        if reply.first_delay:
            await self._wait(reply.first_delay, reply.heartbeat)
        async for burst in _paced(chunks, reply, self._wait):
            if isinstance(burst, int):
                if not await self._goes_on(reply, burst):
                    return
            else:
                self._write(burst)
        self._write(closing, last=True)

    async def _goes_on(self, reply: Reply, sent: int) -> bool:
        """Whether the reply goes on after `sent` chunks; cuts or stalls it if that is due."""
        if reply.stall_after == sent:
            await self._wait(None, reply.heartbeat)
        if reply.cut_after != sent:
            return True
        if reply.cut == "end" and sent >= 0:
            self._transport.write(b"0\r\n\r\n")
        elif reply.cut == "reset":
            await asyncio.sleep(0.02)  # a reset overtakes what the caller has not read yet
            linger = struct.pack("ii", 1, 0)
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        else:
            self._transport.close()
        return False

    async def _wait(self, seconds: float | None, heartbeat: float | None) -> None:
        """Wait that long, or until the caller hangs up, which cancels this task."""
        loop = asyncio.get_running_loop()
        end = float("inf") if seconds is None else loop.time() + seconds
        while (left := end - loop.time()) > 0:
            await asyncio.sleep(min(left, heartbeat or 60.0))
            if heartbeat and loop.time() < end:
                self._write(": still here\n\n")

    def _write(self, text: str, *, last: bool = False) -> None:
        data = text.encode()
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._transport.write(chunk + (b"0\r\n\r\n" if last else b""))


async def _paced(
    chunks: Sequence[str], reply: Reply, wait: Callable[[float, float | None], Any]
) -> AsyncIterator[str | int]:
    """Yield what to write, and after each write how many chunks are out."""
    stops = {reply.cut_after, reply.stall_after, len(chunks)}
    yield 0
    burst: list[str] = []
    for count, chunk in enumerate(chunks, 1):
        burst.append(chunk)
        if reply.delay or len(burst) == _BATCH or count in stops:
            yield "".join(burst)
            burst.clear()
            yield count
            if count < len(chunks):
                await wait(reply.delay, reply.heartbeat) if reply.delay else await asyncio.sleep(0)


def _pieces(text: str | Sequence[str]) -> Sequence[str]:
    return re.findall(r"\s*\S+\s*?", text) if isinstance(text, str) else text


def _openai(request: Received, reply: Reply) -> tuple[str, list[str], str]:
    """Opening, chunks and closing of OpenAI's event stream."""

    def event(delta: Mapping[str, str], finish: str | None = None) -> str:
        return _data({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    base = {**_OPENAI_BASE, "object": "chat.completion.chunk", "model": _model(request)}
    chunks = [event({"reasoning_content": piece}) for piece in _pieces(reply.reasoning)]
    chunks += [event({"content": piece}) for piece in _pieces(reply.text)]
    closing = event({}, reply.finish_reason) if reply.finish_reason else ""
    if reply.usage:
        closing += _data({**base, "choices": [], "usage": _openai_usage(reply.usage)})
    return event({"role": "assistant", "content": ""}), chunks, closing + "data: [DONE]\n\n"


def _anthropic(request: Received, reply: Reply) -> tuple[str, list[str], str]:
    """Opening, chunks and closing of Anthropic's event stream."""
    usage = {"input_tokens": reply.usage.input_tokens, "output_tokens": 1} if reply.usage else {}
    message = {**_anthropic_base(request), "content": [], "stop_reason": None, "usage": usage}
    chunks = [*_blocks(reply)]
    closing = _named("content_block_stop", index=0)
    if reply.finish_reason:
        word = _ANTHROPIC_WORDS.get(reply.finish_reason, reply.finish_reason)
        count = {"output_tokens": reply.usage.output_tokens} if reply.usage else {}
        closing += _named("message_delta", delta={"stop_reason": word}, usage=count)
        closing += _named("message_stop")
    return _named("message_start", message=message), chunks, closing


def _blocks(reply: Reply) -> Iterator[str]:
    """The deltas of the thinking block and of the text block, with what opens and closes them."""
    thoughts = _pieces(reply.reasoning)
    opening = ""
    if thoughts:
        opening = _named(
            "content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}
        )
    for thought in thoughts:
        delta = {"type": "thinking_delta", "thinking": thought}
        yield opening + _named("content_block_delta", index=0, delta=delta)
        opening = ""
    if thoughts:
        opening = _named("content_block_stop", index=0)
    opening += _named("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for piece in _pieces(reply.text):
        delta = {"type": "text_delta", "text": piece}
        yield opening + _named("content_block_delta", index=0, delta=delta)
        opening = ""


def _whole(request: Received, reply: Reply) -> dict[str, Any]:
    """The answer to a request that did not ask for a stream."""
    text = "".join(reply.text)
    usage = reply.usage
    if request.path.endswith("/messages"):
        counts = usage and {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
        }
        word = _ANTHROPIC_WORDS.get(reply.finish_reason or "", reply.finish_reason)
        content = [{"type": "text", "text": text}]
        return {
            **_anthropic_base(request),
            "content": content,
            "stop_reason": word,
            "usage": counts,
        }
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    base = {**_OPENAI_BASE, "object": "chat.completion", "model": _model(request)}
    return {**base, "choices": [choice], "usage": usage and _openai_usage(usage)}


def _openai_usage(usage: Usage) -> dict[str, Any]:
    report: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        report["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        report["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return report


_OPENAI_BASE = {"id": "chatcmpl-1", "created": 1}


def _anthropic_base(request: Received) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": _model(request)}


def _model(request: Received) -> str:
    return str(request.body.get("model", ""))


def _data(payload: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(payload, separators=(',', ':'))}\n\n"


def _named(event: str, **payload: Any) -> str:  # noqa: ANN401 - JSON
    return f"event: {event}\n" + _data({"type": event, **payload})
