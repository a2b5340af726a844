"""Asynchronous work for callers that block: on one event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from cloudllm.errors import UsageError
from cloudllm.events import Event

T = TypeVar("T")

_EXIT_PATIENCE = 2.0  # seconds a program's exit may wait for connections to close


class Job(Generic[T]):
    """A coroutine under way on the shared loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._loop = shared.loop()
        self._done = threading.Event()
        self._loop.call_soon_threadsafe(self._start, work)

    def result(self) -> T:
        """Wait for the end of it; an interrupt cancels it and is raised when it is over."""
        try:
            self._done.wait()
        except BaseException:
            self.cancel()
            raise
        return self._task.result()

    def cancel(self) -> None:
        """Cancel it and wait until it is over."""
        if not self._done.is_set():
            self._loop.call_soon_threadsafe(self._cancel)
            if not shared.is_here():
                self._done.wait()

    def _cancel(self) -> None:
        self._task.cancel()

    def _start(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._task = self._loop.create_task(work())
        self._task.add_done_callback(lambda _: self._done.set())


class Pump:
    """One task that reads a stream of events, each when the thread that reads asks for it."""

    def __init__(self, start: Callable[[], AsyncGenerator[Event, None]]) -> None:
        self.reader = threading.current_thread()
        self._start = start
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._demand = asyncio.Semaphore(0)
        self._loop = shared.loop()
        self._stopped = False
        self._job = Job(self._run)

    def next(self) -> Event | None:
        """The next event, or `None` at the end; raises what the stream raised."""
        self._loop.call_soon_threadsafe(self._demand.release)
        event = self._events.get()
        if event is None and not self._stopped:
            self._job.result()
        return event

    def stop(self) -> None:
        """Cancel the turn if it is not over, and wait until what came of it is kept."""
        self._stopped = True
        self._job.cancel()

    async def _run(self) -> None:
        try:
            async with aclosing(self._start()) as events:
                await self._demand.acquire()
                async for event in events:
                    self._events.put(event)
                    await self._demand.acquire()
        finally:
            self._events.put(None)


class LoopThread:
    """The event loop that all blocking sessions share, in a daemon thread."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop; raises `UsageError` if called from its own thread, which would hang."""
        if self.is_here():
            raise UsageError(
                "cloudllm.sync was called inside its own event loop",
                advice="Use cloudllm.LLMSession there, which does not block",
            )
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                started = threading.Event()
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._serve(started)),
                    name="cloudllm.sync",
                    daemon=True,
                )
                self._thread.start()
                started.wait()
        return self._loop

    def is_here(self) -> bool:
        """Does the calling code run on the loop's own thread?"""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Cancel what still runs and close the connections; a later call starts anew."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(_EXIT_PATIENCE)

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        started.set()
        await self._stopped.wait()
        gateway = sys.modules.get("cloudllm.gateway")
        if gateway is not None:
            await gateway.close()


shared = LoopThread()
"""The loop of this process."""
