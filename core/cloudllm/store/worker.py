"""Runs what it is given one after the other, in a daemon thread that ends when there is no more."""

from __future__ import annotations

import heapq
import threading
import time
from collections import deque
from collections.abc import Callable

_LINGER = 1.0  # seconds that it waits for more to do


class Worker:
    """A thread of its own for what must keep its order; `idle` is called in it before it ends."""

    def __init__(self, idle: Callable[[], None]) -> None:
        self._idle = idle
        self._jobs: deque[Callable[[], object]] = deque()
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._changed = threading.Condition()
        self._running = False

    def put(self, job: Callable[[], object]) -> None:
        """Have `job`, which raises nothing, run after all that were put before it."""
        with self._changed:
            self._jobs.append(job)
            self._wake()

    def put_later(self, seconds: float, job: Callable[[], object]) -> None:
        """Have `job` run when that time has passed; what is put meanwhile runs before it."""
        with self._changed:
            self._count += 1  # jobs themselves can't be compared
            heapq.heappush(self._later, (time.monotonic() + seconds, self._count, job))
            self._wake()

    def _wake(self) -> None:
        self._changed.notify()
        if not self._running:
            threading.Thread(target=self._run, name="cloudllm-store", daemon=True).start()
            self._running = True

    def _run(self) -> None:
        while job := self._next() or self._next_after_idle():
            job()

    def _next(self) -> Callable[[], object] | None:
        """Wait for the next job; `None` if there has been none for a while."""
        with self._changed:
            end = time.monotonic() + _LINGER
            while True:
                now = time.monotonic()
                if self._later and self._later[0][0] <= now:
                    self._jobs.append(heapq.heappop(self._later)[2])
                if self._jobs:
                    return self._jobs.popleft()
                if not self._later and now >= end:
                    return None
                self._changed.wait((self._later[0][0] if self._later else end) - now)

    def _next_after_idle(self) -> Callable[[], object] | None:
        self._idle()
        with self._changed:
            self._running = bool(self._jobs or self._later)
            if not self._running:
                return None
        return self._next()
