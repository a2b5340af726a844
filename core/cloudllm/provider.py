"""What a provider plugin writes: providers, clients, requests and in-process backends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, Protocol

from cloudllm import declaration, modellist
from cloudllm.errors import ConfigurationError, InvalidResponse
from cloudllm.events import StreamEvent
from cloudllm.messages import Message

if TYPE_CHECKING:
    from pydantic import BaseModel, SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPrice:
    """What all of a call costs, answer included, if its input is over `above` tokens.

    In US dollars per million tokens, as in `ModelInfo`.
    """

    above: int
    input_price: float | None = None
    output_price: float | None = None
    cached_price: float | None = None
    stored_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of one model; `None` means unknown.

    Limits are in tokens, prices in US dollars per million tokens: `cached_price` of input read from
    the provider's cache, `stored_price` of input written to it, `long_prices` of calls with much
    input. `reasoning`, `vision`, `tools` and
    `prefill` (to go on with an answer that was begun for it) are its abilities; `retires` is the
    day on which the provider shuts it down, past or to come.
    """

    name: str
    context_limit: int | None = None
    output_limit: int | None = None
    reasoning: bool | None = None
    vision: bool | None = None
    tools: bool | None = None
    input_price: float | None = None
    output_price: float | None = None
    cached_price: float | None = None
    stored_price: float | None = None
    long_prices: tuple[LongPrice, ...] | None = None
    prefill: bool | None = None
    retires: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What goes out for one turn: messages with the system prompt first, and its parameters.

    The last message is the user's, a tool's result, or the beginning of an answer that the model is
    to go on with. A reply of more than `max_reply_bytes` is cut there.
    """

    messages: tuple[Message, ...]
    max_output_tokens: int | None = None
    temperature: float | None = None
    max_reply_bytes: int = 16 * 2**20
    params: Mapping[str, object] = field(default_factory=dict)


class Backend(Protocol):
    """A model that runs in this process, for what neither litellm nor OpenAI's format reaches."""

    def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        """Yield deltas, then one `StreamEnded`; be an async generator so that it can be closed."""


