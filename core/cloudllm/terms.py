"""What turns are sent with, and what holds for each: the session's parts and its attributes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cloudllm.accounts import Accounts
from cloudllm.calibration import Calibrations
from cloudllm.context import Conversation
from cloudllm.events import Event, StreamEvent, TurnInfo
from cloudllm.messages import Cost, Message, Usage
from cloudllm.provider import Client, Deadlines, LazyClient, ModelInfo, Request
from cloudllm.recording import Record
from cloudllm.retry import RetryPolicy
from cloudllm.strategies import Strategies
from cloudllm.strategy import ContextStrategy, Summary


class Gateway(Protocol):
    """What a session calls models through; `cloudllm.gateway` is one."""

    def stream(
        self, client: Client, request: Request, deadlines: Deadlines, /
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield deltas, then one `StreamEnded`; raise nothing but `CloudLLMError`s."""

    async def model_info(self, client: Client, /) -> ModelInfo:
        """What is known of the client's model."""


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


@dataclass(slots=True, kw_only=True)
class Means:
    """What a session sends its turns with, and what it has learned and spent by sending them."""

    gateway: Gateway | None
    session: str
    hooks: Hooks | None
    accounts: Accounts | None
    strategies: Strategies | None
    calibrations: Calibrations = field(default_factory=Calibrations)
    limits: dict[str, int] = field(default_factory=dict)
    summary: Summary | None = None
    usage: Usage = field(default_factory=Usage)
    cost: Cost = field(default_factory=Cost)

    @property
    def road(self) -> Gateway:
        """The gateway; litellm's, if none was given."""
        if self.gateway is None:
            from cloudllm import gateway  # noqa: PLC0415 - a session is made before it is needed

            self.gateway = gateway
        return self.gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for one turn: the session's attributes as they were when it began.

    `client` is asked first, then those of `fallback`. `request` is what is sent but for the messages. `consents` are what a person lets a model's next
    call cost, in billionths of a US dollar.
    """

    client: Client
    conversation: Conversation
    system_prompt: str
    limit: int | None
    reserve: int | None
    strategy: str | ContextStrategy
    request: Request
    deadlines: Deadlines
    retry: RetryPolicy
    fallback: Sequence[Client | LazyClient]
    consents: dict[str, int]
    record: Record | None
