"""What is said: roles, messages, tool calls, and what a reply used, cost and took to get."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who a message is from."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Status(StrEnum):
    """How a reply ended; every other message is complete."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function the model asks for; `arguments` is the JSON text exactly as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one reply or, added up, of many.

    `cached_tokens` are part of the input and `reasoning_tokens` part of the output; `None` means
    unknown. `stored_tokens`, part of the input too, were written to the provider's cache.
    `estimated` says that the provider reported nothing and the numbers are ours.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
    stored_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=_add(self.cached_tokens, other.cached_tokens),
            stored_tokens=_add(self.stored_tokens, other.stored_tokens),
            reasoning_tokens=_add(self.reasoning_tokens, other.reasoning_tokens),
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call cost or, added up, many did.

    nano       billionths of a US dollar, so that sums are exact; without the `unknown` calls
    estimated  the tokens behind it are partly our own estimate
    unknown    how many calls have a price that nobody knows; they are never counted as nothing
    source     where the price is from, such as "litellm 1.106.2"; of a sum, where all of it is
    """

    nano: int = 0
    estimated: bool = False
    unknown: int = 0
    source: str = ""

    def __add__(self, other: Cost) -> Cost:
        sources = {cost.source for cost in (self, other) if cost != Cost()}
        return Cost(
            nano=self.nano + other.nano,
            estimated=self.estimated or other.estimated,
            unknown=self.unknown + other.unknown,
            source=sources.pop() if len(sources) == 1 else "",
        )


class Outcome(StrEnum):
    """What came of one attempt to get a reply."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    CANCELLED = "cancelled"
    FAILED = "failed"
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a turn: which model was asked, what came of it, and why.

    `number` counts from 1 over all models of the turn. `waited` and `seconds` are how long it was
    put off and how long it took. `error` is one line without secrets, `status` the HTTP status and
    `request_id` the provider's own name for the request, if there were any.
    """

    number: int
    model: str
    outcome: Outcome
    waited: float = 0.0
    seconds: float = 0.0
    error: str | None = None
    status: int | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; an assistant's is a reply and says how it came about.

    A `pinned` message keeps its whole turn from being trimmed. `model` is the model id that wrote
    the reply, `finish_reason` the provider's own word for why it stopped (`None` if the stream
    was cut or cancelled), `error` what cut it, in one line, `cost` the price of `usage`.
    """

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    pinned: bool = False
    status: Status = Status.COMPLETE
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    error: str | None = None
    cost: Cost | None = None


def _add(left: int | None, right: int | None) -> int | None:
    return None if left is None and right is None else (left or 0) + (right or 0)