class Patience:
    """Lets a person wait on for a call under way, whatever its deadlines say."""

    def __init__(self) -> None:
        self.endless = False
        self._listeners: list[Callable[[], None]] = []

    def wait_on(self) -> None:
        """Have no deadline hold any more; call it in the event loop of the call."""
        self.endless = True
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when `wait_on` is."""
        self._listeners.append(listener)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long to wait, in seconds; `None` waits for ever.

    "auto" is 60, or 300 for a model that reasons first. Only text, reasoning or a tool call counts
    as a sign of life. `patience`, of one call, may lift them all while it is under way.
    """

    connect: float | None = 5.0
    first_token: float | Literal["auto"] | None = "auto"
    gap: float | None = 30.0
    total: float | None = None
    patience: Patience | None = field(default=None, compare=False)

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
    call may reach; without any, that of `api_base` alone. `params` are sent with every request; `secrets` too, and they are never shown.
    With `own_credentials` the route finds its credentials itself, as those of AWS and Google do;
    the provider must declare that it does.
    `start_hint` is the command that starts the server, told when it refuses the connection.
    With `allow_plain_http` its key may go to another machine over plain http, for anyone to read.
    A `free` model costs nothing, since it runs on a machine of the user's own.
    `metadata` is the service's name in litellm's metadata: prices and the day a model retires are
    taken from there. Without it only limits and abilities are, of the route's model of that name.
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
    allow_plain_http: bool = False
    info: ModelInfo | None = None
    backend: Backend | None = None
    suggestions: tuple[str, ...] = ()
    start_hint: str | None = None
    free: bool = False
    metadata: str | None = None

    @property
    def id(self) -> str:
        """The model id, `provider/model`."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyClient:
    """A client that is made when it is needed; `make` may block and raise any `CloudLLMError`."""

    id: str
    make: Callable[[], Client]


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
    key_optional     a key is accepted, but it works without one, as a server of one's own does
    own_credentials  without a key its route finds credentials itself, as those of AWS and Google do
    base_env         variables that may replace `api_base`
    key_url          where a person gets a key
    key_prefix       how its keys begin, and no others do, so that a pasted one is recognised
    default_model    the model when only the provider is named
    models           models known offline; the service may have more
    metadata         its name in litellm's metadata, if that is not the own one; "" is none
    model_list       where the service lists its models: a path below `api_base`, or a whole URL
    list_headers     headers of that request beside the key's
    key_header       the header in which that request carries the key; "Authorization" is a bearer's
    successors       retired models and what has replaced them
    aliases          short names for models
    hosts            hosts it talks to beyond that of `api_base`
    settings_model   a plain pydantic model for the provider's own keys in `[providers.NAME]`
    settings_env     variables that may hold some of these keys: `{"region": ("ACME_REGION",)}`
    params           parameters sent with every request
    requires         modules it needs beyond cloudllm's own, and what to install for each
    offline          it answers on this machine without a key or a server, so anyone can try it
    invitation       what to try it for, in a few words, told to a person who has no key: "use …"
    start_hint       the command that starts the server it talks to, if that runs on this machine
    free             its models cost nothing while it is at its own address: they run on this machine
    client_deadline  seconds that `client` may take where it starts something, if that is more than
                     `plugins.deadline`
    known_gaps       items of the conformance kit that it does not meet, each with its reason
    """

    name: str
    label: str
    litellm_route: str | None = None
    api_base: str | None = None
    key_env: tuple[str, ...] = ()
    key_optional: bool = False
    own_credentials: bool = False
    base_env: tuple[str, ...] = ()
    key_url: str | None = None
    key_prefix: tuple[str, ...] = ()
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
    settings_env: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    requires: Mapping[str, str] = field(default_factory=dict)
    offline: bool = False
    invitation: str | None = None
    start_hint: str | None = None
    free: bool = False
    client_deadline: float | None = None
    known_gaps: tuple[KnownGap, ...] = ()

    def __post_init__(self) -> None:
        """Raise `TypeError` for a field that is not of its kind."""
        declaration.check(self)

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
            own_credentials=self.own_credentials and settings.api_key is None,
            info=next((info for info in self.models if info.name == model), None),
            suggestions=tuple(info.name for info in self.models),
            start_hint=self.start_hint,
            free=self.free and self.is_at(api_base),
            metadata=self.metadata_name if self.is_at(api_base) else None,
        )

    def list_models(self, settings: ProviderSettings, fetch: Fetch) -> Sequence[ModelInfo]:
        """Ask the service which models it has now; override for a list that `model_list` can't say.

        May block or raise any `CloudLLMError`, runs off the loop. `fetch` makes the requests; what
        cannot be a model's name is left out by the caller.
        """
        if self.model_list is None:
            raise ConfigurationError(f"{self.name} has no list of its models to ask for")
        base = settings.api_base or self.api_base or ""
        whole = "://" in self.model_list
        url = self.model_list if whole else f"{base.rstrip('/')}/{self.model_list.lstrip('/')}"
        headers = dict(self.list_headers)
        if settings.api_key is not None:
            key = settings.api_key.get_secret_value()
            headers[self.key_header] = (
                f"Bearer {key}" if self.key_header == "Authorization" else key
            )
        payload = fetch(url, headers)
        try:
            return [ModelInfo(**facts) for facts in modellist.facts(payload)]
        except ValueError:
            raise InvalidResponse(f"{self.label}: what came is no list of models") from None

    @property
    def lists_models(self) -> bool:
        """Can it be asked which models its service has now?"""
        return self.model_list is not None or type(self).list_models is not Provider.list_models

    @property
    def metadata_name(self) -> str:
        """Its name in litellm's metadata; "" is none."""
        return self.name if self.metadata is None else self.metadata

    def is_at(self, api_base: str | None) -> bool:
        """Is this the service itself, not another one at an address that the user chose?"""
        return self.api_base is None or _place(api_base) == _place(self.api_base)


def _place(url: str | None) -> str | None:
    host = _host(url)
    return "127.0.0.1" if host == "localhost" else host


def _host(url: str | None) -> str | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 - 4 ms that a listing does not need

    return urlsplit(url).hostname if url else None
