"""A call in a thread of its own, waited for until a deadline, and stopped as far as Python can."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

_current: ContextVar[Call[Any] | None] = ContextVar("current_call", default=None)

_GLANCE = 0.05  # seconds between looks at a call whose time is nearly up


def current_call() -> Call[Any] | None:
    """The call that this code runs in, if any."""
    return _current.get()


class Abandoned(SystemExit):
    """Raised in a thread that nobody waits for any more; threading lets a `SystemExit` pass."""


class Call(Generic[Result]):
    """One call, running in a daemon thread with the caller's context variables.

    After `wait` gave `True`, either `error` is what was raised, or `result` what was returned.
    """

    def __init__(self, call: Callable[[], Result], name: str) -> None:
        self.result: Result
        self.error: BaseException | None = None
        self._call = call
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pauses = 0
        self._paused_at = 0.0
        self._paused = 0.0
        self._context = copy_context()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None) -> bool:
        """Wait for the end, in the main thread until Ctrl-C; is it over?"""
        if seconds is None:
            return self._over.wait()
        end = time.monotonic() + min(seconds, threading.TIMEOUT_MAX)
        while (left := self._left(end)) > 0:
            if self._over.wait(max(left, _GLANCE)):
                return True
        return self._over.is_set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time inside is not the call's own, so `wait` does not count it."""
        with self._lock:
            self._pauses += 1
            if self._pauses == 1:
                self._paused_at = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if not self._pauses:
                    self._paused += time.monotonic() - self._paused_at

    def abandon(self) -> bool:
        """Stop it if it runs Python code, wherever it is; gives `False` if it has just ended.

        What waits in C, such as `time.sleep`, is stopped when it returns, and what catches
        `BaseException` in a loop is not.
        """
        import ctypes  # noqa: PLC0415 - hardly ever needed

        with self._lock:
            if self._over.is_set():
                return False
            thread = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Abandoned))
        return True

    def where(self) -> str:
        """Where it is now, as a traceback shows it."""
        import traceback  # noqa: PLC0415 - only for a failure

        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - documented
        return "".join(traceback.format_stack(frame)) if frame else ""

    def _left(self, end: float) -> float:
        """The seconds that are left of its own; they stand still while it is paused."""
        with self._lock:
            now = time.monotonic()
            paused = self._paused + (now - self._paused_at if self._pauses else 0.0)
            return end + paused - now

    def _run(self) -> None:
        try:
            try:
                self._context.run(_current.set, self)
                self.result = self._context.run(self._call)
            except BaseException as error:  # noqa: BLE001 - it is dealt with where it is waited for
                self.error = error
            with self._lock:
                self._over.set()
        except Abandoned:  # it came when the call had just ended
            self._over.set()
