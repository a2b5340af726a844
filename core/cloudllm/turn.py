"""A turn under way: what came in so far, who reads it, and what it reports to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from types import AsyncGeneratorType
from typing import Any, Protocol

from cloudllm import context
from cloudllm.events import Event, ReasoningDelta, StreamEnded, TextDelta, TurnInfo
from cloudllm.messages import Message, Role, Status, Usage
from cloudllm.provider import Client, Request
from cloudllm.tokens import count_text


class Hooks(Protocol):
    """What a session asks before each request and tells of its turns; `PluginHooks` is one."""

    @property
    def listening(self) -> bool:
        """Does anyone want to be told of events? If not, `event` need not be called."""

    async def request(
        self, request: Request, turn: TurnInfo, check: Callable[[Request], None], /
    ) -> Request:
        """The request to send instead of this one, which may be the same.

        `check` raises a `CloudLLMError` if a changed one can't be sent; it is to be called for each
        change, so that whoever made it can be named. Raises `CloudLLMError` to stop the turn.
        """

    def event(self, event: Event, turn: TurnInfo, /) -> None:
        """Learn of an event, from any thread; never blocks and never raises."""

    def reply(self, reply: Message, turn: TurnInfo, /) -> None:
        """Learn of a reply that is in the history; never blocks and never raises."""


class Turn:
    """A turn under way: what came in so far, and the task that reads it."""

    client: Client
    user: Message
    keep: int
    plan: context.Plan
    info: TurnInfo
    sent_tokens: int
    stream: Callable[[], AsyncGenerator[Event, None] | None]
    over: asyncio.Future[None]

    def __init__(self, begin: Callable[[], tuple[int, Message]]) -> None:
        self.begin = begin
        self.creator = current_task()
        self.reader: asyncio.Task[Any] | None = None
        self.ended: StreamEnded | None = None
        self._text: list[str] = []
        self._reasoning: list[str] = []

    @property
    def visible(self) -> bool:
        """Has any part of the reply come?"""
        return bool(self._text or self._reasoning)

    @property
    def complete(self) -> bool:
        """Did the provider say that this was all?"""
        return self.ended is not None and self.ended.finish_reason is not None

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        """Take in a piece of the reply."""
        (self._text if isinstance(delta, TextDelta) else self._reasoning).append(delta.text)

    def reply(self, status: Status, error: str | None) -> Message:
        """The reply as far as it came."""
        text, reasoning = "".join(self._text), "".join(self._reasoning)
        ended = self.ended or StreamEnded(None)
        return Message(
            Role.ASSISTANT,
            text,
            reasoning=reasoning,
            status=status,
            model=self.client.id,
            finish_reason=ended.finish_reason,
            usage=ended.usage or self._estimate(count_text(text), count_text(reasoning)),
            error=error,
        )

    def _estimate(self, text: int, reasoning: int) -> Usage:
        return Usage(
            input_tokens=self.sent_tokens,
            output_tokens=text + reasoning,
            reasoning_tokens=reasoning or None,
            estimated=True,
        )

    @property
    def owner(self) -> asyncio.Task[Any] | None:
        """Who will read on: the task that read last or, if it has ended, the one that asked."""
        for task in (self.reader, self.creator):
            if task is not None and not task.done() and not task.get_loop().is_closed():
                return task
        return None

    @property
    def is_dropped(self) -> bool:
        """Will nobody read on?"""
        return self.owner is None or self.stream() is None

    def is_abandoned_by(self, task: asyncio.Task[Any] | None) -> bool:
        """Will nobody read on, unless it be `task`, which has turned to something else?"""
        return self.is_dropped or self.owner is task

    async def wait(self) -> None:
        """Wait until it is over or loses its owner."""
        signs: tuple[asyncio.Future[Any] | None, ...] = (self.owner, self.over)
        await asyncio.wait(filter(None, signs), return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """Close the stream of a turn that is settled."""
        if stream := self._idle_stream():
            await stream.aclose()

    def close_soon(self) -> None:
        """Do so when the loop comes to it."""
        loop = self.over.get_loop()
        if loop.is_running() and (stream := self._idle_stream()):
            loop.call_soon_threadsafe(loop.create_task, stream.aclose())

    def _idle_stream(self) -> AsyncGeneratorType[Event, None] | None:
        """The stream, unless it is gone or, after all, being read."""
        stream = self.stream()
        return stream if isinstance(stream, AsyncGeneratorType) and not stream.ag_running else None


def current_task() -> asyncio.Task[Any] | None:
    """The running task, or `None` outside an event loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
