"""Connections of all calls: one pool per event loop, no redirects, and a witness for each call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self

from cloudllm.errors import InvalidResponse
from cloudllm.gateway import inflate, wording
from cloudllm.gateway.body import Body, Excerpt, reader_for
from cloudllm.gateway.border import Papers
from cloudllm.gateway.ends import Ending
from cloudllm.words import one_line, redact_all

Pool = Any  # litellm's transport on aiohttp


def _nothing() -> None:
    """What happens on a connection that nobody times."""


@dataclass(slots=True, eq=False)
class Exchange:
    """What was seen on the wire during one call; litellm hides or renames much of it."""

    url: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    failure: Exception | None = None
    response: Any = None
    papers: Papers = field(default_factory=Papers)
    credentials: tuple[str, ...] = ()
    ending: Ending = field(default_factory=Ending)
    max_reply_bytes: int = 16 * 2**20
    sent_bytes: int = 0
    is_connecting: bool = False
    connecting: Callable[[], None] = _nothing
    connected: Callable[[], None] = _nothing

    async def close(self) -> None:
        """Drop the connection unless the response was read to its end."""
        if self.response is not None:
            with contextlib.suppress(Exception):  # it broke while it was closed: closed it is
                await self.response.aclose()
        await asyncio.sleep(0)  # the socket itself is closed in the loop's next round


current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


class LoopTransport:
    """A transport for httpx clients that are shared by all event loops of the process.

    It checks each request by the call's papers, reports each response to the call's `Exchange`, and
    fails a request that is sent again after it failed: litellm retries some silently, and whoever
    pays should know. No client can follow a redirect, since none sees where it leads. A pool is
    closed with its loop: `asyncio.run` closes the async generators that are still open, and each
    pool lives in one.
    """

    make_pool: Callable[[], Pool]

    def __init__(self, body: type[Body]) -> None:
        self._body = body
        self._pools: dict[asyncio.AbstractEventLoop, tuple[Pool, AsyncGenerator[Pool, None]]] = {}
        self._unanswered: set[Exchange] = set()

    @property
    def is_connecting(self) -> bool:
        """Does a request wait for its connection?"""
        return any(exchange.is_connecting for exchange in tuple(self._unanswered))

    async def handle_async_request(self, request: Any) -> Any:  # noqa: ANN401 - httpx's types
        """Send one request."""
        exchange = current.get() or Exchange()
        if exchange.failure is not None:
            raise exchange.failure
        exchange.url = str(request.url)
        exchange.sent_bytes = int(request.headers.get("content-length", 0))
        exchange.failure = exchange.papers.objection(request)
        if exchange.failure is not None:
            raise exchange.failure
        exchange.credentials = exchange.papers.search(request.headers)
        request.headers["accept-encoding"] = "identity"  # the body is read along as it comes
        request.extensions["timeout"] = {}  # the deadlines are ours
        pool = await self._pool()
        self._unanswered.add(exchange)
        try:
            response = await pool.handle_async_request(request)
        except Exception as exc:
            exchange.failure = exc
            raise
        finally:
            self._unanswered.discard(exchange)
        self._note(exchange, response)
        return response

    def _note(self, exchange: Exchange, response: Any) -> None:  # noqa: ANN401 - httpx's
        exchange.response = response
        exchange.status = response.status_code
        exchange.headers = response.headers.copy()
        for name in ("location", "set-cookie", "content-encoding", "content-length"):
            response.headers.pop(name, None)  # nobody follows, keeps, or unpacks what is unpacked
        packed = exchange.headers.get("content-encoding", "")
        coding = inflate.coding_of(redact_all(packed, exchange.papers.secrets))
        inflater = inflate.Inflater(coding) if inflate.knows(coding) else None
        ending = Ending()
        if response.is_success:
            if coding and inflater is None:
                exchange.failure = _packed(exchange, coding)
                raise exchange.failure
            content_type = response.headers.get("content-type", "").lower()
            reader = reader_for(content_type, ending, exchange.max_reply_bytes)
            exchange.ending = ending
        else:
            reader = Excerpt(0) if coding and inflater is None else Excerpt()
        response.stream = self._body(response.stream, reader, ending, inflater)

    async def close(self) -> None:
        """Close the running loop's pool."""
        _, lease = self._pools.get(asyncio.get_running_loop(), (None, None))
        if lease is not None:
            await lease.aclose()

    async def aclose(self) -> None:
        """Do nothing: an httpx client that is closed must not close what others share."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """See `aclose`."""

    async def _pool(self) -> Pool:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            for dead in [known for known in list(self._pools) if known.is_closed()]:
                self._pools.pop(dead, None)
            pool = self.make_pool()
            lease = self._lease(loop, pool)
            self._pools[loop] = (pool, lease)
            await anext(lease)
        return self._pools[loop][0]

    async def _lease(
        self, loop: asyncio.AbstractEventLoop, pool: Pool
    ) -> AsyncGenerator[Pool, None]:
        try:
            yield pool
        finally:
            self._pools.pop(loop, None)
            await pool.aclose()
            await asyncio.sleep(0)  # lets the closed sockets' callbacks run


def _packed(exchange: Exchange, coding: str) -> InvalidResponse:
    return InvalidResponse(
        f"{wording.host_of(exchange.url or '')} sent an answer compressed as {one_line(coding)!r}",
        advice="It was asked for none that is; check api_base, and any proxy on the way",
        status=exchange.status,
    )


def pool_factory(handler: Any, ssl_context: Any) -> Callable[[], Pool]:  # noqa: ANN401 - litellm's
    """How to make litellm's own transport, with the moments of connecting made known.

    `handler` is litellm's `AsyncHTTPHandler`. Its aiohttp transport is the fast one, and the one
    that keeps connections.
    """

    def make() -> Pool:
        plain = handler.create_aiohttp_transport(ssl_context=ssl_context)
        make_session = plain.client

        def make_traced_session() -> Any:  # noqa: ANN401 - aiohttp's
            session = make_session()
            session.trace_configs.append(_trace())
            return session

        return type(plain)(client=make_traced_session, ssl_verify=ssl_context)

    return make


def _trace() -> Any:  # noqa: ANN401 - aiohttp's
    from aiohttp import TraceConfig  # noqa: PLC0415 - comes with litellm, loaded with it

    async def started(_session: object, _context: SimpleNamespace, _params: object) -> None:
        exchange = current.get() or Exchange()
        exchange.is_connecting = True
        exchange.connecting()

    async def ended(_session: object, _context: SimpleNamespace, _params: object) -> None:
        exchange = current.get() or Exchange()
        exchange.is_connecting = False
        exchange.connected()

    config = TraceConfig()
    config.on_connection_create_start.append(started)
    config.on_connection_create_end.append(ended)
    config.freeze()
    return config
