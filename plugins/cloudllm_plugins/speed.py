"""How fast replies come: the last one in the status row, more of them by the command /speed."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace

from cloudllm import (
    Command,
    CommandContext,
    Event,
    Message,
    ReasoningDelta,
    RequestSent,
    TextDelta,
    TurnInfo,
    Usage,
    hookimpl,
)

_REPLIES = 10
_UNDER_WAY = 100
"""Turns whose beginning is remembered: one that fails has no reply that would end it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one reply: until its first sign of life, and in all."""

    model: str
    first: float
    whole: float
    usage: Usage | None

    @property
    def rate(self) -> str:
        """Tokens per second from the first one on; `~` if their number is an estimate."""
        seconds = self.whole - self.first
        if self.usage is None or seconds <= 0:
            return "unknown"
        about = "~" if self.usage.estimated else ""
        return f"{about}{self.usage.output_tokens / seconds:,.0f}"


class Stopwatch:
    """Measures turns as they are reported; `replies` are the last ones, the newest at the end."""

    def __init__(self) -> None:
        self.replies: deque[Timing] = deque(maxlen=_REPLIES)
        self._sent: dict[TurnInfo, float] = {}
        self._first: dict[TurnInfo, float] = {}
        self._last: tuple[str, Message] | None = None

    def event(self, event: Event, turn: TurnInfo, now: float) -> None:
        """Note when the request went out and when the first token came."""
        if isinstance(event, RequestSent):
            self._sent[turn] = now
            if len(self._sent) > _UNDER_WAY:
                oldest = next(iter(self._sent))
                self._forget(oldest)
        elif isinstance(event, TextDelta | ReasoningDelta):
            self._first.setdefault(turn, now)

    def reply(self, reply: Message, turn: TurnInfo, now: float) -> None:
        """Note that a turn has ended."""
        sent = self._sent.get(turn, now)
        first = self._first.get(turn, now)
        usage = self._new(reply, turn)
        self.replies.append(Timing(turn.model, first - sent, now - sent, usage))
        self._last = turn.session, reply
        self._forget(turn)

    def table(self) -> str:
        """A line for each of the last replies."""
        timings = self.replies.copy()  # replies come in another thread
        if not timings:
            return "No reply yet."
        width = max(len("model"), *(len(timing.model) for timing in timings))
        lines = [f"{'model':<{width}}  first token  whole reply  tokens/s"]
        lines += [
            f"{each.model:<{width}}  {each.first:9.2f} s  {each.whole:9.2f} s  {each.rate:>8}"
            for each in timings
        ]
        return "\n".join(lines)

    def latest(self) -> list[str]:
        """How fast the last reply came, if anybody knows."""
        rates = [timing.rate for timing in [*self.replies][-1:]]
        return [f"{rate} tokens/s" for rate in rates if rate != "unknown"]

    def _new(self, reply: Message, turn: TurnInfo) -> Usage | None:
        """What the turn itself used: a reply that went on says what both of its calls did."""
        session, before = self._last or ("", reply)
        went_on = session == turn.session and before.content not in ("", reply.content)
        if not (went_on and reply.content.startswith(before.content) and before.usage):
            return reply.usage
        written = before.usage.output_tokens
        if reply.usage is None or reply.usage.output_tokens < written:
            return reply.usage
        return replace(reply.usage, output_tokens=reply.usage.output_tokens - written)

    def _forget(self, turn: TurnInfo) -> None:
        self._sent.pop(turn, None)
        self._first.pop(turn, None)


_stopwatch = Stopwatch()


@hookimpl
def cloudllm_event(event: Event, turn: TurnInfo) -> None:
    """Tell the stopwatch."""
    _stopwatch.event(event, turn, time.monotonic())


@hookimpl
def cloudllm_reply(reply: Message, turn: TurnInfo) -> None:
    """Tell the stopwatch."""
    _stopwatch.reply(reply, turn, time.monotonic())


@hookimpl
def cloudllm_commands() -> list[Command]:
    """Offer /speed."""
    return [Command(name="/speed", summary="how fast the last replies came", run=_speed)]


@hookimpl
def cloudllm_toolbar() -> list[str]:
    """Show how fast the last reply came."""
    return _stopwatch.latest()


def _speed(chat: CommandContext, argument: str) -> str:  # noqa: ARG001 - a command's signature
    return _stopwatch.table()
