"""Runs what it is given one after the other, in a daemon thread that ends when there is no more."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

_LINGER = 1.0  # seconds that it waits for more to do


class Worker:
    """A thread of its own for what must keep its order; `idle` is called in it before it ends."""

    def __init__(self, idle: Callable[[], None]) -> None:
        self._idle = idle
        self._jobs: deque[Callable[[], object]] = deque()
        self._changed = threading.Condition()
        self._running = False

    def put(self, job: Callable[[], object]) -> None:
        """Have `job`, which raises nothing, run after all that were put before it."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()
            if not self._running:
                threading.Thread(target=self._run, name="cloudllm-store", daemon=True).start()
                self._running = True

    def _run(self) -> None:
        while self._has_more(_LINGER) or self._has_more_after_idle():
            self._jobs.popleft()()

    def _has_more(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._jobs), seconds)

    def _has_more_after_idle(self) -> bool:
        self._idle()
        with self._changed:
            self._running = bool(self._jobs)
            return self._running
