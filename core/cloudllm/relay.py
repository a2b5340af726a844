"""Runs what makes events in a task of its own, and hands them over one by one, when asked.

A wait for the next event can so be watched, and cut short, without ending what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

_CLEANUP = 0.1
"""Seconds that the end waits for what is cleaned up slowly; it goes on after that, unwatched."""

_QUIET = 10.0
"""Seconds without anything visible after which that is said; sooner where the limit is near."""


class Relay(Generic[T]):
    """Hands over what `produce` emits. It goes on only while the reader waits for the next event.

    `quiet`, called with the seconds so far and the limit, makes the event that says that nothing
    comes; see `watch`.
    """

    def __init__(
        self,
        produce: Callable[[Relay[T]], Awaitable[None]],
        quiet: Callable[[float, float | None], T],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._quiet = quiet
        self._wanted = asyncio.Event()
        self._reader: asyncio.Future[T | None] | None = None
        self._unread: T | None = None  # what came while the reader was told of the silence
        self._watch: asyncio.TimerHandle | None = None
        self._since = 0.0
        self._limit: float | None = None
        self._endless = False
        self._closed = False
        self._task = self._loop.create_task(self._run(produce))
        # A loop may be closed under a turn that somebody left open; nobody need be told then.
        self._task.add_done_callback(_retrieve)
        self._task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001

    async def emit(self, event: T) -> None:
        """Hand over an event, and wait until the next one is asked for."""
        if self._closed:  # who took its cancellation for something else would wait for ever
            raise asyncio.CancelledError
        self._wanted.clear()
        if not self._hand_over(event):
            self._unread = event
        await self._wanted.wait()

    async def next(self) -> T | None:
        """The next event; `None` at the end. Raises what the producer raised."""
        unread, self._unread = self._unread, None
        if unread is not None:
            return unread
        if self._task.done():
            self._check_end()
            return None
        self._reader = self._loop.create_future()
        self._wanted.set()
        try:
            event = await self._reader
        finally:
            self._reader = None
        if event is None:
            self._check_end()
        return event

    def watch(self, limit: float | None) -> None:
        """From now on something visible is waited for, `limit` seconds at most."""
        self._since, self._limit = self._loop.time(), limit
        if self._watch is not None and self._watch.when() > self._since + self._patience:
            self.rest()  # it would look when the limit has passed
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)

    def rest(self) -> None:
        """Nothing is waited for."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def wait_on(self) -> None:
        """There is no limit any more."""
        self._endless = True

    async def close(self) -> None:
        """Stop the producer, and wait until it has cleaned up, for a moment at most."""
        self.rest()
        self._closed = True
        if self._task.done() or self._loop.is_closed():
            return
        if self._loop is asyncio.get_running_loop():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLEANUP)
        else:
            self._loop.call_soon_threadsafe(self._task.cancel)

    @property
    def _patience(self) -> float:
        return _QUIET if self._limit is None else min(_QUIET, self._limit / 2)

    def _look(self) -> None:
        """The timer's end; what came meanwhile has only moved `_since`, which costs less."""
        self._watch = None
        silent = self._loop.time() - self._since
        if silent < self._patience:
            self._watch = self._loop.call_later(self._patience - silent, self._look)
        else:
            self._hand_over(self._quiet(silent, None if self._endless else self._limit))

    def _hand_over(self, event: T | None) -> bool:
        if self._reader is None or self._reader.done():
            return False
        self._reader.set_result(event)
        return True

    async def _run(self, produce: Callable[[Relay[T]], Awaitable[None]]) -> None:
        try:
            await self._wanted.wait()
            await produce(self)
        finally:
            self.rest()
            self._hand_over(None)

    def _check_end(self) -> None:
        """Raise what ended the producer, if it did not come to its own end."""
        with suppress(asyncio.InvalidStateError):
            error = None if self._task.cancelled() else self._task.exception()
            if error is not None:
                raise error
            if self._task.cancelled():  # with the loop, or by whoever found it there
                raise asyncio.CancelledError


def _retrieve(task: asyncio.Task[None]) -> None:
    """Take note of an exception that may have no reader any more."""
    if not task.cancelled():
        task.exception()
