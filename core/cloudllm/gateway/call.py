"""One call: the provider's stream through litellm, its true end, and the events that come out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from cloudllm.errors import CloudLLMError, NetworkError
from cloudllm.events import StreamEnded, StreamEvent, TextDelta
from cloudllm.gateway import backends, closing, load, metadata, plain, wire
from cloudllm.gateway.border import Papers
from cloudllm.gateway.bound import Bound, too_long
from cloudllm.gateway.clock import Clock
from cloudllm.gateway.errors import Translator
from cloudllm.gateway.load import Engine
from cloudllm.gateway.network import Exchange
from cloudllm.provider import Client, Deadlines, Request

_BURST = 0.005  # seconds that buffered chunks may keep the event loop


async def stream(
    client: Client, request: Request, deadlines: Deadlines
) -> AsyncGenerator[StreamEvent, None]:
    """See `cloudllm.gateway.stream`."""
    engine = await load.engine()
    request = replace(request, params={**client.params, **request.params})
    papers = Papers.of(client, request)
    exchange = Exchange(papers=papers, max_reply_bytes=request.max_reply_bytes)
    info = metadata.complete(client)
    clock = Clock(client.label, deadlines, deadlines.first_token_for(info), exchange)
    words = Translator(client, exchange, lambda: metadata.names(client), request)
    call_id, backend = None, None
    if client.backend is not None:
        call_id, backend = backends.open_call(client.backend, request)
    source = _Source(clock, exchange, backend)
    error: CloudLLMError | None = None
    try:
        await plain.check(client)
        await source.open(engine, wire.arguments(client, request, call_id))
        async with aclosing(source.deltas()) as deltas:
            async for delta in deltas:
                yield delta
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - translated, and nothing else escapes
        error = _meaning(exc, source, words)
    finally:
        if call_id is not None:
            backends.close_call(call_id)
        await closing.close(_shut(source, exchange))
    whole = "" if source.visible else exchange.ending.whole
    if error is None and source.finish_reason is None and not (source.visible or whole or backend):
        error = words.no_answer()
    if error is not None:  # raised out here, where litellm's exception is no part of it
        raise error
    if whole:
        yield source.bound.fit(TextDelta(whole))
        if source.bound.reached:
            raise words.stamped(too_long(request.max_reply_bytes))
    ended = source.ended()
    yield ended if ended.request_id or backend else replace(ended, request_id=words.request_id)


async def _shut(source: _Source, exchange: Exchange) -> None:
    """Close both, whatever the first has against it."""
    try:
        await source.close()
    finally:
        await exchange.close()


async def _abandoned(opening: asyncio.Task[Any]) -> None:
    """Close a stream that nobody waits for, if there is to be one after all."""
    stream = await opening
    await stream.aclose()


def _meaning(exc: BaseException, source: _Source, words: Translator) -> CloudLLMError | None:
    """What the exception says of the call; nothing if the answer was complete before it, or cut.

    The wire runs ahead of litellm: of what follows a finish reason only its own end, or a silence,
    leaves nothing behind. After a clean end without one, litellm raises on some routes only.
    """
    if source.backend is not None and source.backend.error is not None:
        return words.failed_backend(source.backend.error)
    if source.bound.reached:
        return words.translate(exc)
    ended = source.finish_reason is not None
    ending = words.exchange.ending
    if source.clock.expired():
        return None if ended else words.stamped(source.clock.exceeded(words.host))
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
        self.bound = Bound(exchange.max_reply_bytes)
        self._claimed: str | None = None
        self._stream: Any = None
        self._chunks: AsyncIterator[Any]

    async def open(self, engine: Engine, arguments: dict[str, Any]) -> None:
        """Send the request and wait for the headers."""
        self._stream = await self.clock.wait(self._opened(engine, arguments))
        self._chunks = await self.clock.wait(wire.chunks(self._stream))

    async def _opened(self, engine: Engine, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - litellm's
        """The stream that litellm makes of the call.

        While litellm prepares a request, in a thread, a cancellation would make it lose a coroutine,
        which Python complains of. It is let go on then, to where it finds no way out.
        """
        opening = asyncio.create_task(engine.litellm.acompletion(**arguments))
        try:
            return await asyncio.shield(opening)
        except BaseException:
            if not opening.done():
                if self._exchange.url is None:
                    self._exchange.failure = NetworkError("stopped before it was sent")
                else:
                    opening.cancel()
                await closing.close(_abandoned(opening))
            raise

    async def deltas(self) -> AsyncGenerator[StreamEvent, None]:
        """Yield deltas until the provider's stream ends."""
        clock = self.clock
        rested = time.perf_counter()
        failure: Exception | None = None
        while failure is None:
            try:
                chunk = await clock.wait(anext(self._chunks))
            except StopAsyncIteration:
                break
            except Exception as exc:  # noqa: BLE001 - raised again, after what came before it
                chunk, failure = None, exc
            for delta in (*wire.deltas(chunk), *self._exchange.ending.take()):
                self.visible = True
                yield self.bound.fit(delta)
                self.bound.check()
                clock.sign_of_life()
            self._claimed = wire.claimed_finish(chunk) or self._claimed
            if self.finish_reason is not None:
                clock.finish()
            if time.perf_counter() - rested > _BURST:
                await asyncio.sleep(0)
                rested = time.perf_counter()
        if failure is not None:
            raise failure
        for delta in self._exchange.ending.take():
            self.visible = True
            yield self.bound.fit(delta)
            self.bound.check()

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
