"""A turn under way: what came in so far, what was tried for it, and who reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Any

from cloudllm.calibration import Calibration
from cloudllm.errors import CloudLLMError
from cloudllm.events import (
    Event,
    ReasoningDelta,
    StreamEnded,
    TextDelta,
    ToolCallDelta,
    TurnInfo,
)
from cloudllm.messages import Attempt, Cost, Message, Outcome, Role, Status, Usage
from cloudllm.pricing import Price
from cloudllm.provider import Client, Patience
from cloudllm.recording import Recording, Start
from cloudllm.tokens import Profile, profile_text

if TYPE_CHECKING:
    from cloudllm.relay import Relay


@dataclass(slots=True)
class Sent:
    """A request that is out: what it consists of and what its tokens cost."""

    profile: Profile
    calibration: Calibration
    price: Price


class Turn:
    """A turn under way: what came in so far, and the task that reads it."""

    client: Client
    info: TurnInfo
    stream: Callable[[], AsyncGenerator[Event, None] | None]
    over: asyncio.Future[None]
    relay: Relay[Event]

    def __init__(self, begin: Callable[[], Start]) -> None:
        self.begin = begin
        self.start = Start(0, ())
        self.recording = Recording(None)
        self.creator = current_task()
        self.reader: asyncio.Task[Any] | None = None
        self.patience = Patience()
        self.ended: StreamEnded | None = None
        self.sent: Sent | None = None
        self.attempts: list[Attempt] = []
        self.called_tools = False
        self._began = 0.0
        self._waited = 0.0
        self._asked = ""
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._used: tuple[Usage, Cost] | None = None

    @property
    def visible(self) -> bool:
        """Has any part of the reply come?"""
        return bool(self._text or self._reasoning or self.called_tools)

    @property
    def complete(self) -> bool:
        """Did the provider say that this was all?"""
        return self.ended is not None and self.ended.finish_reason is not None

    def add(self, delta: TextDelta | ReasoningDelta | ToolCallDelta) -> None:
        """Take in a piece of the reply."""
        if isinstance(delta, TextDelta):
            self._text.append(delta.text)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning.append(delta.text)
        else:
            self.called_tools = True
            return
        self.recording.add(delta)

    def begin_attempt(self, model: str, waited: float) -> None:
        """Start to count the time of an attempt that was put off for `waited` seconds."""
        self._began, self._waited, self._asked = time.monotonic(), waited, model
        self.sent = None
        self.ended = None
        self._used = None

    def end_attempt(self, outcome: Outcome, error: CloudLLMError | None = None) -> None:
        """Note what came of the attempt that began last; only once."""
        if not self._began:
            return
        self.attempts.append(
            Attempt(
                number=len(self.attempts) + 1,
                model=self._asked,
                outcome=outcome if self.sent is not None else Outcome.NOT_SENT,
                waited=self._waited,
                seconds=time.monotonic() - self._began,
                error=None if error is None else _one_line(str(error)),
                status=error.status if error else None,
                request_id=(error or self.ended or StreamEnded(None)).request_id,
            )
        )
        self._began = 0.0

    def used(self) -> tuple[Usage, Cost]:
        """What the request that is out used and cost: as reported, or else as far as we can tell."""
        if self._used is None:
            if self.sent is None:
                raise RuntimeError("nothing was sent that could cost anything")
            usage = (self.ended and self.ended.usage) or self._estimate(self.sent)
            self._used = usage, self.sent.price.cost(usage)
        return self._used

    def reply(self, status: Status, error: str | None) -> Message:
        """The reply as far as it came."""
        usage, cost = self.used()
        return Message(
            Role.ASSISTANT,
            "".join(self._text),
            reasoning="".join(self._reasoning),
            status=status,
            model=self.client.id,
            finish_reason=self.ended.finish_reason if self.ended else None,
            usage=usage,
            cost=cost,
            error=error,
        )

    def learn(self) -> None:
        """Let the calibration learn from what the provider reported of a whole reply."""
        usage = self.ended.usage if self.ended else None
        if usage is None or self.sent is None or usage.estimated:
            return
        self.sent.calibration.observe(self.sent.profile, usage.input_tokens)
        thought = usage.reasoning_tokens or 0
        if not self.called_tools and bool(thought) == bool(self._reasoning):
            written = profile_text("".join(self._text))
            self.sent.calibration.observe_output(written, usage.output_tokens - thought)

    def _estimate(self, sent: Sent) -> Usage:
        count = sent.calibration.tokens
        text = count(profile_text("".join(self._text)))
        reasoning = count(profile_text("".join(self._reasoning))) if self._reasoning else 0
        return Usage(
            input_tokens=count(sent.profile),
            output_tokens=text + reasoning,
            reasoning_tokens=reasoning or None,
            estimated=True,
        )

    def use(self, client: Client) -> None:
        """Go on with another model."""
        self.client = client
        self.info = replace(self.info, model=client.id)

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


def _one_line(text: str) -> str:
    return " ".join(text.split())
