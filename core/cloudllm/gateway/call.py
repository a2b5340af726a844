"""One call: the provider's stream through litellm, its true end, and the events that come out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from cloudllm.errors import CloudLLMError
from cloudllm.events import StreamEnded, StreamEvent, TextDelta
from cloudllm.gateway import backends, load, metadata, wire
from cloudllm.gateway.border import Papers
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
    exchange = Exchange(papers=Papers.of(client, request))
    info = metadata.complete(client)
    clock = Clock(client.label, deadlines, deadlines.first_token_for(info), exchange)
    words = Translator(client, exchange, lambda: metadata.names(client))
    call_id, backend = None, None
    if client.backend is not None:
        call_id, backend = backends.open_call(client.backend, request)
    source = _Source(clock, exchange, backend)
    error: CloudLLMError | None = None
    try:
        await source.open(engine, wire.arguments(client, request, call_id))
        async with aclosing(source.deltas()) as deltas:
            async for delta in deltas:
                yield delta
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - translated, and nothing else escapes
        error = _meaning(exc, source, words)
    finally:
        if call_id is not None:
            backends.close_call(call_id)
        await source.close()
        await exchange.close()
    whole = "" if source.visible else exchange.ending.whole
    if error is None and source.finish_reason is None and not (source.visible or whole or backend):
        error = words.no_answer()
    if error is not None:  # raised out here, where litellm's exception is no part of it
        raise error
    if whole:
        yield TextDelta(whole)
    yield source.ended()


def _meaning(exc: BaseException, source: _Source, words: Translator) -> CloudLLMError | None:
    """What the exception says of the call; nothing if the answer was complete before it, or cut.

    The wire runs ahead of litellm: of what follows a finish reason only its own end, or a silence,
    leaves nothing behind. After a clean end without one, litellm raises on some routes only.
    """
    if source.backend is not None and source.backend.error is not None:
        return words.failed_backend(source.backend.error)
    ended = source.finish_reason is not None
    ending = words.exchange.ending
    if source.clock.expired():
        return None if ended else source.clock.exceeded(words.host)
    if (ended and ending.failure is not None) or (ending.over and ending.known and not ended):
        return None
    if ended and ending.over and ending.whole and not source.visible:
        return None  # the answer came in one piece, which some routes take for a broken stream
    return words.translate(exc)


class _Source:
    """The provider's chunks, and what is known of their end."""

    def __init__(
        self, clock: Clock, exchange: Exchange, backend: backends.BackendCall | None
    ) -> None:
        self.visible = False
        self.clock = clock
        self._exchange = exchange
        self.backend = backend
        self._claimed: str | None = None
        self._stream: Any = None
        self._chunks: AsyncIterator[Any]

    async def open(self, engine: Engine, arguments: dict[str, Any]) -> None:
        """Send the request and wait for the headers."""
        self._stream = await self.clock.wait(engine.litellm.acompletion(**arguments))
        self._chunks = await self.clock.wait(wire.chunks(self._stream))

    async def deltas(self) -> AsyncGenerator[StreamEvent, None]:
        """Yield deltas until the provider's stream ends."""
        clock = self.clock
        rested = time.perf_counter()
        while True:
            try:
                chunk = await clock.wait(anext(self._chunks))
            except StopAsyncIteration:
                break
            for delta in (*wire.deltas(chunk), *self._exchange.ending.take()):
                self.visible = True
                if delta is not None:
                    yield delta
                clock.sign_of_life()
            self._claimed = wire.claimed_finish(chunk) or self._claimed
            if self.finish_reason is not None:
                clock.finish()
            if time.perf_counter() - rested > _BURST:
                await asyncio.sleep(0)
                rested = time.perf_counter()
        for delta in self._exchange.ending.take():
            self.visible = True
            yield delta

    @property
    def finish_reason(self) -> str | None:
        """The provider's own."""
        if self.backend is not None:
            return self.backend.ended.finish_reason if self.backend.ended else None
        ending = self._exchange.ending
        return ending.finish_reason if ending.known else self._claimed

    def ended(self) -> StreamEnded:
        """The last event; numbers of a stream that was cut are not the last ones."""
        if self.backend is not None:
            return self.backend.ended or StreamEnded(None)
        finish_reason = self.finish_reason
        return StreamEnded(finish_reason, self._exchange.ending.usage if finish_reason else None)

    async def close(self) -> None:
        """Close litellm's stream; on some routes that leaves the connection open."""
        if self._stream is not None:
            await self._stream.aclose()
