"""One call: litellm's stream, its true end, and the events that come out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Self

from cloudllm.errors import CloudLLMError
from cloudllm.events import StreamEnded, StreamEvent
from cloudllm.gateway import backends, load, metadata, wire
from cloudllm.gateway.clock import Clock
from cloudllm.gateway.errors import Translator
from cloudllm.gateway.load import Engine
from cloudllm.gateway.network import Exchange
from cloudllm.provider import Client, Deadlines, Request

_BURST = 0.008  # seconds that buffered chunks may keep the event loop


async def stream(
    client: Client, request: Request, deadlines: Deadlines
) -> AsyncGenerator[StreamEvent, None]:
    """See `cloudllm.gateway.stream`."""
    engine = await load.engine()
    request = replace(request, params={**client.params, **request.params})
    exchange = Exchange(hosts=client.hosts)
    info = metadata.complete(engine, client)
    clock = Clock(client.label, deadlines, deadlines.first_token_for(info), exchange)
    words = Translator(client, exchange, lambda: metadata.names(engine, client))
    call_id, backend = None, None
    if client.backend is not None:
        call_id, backend = backends.open_call(client.backend, request)
    source = _Source(clock, backend, exact=wire.uses_openai_sdk(engine, client))
    error: CloudLLMError | None = None
    try:
        await source.open(engine, client, request, call_id)
        async with aclosing(source.deltas()) as deltas:
            async for delta in deltas:
                yield delta
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - translated, and nothing else escapes
        error = _meaning(exc, clock, words, backend, ended=source.finish_reason is not None)
    finally:
        if call_id is not None:
            backends.close_call(call_id)
        await source.close()
        await exchange.close()
    if error is None and source.finish_reason is None and not source.visible and not backend:
        error = words.no_answer()
    if error is not None:  # raised out here, where litellm's exception is no part of it
        raise error
    yield source.ended()


def _meaning(
    exc: BaseException,
    clock: Clock,
    words: Translator,
    backend: backends.BackendCall | None,
    *,
    ended: bool,
) -> CloudLLMError | None:
    """What the exception says of the call; nothing if the answer was complete before it."""
    if backend is not None and backend.error is not None:
        return words.failed_backend(backend.error)
    if ended:
        return None
    if clock.expired():
        return clock.exceeded(words.host)
    return words.translate(exc)


class _Source:
    """litellm's stream, its end watched by us."""

    def __init__(self, clock: Clock, backend: backends.BackendCall | None, *, exact: bool) -> None:
        self.visible = False
        self._exact = exact
        self._clock = clock
        self._backend = backend
        self._stream: Any = None
        self._watch: _EndWatch | None = None

    async def open(
        self, engine: Engine, client: Client, request: Request, call_id: str | None
    ) -> None:
        """Send the request and wait for the headers."""
        arguments = wire.arguments(engine, client, request, call_id)
        self._stream = await self._clock.wait(engine.litellm.acompletion(**arguments))
        self._watch = _EndWatch.put_on(self._stream)

    async def deltas(self) -> AsyncGenerator[StreamEvent, None]:
        """Yield deltas until the provider's stream ends."""
        clock = self._clock
        rested = time.perf_counter()
        while True:
            try:
                chunk = await clock.wait(anext(self._stream))
            except (StopAsyncIteration, _Ended):
                return
            for delta in wire.deltas(chunk):
                self.visible = True
                if delta is not None:
                    yield delta
                clock.sign_of_life()
            if self.finish_reason is not None:
                clock.finish()
            if time.perf_counter() - rested > _BURST:
                await asyncio.sleep(0)
                rested = time.perf_counter()

    @property
    def finish_reason(self) -> str | None:
        """The provider's own, which litellm invents where none came but keeps apart."""
        if self._backend is not None:
            return self._backend.ended.finish_reason if self._backend.ended else None
        return getattr(self._stream, "received_finish_reason", None)

    def ended(self) -> StreamEnded:
        """The last event."""
        if self._backend is not None:
            return self._backend.ended or StreamEnded(None)
        if self.finish_reason is None:  # numbers of a stream that was cut are not the last ones
            return StreamEnded(None)
        seen = getattr(self._stream, "chunks", [])
        reports = self._watch.usage_reports if self._watch else []
        return StreamEnded(self.finish_reason, wire.usage(seen, reports, exact=self._exact))

    async def close(self) -> None:
        """Close litellm's stream; on some routes that leaves the connection open."""
        if self._stream is not None:
            await self._stream.aclose()


class _Ended(BaseException):
    """The provider's stream is exhausted.

    Not an `Exception`, so that it passes through litellm, which at this point would rebuild the
    answer from all its chunks and invent a finish reason and a usage.
    """


class _EndWatch:
    """The provider's stream inside litellm's; tells its end to us instead of litellm.

    It keeps the chunks that carry nothing but usage, too: litellm would copy each of them twice.
    """

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - differs by route
        self.usage_reports: list[Any] = []
        self._stream = stream
        iterator = aiter(stream)
        # The OpenAI SDK wraps itself anew in a generator for each `aiter`; litellm asks per chunk.
        self._iterator: AsyncIterator[Any] = stream if hasattr(stream, "__anext__") else iterator

    @classmethod
    def put_on(cls, wrapper: Any) -> _EndWatch | None:  # noqa: ANN401 - litellm's
        """Take the place of the inner stream, where there is an asynchronous one."""
        inner = getattr(wrapper, "completion_stream", None)
        if not hasattr(inner, "__aiter__"):
            return None
        wrapper.completion_stream = watch = cls(inner)
        return watch

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - differs by route
        try:
            while True:
                chunk = await anext(self._iterator)
                if getattr(chunk, "choices", True):
                    return chunk
                if report := getattr(chunk, "usage", None):
                    self.usage_reports.append(report)
        except StopAsyncIteration:
            raise _Ended from None

    async def aclose(self) -> None:
        """Close the stream by whatever name that has."""
        close = getattr(self._stream, "aclose", None) or getattr(self._stream, "close", None)
        result = close() if close else None
        if isinstance(result, Awaitable):
            await result
