"""What a provider plugin writes: providers, clients, requests and in-process backends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, Protocol

from cloudllm.events import StreamEvent
from cloudllm.messages import Message

if TYPE_CHECKING:
    from pydantic import BaseModel, SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of one model; `None` means unknown.

    Limits are in tokens, prices in US dollars per million tokens. `reasoning`, `vision` and `tools`
    are its abilities; `retires` is the day on which the provider shuts it down, past or to come.
    """

    name: str
    context_limit: int | None = None
    output_limit: int | None = None
    reasoning: bool | None = None
    vision: bool | None = None
    tools: bool | None = None
    input_price: float | None = None
    output_price: float | None = None
    retires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What goes out for one turn: messages with the system prompt first, and its parameters."""

    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    temperature: float | None = None
    params: Mapping[str, object] = field(default_factory=dict)


class Backend(Protocol):
    """A model that runs in this process, for what neither litellm nor OpenAI's format reaches."""

    def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        """Yield deltas, then one `StreamEnded`; be an async generator so that it can be closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long to wait, in seconds; `None` waits for ever.

    "auto" is 60, or 300 for a model that reasons first. Only text, reasoning or a tool call counts
    as a sign of life.
    """

    connect: float | None = 5.0
    first_token: float | Literal["auto"] | None = "auto"
    gap: float | None = 30.0
    total: float | None = None

    def first_token_for(self, info: ModelInfo) -> float | None:
        """The first-token deadline that holds for this model."""
        if self.first_token == "auto":
            return 300.0 if info.reasoning else 60.0
        return self.first_token


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """What the user's configuration says of one provider, resolved: key found, table validated.

    `options` is an instance of the provider's own `settings_model`, or `None` if it has none.
    """

    api_key: SecretStr | None = None
    api_base: str | None = None
    options: BaseModel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One model at one provider, ready to be called: what the gateway tells litellm.

    `route` is litellm's prefix; a client with a `backend` needs none. `hosts` are all hosts the
    call may reach. `params` are sent with every request; `secrets` too, and they are never shown.
    With `own_credentials` the route finds its credentials itself, as those of AWS and Google do.
    """

    provider: str
    label: str
    model: str
    route: str | None = None
    api_base: str | None = None
    api_key: SecretStr | None = None
    hosts: frozenset[str] = frozenset()
    params: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, SecretStr] = field(default_factory=dict)
    own_credentials: bool = False
    info: ModelInfo | None = None
    backend: Backend | None = None
    suggestions: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The model id, `provider/model`."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGap:
    """An item of the conformance kit that a provider does not meet, why, and since when we know."""

    item: str
    reason: str
    since: date


Fetch = Callable[[str, Mapping[str, str]], object]
"""GET a URL with these headers and return the parsed JSON.

It blocks; it follows no redirect, goes to the provider's own hosts only, is bounded in time and
size, and raises `CloudLLMError`s.
"""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A named source of models. Declare it; override `client` only for what data cannot say.

    name             as in `name/model`, the same as the entry point's
    label            the name a person knows
    litellm_route    litellm's prefix: "openai" for everything that speaks OpenAI's format
    api_base         where it answers, `/v1` included; `None` leaves litellm's own address
    key_env          variables that may hold the key, first found wins; empty: no key is needed
    base_env         variables that may replace `api_base`
    key_url          where a person gets a key
    default_model    the model when only the provider is named
    models           models known offline; the service may have more
    metadata         its name in litellm's metadata, if that is not the route or the own name
    model_list       where the service lists its models: a path below `api_base`, or a whole URL
    list_headers     headers of that request beside the key's
    key_header       the header in which that request carries the key; "Authorization" is a bearer's
    successors       retired models and what has replaced them
    aliases          short names for models
    hosts            hosts it talks to beyond that of `api_base`
    settings_model   a plain pydantic model for the provider's own keys in `[providers.NAME]`
    params           parameters sent with every request
    requires         modules it needs beyond cloudllm's own, and what to install for each
    known_gaps       items of the conformance kit that it does not meet, each with its reason
    """

    name: str
    label: str
    litellm_route: str | None = None
    api_base: str | None = None
    key_env: tuple[str, ...] = ()
    base_env: tuple[str, ...] = ()
    key_url: str | None = None
    default_model: str | None = None
    models: tuple[ModelInfo, ...] = ()
    metadata: str | None = None
    model_list: str | None = None
    list_headers: Mapping[str, str] = field(default_factory=dict)
    key_header: str = "Authorization"
    successors: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    settings_model: type[BaseModel] | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    requires: Mapping[str, str] = field(default_factory=dict)
    known_gaps: tuple[KnownGap, ...] = ()

    def client(self, model: str, settings: ProviderSettings) -> Client:
        """Make the client for `model`; may block or raise any `CloudLLMError`, runs off the loop."""
        api_base = settings.api_base or self.api_base
        return Client(
            provider=self.name,
            label=self.label,
            model=model,
            route=self.litellm_route,
            api_base=api_base,
            api_key=settings.api_key,
            hosts=frozenset(filter(None, (*self.hosts, _host(api_base)))),
            params=self.params,
            info=next((info for info in self.models if info.name == model), None),
            suggestions=tuple(info.name for info in self.models),
        )


def _host(url: str | None) -> str | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - 4 ms that a listing does not need

    return urlsplit(url).hostname if url else None
