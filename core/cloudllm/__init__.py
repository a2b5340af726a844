"""cloudllm: chat with any language model from the terminal, or from your own program.

Everything public is named here and loaded when it is first used (PEP 562), so that
`import cloudllm` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: `typing` would take a third of the first paint
if TYPE_CHECKING:
    from cloudllm.accounts import Accounts, Budgets
    from cloudllm.archive import Archive, ArchivedMessage, Exporter
    from cloudllm.command import Command, CommandContext
    from cloudllm.errors import (
        AuthenticationError,
        BudgetExceeded,
        CloudLLMError,
        ConfigurationError,
        ContextTooLong,
        DeadlineExceeded,
        InvalidResponse,
        MissingKey,
        ModelNotFound,
        NetworkError,
        PartialReply,
        PluginError,
        ProviderError,
        RateLimited,
        Refused,
        RequestRejected,
        ServerError,
        StoreDamaged,
        StoreError,
        UnknownModel,
        UnknownProvider,
        UsageError,
    )
    from cloudllm.events import (
        Event,
        FellBack,
        ReasoningDelta,
        RequestSent,
        Retrying,
        Stalled,
        StreamEnded,
        StreamEvent,
        Summarizing,
        TextDelta,
        ToolCallDelta,
        Trimmed,
        TurnFinished,
        TurnInfo,
    )
    from cloudllm.hooks import PluginHooks
    from cloudllm.hookspecs import API_VERSION, hookimpl
    from cloudllm.messages import (
        Attempt,
        Cost,
        Message,
        Outcome,
        Role,
        Status,
        ToolCall,
        Usage,
    )
    from cloudllm.paths import data_dir
    from cloudllm.plugins import Plugins
    from cloudllm.provider import (
        Backend,
        Client,
        Deadlines,
        Fetch,
        KnownGap,
        LazyClient,
        LongPrice,
        ModelInfo,
        Patience,
        Provider,
        ProviderSettings,
        Request,
    )
    from cloudllm.registry import client
    from cloudllm.retry import RetryPolicy
    from cloudllm.session import LLMSession
    from cloudllm.settings import Settings
    from cloudllm.store.journal import Journal
    from cloudllm.strategies import Strategies
    from cloudllm.strategy import (
        ContextChoice,
        ContextStrategy,
        ContextTurn,
        ContextView,
        Summary,
    )

__version__ = "0.1.0"

_MODULE_OF = {
    "accounts": "Accounts Budgets",
    "archive": "Archive ArchivedMessage Exporter",
    "command": "Command CommandContext",
    "errors": (
        "AuthenticationError BudgetExceeded CloudLLMError ConfigurationError ContextTooLong DeadlineExceeded "
        "InvalidResponse MissingKey ModelNotFound NetworkError PartialReply PluginError "
        "ProviderError RateLimited Refused RequestRejected ServerError StoreDamaged StoreError UnknownModel "
        "UnknownProvider UsageError"
    ),
    "events": (
        "Event FellBack ReasoningDelta RequestSent Retrying Stalled StreamEnded StreamEvent "
        "Summarizing TextDelta ToolCallDelta Trimmed TurnFinished TurnInfo"
    ),
    "hooks": "PluginHooks",
    "hookspecs": "API_VERSION hookimpl",
    "messages": "Attempt Cost Message Outcome Role Status ToolCall Usage",
    "paths": "data_dir",
    "plugins": "Plugins",
    "provider": (
        "Backend Client Deadlines Fetch KnownGap LazyClient LongPrice ModelInfo Patience Provider ProviderSettings "
        "Request"
    ),
    "registry": "client",
    "retry": "RetryPolicy",
    "session": "LLMSession",
    "settings": "Settings",
    "store.journal": "Journal",
    "strategies": "Strategies",
    "strategy": "ContextChoice ContextStrategy ContextTurn ContextView Summary",
}
_HOME = {name: module for module, names in _MODULE_OF.items() for name in names.split()}

__all__ = (
    "API_VERSION",
    "Accounts",
    "Archive",
    "ArchivedMessage",
    "Attempt",
    "AuthenticationError",
    "Backend",
    "BudgetExceeded",
    "Budgets",
    "Client",
    "CloudLLMError",
    "Command",
    "CommandContext",
    "ConfigurationError",
    "ContextChoice",
    "ContextStrategy",
    "ContextTooLong",
    "ContextTurn",
    "ContextView",
    "Cost",
    "DeadlineExceeded",
    "Deadlines",
    "Event",
    "Exporter",
    "FellBack",
    "Fetch",
    "InvalidResponse",
    "Journal",
    "KnownGap",
    "LLMSession",
    "LazyClient",
    "LongPrice",
    "Message",
    "MissingKey",
    "ModelInfo",
    "ModelNotFound",
    "NetworkError",
    "Outcome",
    "PartialReply",
    "Patience",
    "PluginError",
    "PluginHooks",
    "Plugins",
    "Provider",
    "ProviderError",
    "ProviderSettings",
    "RateLimited",
    "ReasoningDelta",
    "Refused",
    "Request",
    "RequestRejected",
    "RequestSent",
    "RetryPolicy",
    "Retrying",
    "Role",
    "ServerError",
    "Settings",
    "Stalled",
    "Status",
    "StoreDamaged",
    "StoreError",
    "Strategies",
    "StreamEnded",
    "StreamEvent",
    "Summarizing",
    "Summary",
    "TextDelta",
    "ToolCall",
    "ToolCallDelta",
    "Trimmed",
    "TurnFinished",
    "TurnInfo",
    "UnknownModel",
    "UnknownProvider",
    "Usage",
    "UsageError",
    "client",
    "data_dir",
    "hookimpl",
)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'cloudllm' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - after the first paint

    value = getattr(import_module(f"cloudllm.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
