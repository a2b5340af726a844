"""What serves a chat: its session, with the ledger and the plugins' hooks, kept to the settings.

Importing this module takes a while; a chat does so in a thread, after its first prompt.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from cloudllm.accounts import Accounts, Budgets
from cloudllm.errors import UsageError
from cloudllm.events import Event, TurnFinished
from cloudllm.hooks import PluginHooks
from cloudllm.messages import Message
from cloudllm.provider import Client, LazyClient
from cloudllm.recording import Record
from cloudllm.registry import Registry
from cloudllm.repl.privacy import PrivateAccounts
from cloudllm.retry import RetryPolicy
from cloudllm.session import LLMSession
from cloudllm.settings import Settings
from cloudllm.store.database import default_path
from cloudllm.strategies import Strategies


class Engine:
    """A session and its parts; `tell` gets lines for the person, in the event loop.

    `record` keeps the conversation; of a `private` one nothing but money is ever written.
    """

    def __init__(
        self,
        client: Client,
        registry: Registry,
        tell: Callable[[str], None],
        *,
        record: Record | None = None,
        private: bool = False,
    ) -> None:
        self.hooks = PluginHooks(registry.plugins)
        self.strategies = Strategies(registry.plugins)
        kind = PrivateAccounts if private else Accounts
        self.accounts: Accounts = kind(default_path())
        self.accounts.listen(tell)
        self.session = LLMSession(
            client,
            hooks=self.hooks,
            strategies=self.strategies,
            accounts=self.accounts,
            record=record,
        )

    def apply(self, settings: Settings, registry: Registry) -> None:
        """Bring the session in line with the settings."""
        session = self.session
        session.system_prompt = settings.system_prompt
        session.temperature = settings.temperature
        session.max_output_tokens = settings.max_output_tokens
        session.max_reply_bytes = settings.max_reply_bytes
        session.max_tokens = settings.context.limit
        session.reserve = settings.context.reserve
        session.strategy = settings.context.strategy
        session.deadlines = settings.timeout.deadlines()
        session.fallback = [lazy_client(registry, model_id) for model_id in settings.fallback]
        session.retry = RetryPolicy(
            attempts=settings.retry.attempts, seconds=settings.retry.seconds
        )
        if isinstance(self.accounts, PrivateAccounts):
            self.accounts.keep_to(budgets(settings))
        else:
            self.accounts.budgets = budgets(settings)

    def check(self, settings: Settings, registry: Registry) -> None:
        """Find out, before anything is sent, whether what the settings name is there; it blocks.

        Raises:
            ConfigurationError: there is no such context strategy, or no provider of a model that is
                fallen back to or asked for titles.
        """
        self.strategies.check(settings.context.strategy)
        for model_id in filter(None, (*settings.fallback, settings.history.title_model)):
            registry.resolve(model_id)

    @staticmethod
    async def shown(events: AsyncGenerator[Event, None], show: Callable[[Event], None]) -> Message:
        """Have a turn shown as it happens; gives its reply."""
        reply: Message | None = None
        async with aclosing(events):
            async for event in events:
                show(event)
                if isinstance(event, TurnFinished):
                    reply = event.reply
        if reply is None:
            raise UsageError("the turn was ended while its reply was coming in")
        return reply


def budgets(settings: Settings) -> Budgets:
    """What may be spent."""
    budget = settings.budget
    return Budgets(
        session=budget.session,
        day=budget.day,
        month=budget.month,
        allow_unknown=frozenset(budget.allow_unknown),
    )


def lazy_client(registry: Registry, model_id: str) -> LazyClient:
    """A client that is made when a turn falls back to it."""
    return LazyClient(id=model_id, make=lambda: registry.client(model_id))
