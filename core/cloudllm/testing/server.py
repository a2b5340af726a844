"""A scripted provider on the loopback interface: six wire formats, and their failures.

    with WireServer() as server:
        server.replies(Reply(text=["Hel", "lo"]), Reply.error(429, headers={"retry-after": "2"}))
        ...                                  # point api_base at server.url ("http://127.0.0.1:PORT/v1")
        assert server.requests[0].body["model"] == "gpt-4.1-nano"

`replies` are used up one per request, in order; after them every request gets `server.default`.
Either may be a function of the request: `server.default = lambda request: Reply(text=...)`.
The end of the path says which format a request is in, whatever stands before it: OpenAI's chat
completions (Azure's too) and responses, Anthropic's messages, Gemini, Ollama, Bedrock's converse;
streamed or whole, as the request asks. `server.url` suits what speaks OpenAI's format, and
`server.origin`, without /v1, Anthropic and Ollama; `server.at(url)` keeps the path of any address.
GET …/models and …/api/tags list `server.models`. A path that is none of these gets a 404.

`server.disconnects` counts the replies that the caller hung up on; `wait_for_disconnects` waits.
It runs in a thread of its own; all attributes may be read and set from any thread.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import deque
from typing import Self
from urllib.parse import urlsplit

from cloudllm.testing.connection import Connection
from cloudllm.testing.script import Received, Reply, Script
from cloudllm.testing.wires import listing, wire_of


class WireServer:
    """The server; a context manager, or `start` and `stop`. `port` 0 takes a free one.

    requests     every POST in one of the formats, and every one that is in none
    listings     every request for a list of models, and for what is known of one
    connections  how many were opened
    peak         how many replies were in progress at once, at most
    """

    def __init__(self, *replies: Script, port: int = 0) -> None:
        self.default: Script = Reply()
        self.models: list[str] = ["gpt-4.1-nano"]
        self.requests: list[Received] = []
        self.listings: list[Received] = []
        self.disconnects = 0
        self.connections = 0
        self.peak = 0
        self._queue: deque[Script] = deque(replies)
        self._working = 0
        self._port = port
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._open: set[Connection] = set()
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

    def at(self, url: str) -> str:
        """This server's address with the path of `url`."""
        return f"{self.origin}{urlsplit(url).path}"

    def replies(self, *replies: Script) -> None:
        """Queue replies for the requests to come."""
        self._queue.extend(replies)

    def forget(self) -> None:
        """Forget what was scripted, received and counted."""
        self._queue.clear()
        self.default = Reply()
        self.requests = []
        self.listings = []
        self.disconnects = self.connections = self.peak = 0

    def wait_for_disconnects(self, count: int = 1, timeout: float = 2.0) -> bool:
        """Wait until `count` replies were hung up on; false if that took more than `timeout` s."""
        with self._changed:
            return self._changed.wait_for(lambda: self.disconnects >= count, timeout)

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        listener = socket.create_server(("127.0.0.1", self._port), backlog=512)
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
        self._server = await self._loop.create_server(lambda: Connection(self), sock=listener)

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

    def opened(self, connection: Connection) -> None:
        """A caller connected."""
        self._open.add(connection)
        self.connections += 1

    def closed(self, connection: Connection, *, in_reply: bool) -> None:
        """A caller left, `in_reply` if it did not wait for the end."""
        self._open.discard(connection)
        with self._changed:
            self.disconnects += in_reply
            self._changed.notify_all()

    def working(self, by: int) -> None:
        """So many more replies, or fewer, are in progress."""
        self._working += by
        self.peak = max(self.peak, self._working)

    def answer(self, request: Received) -> Reply:
        """Record the request and take the reply that is due."""
        if request.method == "GET" or request.path.endswith("/api/show"):
            self.listings.append(request)
            return self._listing(request)
        self.requests.append(request)
        if wire_of(request.path) is None:
            return Reply.error(404, f"{request.path} is the path of no wire format")
        script = self._queue.popleft() if self._queue else self.default
        return script(request) if callable(script) else script

    def _listing(self, request: Received) -> Reply:
        if request.method == "POST":  # Ollama, asked what it knows of a model
            return Reply(body=json.dumps({"capabilities": ["completion"], "model_info": {}}))
        found = listing(request.path, self.models)
        if found is None:
            return Reply.error(404, f"no such path: {request.path}")
        return Reply(body=json.dumps(found))
