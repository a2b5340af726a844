"""What a turn emits: one typed stream that screens, pipes, plugins and tests all read."""

from __future__ import annotations

from dataclasses import dataclass

from cloudllm.messages import Message, Usage


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Older messages were left out of this request so that it fits; the history keeps them."""

    messages: int
    tokens: int


@dataclass(frozen=True, slots=True)
class RequestSent:
    """The request is on its way to `model` (a model id); the wait for the first token begins."""

    model: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, exactly as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning, kept apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The last event of a stream, from the gateway or a `Backend`.

    `finish_reason` is the provider's own; `None` means that none arrived, so the stream was cut.
    `usage` is what the provider reported, or `None`.
    """

    finish_reason: str | None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The turn is over and the reply is in the history; look at `reply.status`."""

    reply: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInfo:
    """Which turn something belongs to: the session's id, the turn's number from 1, its model id."""

    session: str
    number: int
    model: str


StreamEvent = TextDelta | ReasoningDelta | StreamEnded
"""What the gateway and a `Backend` yield."""

Event = Trimmed | RequestSent | TextDelta | ReasoningDelta | TurnFinished
"""What a session yields."""
