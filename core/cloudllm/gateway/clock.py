"""The deadlines of one call: which one holds now, and what to say when it passes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Literal, TypeVar

from cloudllm.errors import DeadlineExceeded
from cloudllm.gateway.network import Exchange, current
from cloudllm.provider import Deadlines

_GRACE = 1.0  # seconds that the usage may come after the finish reason

_T = TypeVar("_T")
_Phase = Literal["connect", "first_token", "gap", "total", "end"]


@dataclass(slots=True)
class _Limit:
    phase: _Phase
    at: float | None


class Clock:
    """The deadline that holds at the moment; a timer runs only while we wait for the provider."""

    def __init__(
        self, label: str, deadlines: Deadlines, first_token: float | None, exchange: Exchange
    ) -> None:
        self._label = label
        self._deadlines = deadlines
        self._now = asyncio.get_running_loop().time
        self._exchange = exchange
        self._timer: asyncio.Timeout | None = None
        self._first_token = first_token
        self._total = _Limit("total", self._in(deadlines.total))
        self._first = self._sooner(_Limit("first_token", self._in(self._first_token)))
        self._limit = self._first
        exchange.connecting = self._connecting
        exchange.connected = self._connected
        if deadlines.patience is not None:
            deadlines.patience.listen(self._lift)
            if deadlines.patience.endless:
                self._lift()

    async def wait(self, awaited: Awaitable[_T]) -> _T:
        """Wait under the deadline; raises `TimeoutError` when it passes."""
        token = current.set(self._exchange)
        try:
            async with asyncio.timeout_at(self._limit.at) as self._timer:
                return await awaited
        finally:
            current.reset(token)

    def sign_of_life(self) -> None:
        """A visible token came."""
        self._limit = self._sooner(_Limit("gap", self._in(self._deadlines.gap)))

    def finish(self) -> None:
        """The finish reason came; only usage may follow."""
        if self._limit.phase != "end":
            self._limit = self._sooner(_Limit("end", self._now() + _GRACE))

    def expired(self) -> bool:
        """Whether the last wait ended because its deadline passed."""
        return self._timer is not None and self._timer.expired()

    def exceeded(self, host: str) -> DeadlineExceeded:
        """The error for the deadline that passed, naming the setting that moves it."""
        phase = self._limit.phase
        message, seconds = {
            "connect": (f"no connection to {host}", self._deadlines.connect),
            "first_token": ("no reply", self._first_token),
            "gap": ("no text for", self._deadlines.gap),
            "total": ("the reply took longer than", self._deadlines.total),
        }[phase]
        within = " within" if phase in {"connect", "first_token"} else ""
        error = DeadlineExceeded(
            f"{self._label}: {message}{within} {seconds:g} s",
            advice=f"The setting timeout.{phase} changes how long to wait",
            tries=2 if phase in {"connect", "first_token"} else 1,
        )
        error.accepted = phase != "connect"  # it may be at work on it, though it has said nothing
        return error

    def _lift(self) -> None:
        """No deadline holds any more but the one for the usage after the end."""
        self._total = _Limit("total", None)
        self._first = _Limit("first_token", None)
        self._deadlines = Deadlines(connect=None, first_token=None, gap=None)
        if self._limit.phase != "end":
            with contextlib.suppress(RuntimeError):  # nobody waits, or it has just passed
                self._move(self._first)

    def _connecting(self) -> None:
        limit = _Limit("connect", self._in(self._deadlines.connect))
        self._move(limit if _before(limit, self._first) else self._first)

    def _connected(self) -> None:
        self._move(self._first)

    def _move(self, limit: _Limit) -> None:
        self._limit = limit
        if self._timer is not None:
            self._timer.reschedule(limit.at)

    def _sooner(self, limit: _Limit) -> _Limit:
        return self._total if _before(self._total, limit) else limit

    def _in(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._now() + seconds


def _before(one: _Limit, other: _Limit) -> bool:
    return one.at is not None and (other.at is None or one.at < other.at)
