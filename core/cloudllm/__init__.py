"""cloudllm: chat with any language model from the terminal, or from your own program.

Everything public is named here and loaded when it is first used (PEP 562), so that
`import cloudllm` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudllm.command import Command, CommandContext
    from cloudllm.errors import (
        AuthenticationError,
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
        UnknownModel,
        UnknownProvider,
        UsageError,
    )
    from cloudllm.events import (
        Event,
        ReasoningDelta,
        RequestSent,
        StreamEnded,
        StreamEvent,
        TextDelta,
        Trimmed,
        TurnFinished,
        TurnInfo,
    )
    from cloudllm.hooks import PluginHooks
    from cloudllm.hookspecs import API_VERSION, hookimpl
    from cloudllm.messages import Message, Role, Status, ToolCall, Usage
    from cloudllm.paths import data_dir
    from cloudllm.plugins import Plugins
    from cloudllm.provider import (
        Backend,
        Client,
        Deadlines,
        Fetch,
        KnownGap,
        ModelInfo,
        Provider,
        ProviderSettings,
        Request,
    )
    from cloudllm.registry import client
    from cloudllm.session import LLMSession
    from cloudllm.settings import Settings

__version__ = "0.1.0"

_MODULE_OF = {
    "command": "Command CommandContext",
    "errors": (
        "AuthenticationError CloudLLMError ConfigurationError ContextTooLong DeadlineExceeded "
        "InvalidResponse MissingKey ModelNotFound NetworkError PartialReply PluginError "
        "ProviderError RateLimited Refused RequestRejected ServerError UnknownModel "
        "UnknownProvider UsageError"
    ),
    "events": (
        "Event ReasoningDelta RequestSent StreamEnded StreamEvent TextDelta Trimmed TurnFinished "
        "TurnInfo"
    ),
    "hooks": "PluginHooks",
    "hookspecs": "API_VERSION hookimpl",
    "messages": "Message Role Status ToolCall Usage",
    "paths": "data_dir",
    "plugins": "Plugins",
    "provider": (
        "Backend Client Deadlines Fetch KnownGap ModelInfo Provider ProviderSettings Request"
    ),
    "registry": "client",
    "session": "LLMSession",
    "settings": "Settings",
}
_HOME = {name: module for module, names in _MODULE_OF.items() for name in names.split()}

__all__ = (
    "API_VERSION",
    "AuthenticationError",
    "Backend",
    "Client",
    "CloudLLMError",
    "Command",
    "CommandContext",
    "ConfigurationError",
    "ContextTooLong",
    "DeadlineExceeded",
    "Deadlines",
    "Event",
    "Fetch",
    "InvalidResponse",
    "KnownGap",
    "LLMSession",
    "Message",
    "MissingKey",
    "ModelInfo",
    "ModelNotFound",
    "NetworkError",
    "PartialReply",
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
    "Role",
    "ServerError",
    "Settings",
    "Status",
    "StreamEnded",
    "StreamEvent",
    "TextDelta",
    "ToolCall",
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
    value = getattr(import_module(f"cloudllm.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
