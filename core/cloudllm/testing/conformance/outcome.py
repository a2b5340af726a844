"""What came of a turn, or of a call of a backend alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudllm.events import ReasoningDelta, StreamEnded, TextDelta
from cloudllm.messages import Message
from cloudllm.testing.conformance.model import Failed
from cloudllm.testing.script import Received
from cloudllm.testing.wires import Asked, wire_of

Delta = TextDelta | ReasoningDelta

_SHOWN = 60  # characters of a reply in a detail


@dataclass(slots=True)
class Outcome:
    """What came of one turn: deltas as they came, then a reply, or an error, or nothing."""

    deltas: list[Delta] = field(default_factory=list)
    reply: Message | None = None
    error: Exception | None = None
    gave_up: bool = False
    waited: float = 0.0
    requests: list[Received] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the deltas."""
        return "".join(delta.text for delta in self.deltas if isinstance(delta, TextDelta))

    @property
    def reasoning(self) -> str:
        """The reasoning of the deltas."""
        return "".join(delta.text for delta in self.deltas if isinstance(delta, ReasoningDelta))

    @property
    def story(self) -> str:
        """What came, in a few words, for a detail."""
        if self.gave_up:
            return f"no end within {self.waited:.0f} s"
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        if self.reply is None:
            return "nothing"
        shown = repr(self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}…")
        return f"a reply, {self.reply.status}, {shown}"


@dataclass(slots=True)
class Raw:
    """What a backend yielded when it was called without anything around it."""

    events: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    gave_up: bool = False
    seconds: float = 0.0

    @property
    def ended(self) -> list[StreamEnded]:
        """Its last events; there should be one."""
        return [event for event in self.events if isinstance(event, StreamEnded)]


def asked(outcome: Outcome) -> Asked:
    """What the last request of the turn says; raises `Failed` if there was none."""
    if not outcome.requests:
        raise Failed(f"no request was made: {outcome.story}")
    request = outcome.requests[-1]
    wire = wire_of(request.path)
    if wire is None:
        raise Failed(f"{request.path} is the path of no wire format that the kit speaks")
    return wire.asked(request)


def words(count: int, *, mark: str = "w") -> Sequence[str]:
    """That many chunks, each of them unlike the others."""
    return [f"{mark}{number:03d} " for number in range(count)]
