"""What a context strategy is: a plugin's choice of the turns that go out with a request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloudllm.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextTurn:
    """A turn of the conversation: a user message and everything up to the next one.

    `number` counts from 1, the oldest. `tokens` is the estimate for its messages. A turn that is
    `pinned` always goes out.
    """

    number: int
    messages: tuple[Message, ...]
    tokens: int
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary that went out: `text` stands for the turns whose numbers are `turns`.

    `messages` are the messages of those turns, as they were summed up; the history keeps them.
    """

    text: str
    turns: frozenset[int]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextChoice:
    """What is to go out: the turns whose numbers are in `keep`, and a `summary` of the rest.

    Pinned turns, the system prompt and the newest message go out too, whatever it says. A summary
    stands for the turns whose numbers are in `summarized`; `None` means all that are left out.
    """

    keep: Collection[int]
    summary: str = ""
    summarized: Collection[int] | None = None


class ContextView(Protocol):
    """What a context strategy sees of a conversation, and what it may do.

    turns     every turn before the newest message, the oldest first
    room      tokens that the turns which are not pinned and the summary may take together; what
              always goes out, the reserve and the margin are off already
    model     the model id that the request goes to
    previous  the last summary that went out, if all it stands for is still there as it was
    """

    @property
    def turns(self) -> Sequence[ContextTurn]:
        """See above."""

    @property
    def room(self) -> int:
        """See above."""

    @property
    def model(self) -> str:
        """See above."""

    @property
    def previous(self) -> Summary | None:
        """See above."""

    def count(self, text: str) -> int:
        """The estimate, in tokens, for `text`, such as that of a summary."""

    def ask(self, prompt: str, *, max_output_tokens: int) -> str:
        """Have the session's model answer a prompt of its own, apart from the conversation; blocks.

        It is counted and held to the budgets like any call.

        Raises:
            CloudLLMError: there is no answer, or it may not be asked for; the message says why.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextStrategy:
    """A way to choose what goes out when a conversation outgrows the model.

    `name` is what `context.strategy` is set to, `description` one line for a person. `choose` is
    called when not everything fits, off the event loop; it may block.
    """

    name: str
    description: str
    choose: Callable[[ContextView], ContextChoice]
