"""What is said: roles, messages, tool calls and the tokens a reply used."""

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
    unknown. `estimated` says that the provider reported nothing and the numbers are ours.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int | None = None
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
            reasoning_tokens=_add(self.reasoning_tokens, other.reasoning_tokens),
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation; an assistant's is a reply and says how it came about.

    A `pinned` message keeps its whole turn from being trimmed. `model` is the model id that wrote
    the reply, `finish_reason` the provider's own word for why it stopped (`None` if the stream
    was cut or cancelled), `error` what cut it, in one line.
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


def _add(left: int | None, right: int | None) -> int | None:
    return None if left is None and right is None else (left or 0) + (right or 0)
