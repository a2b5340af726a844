"""What a turn emits: one typed stream that screens, pipes, plugins and tests all read."""

from __future__ import annotations

from dataclasses import dataclass

from cloudllm.messages import Attempt, Message, Usage


@dataclass(frozen=True, slots=True)
class Summarizing:
    """A context strategy has `model` (a model id) sum up what will be left out; it costs tokens."""

    model: str


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Older messages were left out of this request so that it fits; the history keeps them.

    `tokens` is the estimate for them; `summarized` says that a summary goes out in their place.
    """

    messages: int
    tokens: int
    summarized: bool = False


@dataclass(frozen=True, slots=True)
class RequestSent:
    """The request is on its way to `model` (a model id); the wait for the first token begins.

    `attempt` counts the requests of the turn, from 1.
    """

    model: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Retrying:
    """Nothing of a reply came, because of `reason` (one line); it is tried again in `seconds`.

    `attempt` is the number of the one to come for this model, of `attempts` at most.
    """

    model: str
    attempt: int
    attempts: int
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class FellBack:
    """Because of `reason` (one line) the turn goes on with `model` instead of `failed`."""

    model: str
    failed: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """Nothing visible has come for `seconds`; after `limit` seconds the reply is given up.

    `limit` is `None` if it is waited for without end. Wait on with `LLMSession.wait_on`, or cancel.
    """

    seconds: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, exactly as it came."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning, kept apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; `name` comes with the first, `text` is a piece of its arguments."""

    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The last event of a stream, from the gateway or a `Backend`.

    `finish_reason` is the provider's own; `None` means that none arrived, so the stream was cut.
    `usage` is what the provider reported, or `None`; `request_id` is its own name for the request.
    """

    finish_reason: str | None
    usage: Usage | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """The turn is over and the reply is in the history; look at `reply.status`.

    `attempts` are all that were made to get it, those that failed included.
    """

    reply: Message
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInfo:
    """Which turn something belongs to: the session's id, the turn's number from 1, its model id."""

    session: str
    number: int
    model: str


StreamEvent = TextDelta | ReasoningDelta | ToolCallDelta | StreamEnded
"""What the gateway and a `Backend` yield."""

Event = (
    Summarizing
    | Trimmed
    | RequestSent
    | Retrying
    | FellBack
    | Stalled
    | TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | TurnFinished
)
"""What a session yields."""
