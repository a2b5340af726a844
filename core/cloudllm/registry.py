"""Providers by name, from plugins and from TOML endpoints, and the clients made of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudllm import addresses, keys, live, modelname
from cloudllm.endpoints import changed, endpoint, needs_key
from cloudllm.errors import (
    ConfigurationError,
    MissingKey,
    NetworkError,
    ProviderError,
    UnknownProvider,
)
from cloudllm.plugins import Plugins, unknown_provider
from cloudllm.provider import Client, Provider, ProviderSettings
from cloudllm.words import one_line

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cloudllm.settings import Settings

DEFAULT_PROVIDER = "openai"


@dataclass(frozen=True, slots=True)
class Access:
    """How a provider would be reached: its address, and in words where its key comes from.

    `ready` says that nothing is missing for a call, `has_key` that there is a key to send.
    """

    api_base: str | None
    key: str
    ready: bool
    has_key: bool


class Registry:
    """Finds the provider a model id names and makes its client; imports no other provider."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        plugins: Plugins | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._environ = environ
        self._tables: Mapping[str, Mapping[str, Any]] = settings.providers if settings else {}
        self.aliases: Mapping[str, str] = settings.aliases if settings else {}
        self.plugins = plugins or Plugins()

    def names(self) -> list[str]:
        """Every provider that can be named: installed ones and TOML endpoints."""
        return sorted({*self.plugins.providers, *self._tables})

    def installed(self, name: str) -> str:
        """The installed provider that a TOML endpoint is made of; of another one, its own name."""
        while base := self._tables.get(name, {}).get("extends"):
            name = base
        return name

    def split(self, model_id: str) -> tuple[str, str]:
        """Provider and model of a model id; an empty model stands for the provider's default.

        A bare name is an alias, or else a provider, or else a model of the default provider.

        Raises:
            UnknownProvider: no provider stands before the slash, or a bare name looks like a
                mistyped alias or provider.
        """
        given = model_id.strip()
        if given.startswith("/"):
            advice = "Write PROVIDER/MODEL"
            raise UnknownProvider(f"the model id {given!r} begins with a slash", advice=advice)
        provider, slash, model = self.aliases.get(given, given).strip().partition("/")
        if slash:
            return provider, model
        if provider in self.names() or self.plugins.switched_off(provider):
            return provider, ""
        default = self._default_provider()
        known = [*self.aliases, *self.names()]
        close = [] if given in self.aliases else get_close_matches(given, known, 1, cutoff=0.75)
        if close:
            raise UnknownProvider(
                f"{provider!r} is no provider and no alias",
                advice=f"Did you mean {close[0]}? If it is a model: {default}/{provider}",
            )
        return default, provider

    def provider(self, name: str) -> Provider:
        """The provider of that name.

        Raises:
            UnknownProvider: nobody offers it.
            PluginError: its plugin cannot be used.
            ConfigurationError: its table in the settings is wrong.
        """
        return self._provider(name, seen=())

    def resolve(self, model_id: str) -> tuple[Provider, str]:
        """Provider and model that a model id means; the model is empty if only the service knows.

        Raises:
            CloudLLMError: as `split` and `provider`.
        """
        name, model = self.split(model_id)
        provider = self.provider(name)
        default = self._tables.get(name, {}).get("default_model") or provider.default_model or ""
        return provider, provider.aliases.get(model or default, model or default)

    def client(
        self, model_id: str, *, api_key: str | None = None, api_base: str | None = None
    ) -> Client:
        """Make the client for a model id; may block while a provider starts what it needs.

        Where neither the id nor the provider says which model, the service is asked what it has.

        Raises:
            MissingKey: the provider needs a key and none was found.
            ConfigurationError: the model id or the provider's settings are wrong.
        """
        provider, model = self.resolve(model_id)
        settings = self._settings_for(provider, api_key=api_key, api_base=api_base)
        model = model or self._first_model(provider, settings)
        if not model.isprintable():
            raise _unfit(provider, model, "it holds a control character")
        made = self.plugins.client(provider, model, settings)
        if made.backend is None and not provider.offline and (flaw := modelname.flaw(made.model)):
            raise _unfit(provider, made.model, flaw)
        _check_border(provider, made)
        return replace(made, allow_plain_http=self._may_go_plain(provider))

    def access(self, name: str) -> Access:
        """What is known of the way to a provider without going it; never the key itself.

        Raises:
            CloudLLMError: as `provider`; an address or a key that can be none.
        """
        provider = self.provider(name)
        table = self._tables.get(name, {})
        base = addresses.checked(provider, self._api_base(provider, table))
        found = self._key(provider, table, argument=None)
        if found is not None:
            place = found.origin.removesuffix(f" providers.{name}.api_key")
            return Access(base, f"{PurePath(place).name} set", ready=True, has_key=True)
        needed = self._needs_key(provider, table, base)
        if not needed and provider.own_credentials:
            return Access(base, "credentials of its own", ready=True, has_key=False)
        if not needed and not provider.key_optional:
            return Access(base, "no key needed", ready=True, has_key=False)
        if not needed:
            return Access(base, "optional, not set", ready=True, has_key=False)
        withheld = self._withheld(provider)
        lacks = keys.lacking(provider, table, environ=self._environ, withheld=withheld)
        return Access(base, " ".join(lacks), ready=False, has_key=False)

    def live_models(self, name: str) -> live.LiveList:
        """Ask the provider's service which models it has now; blocks for some seconds at most.

        Raises:
            CloudLLMError: there is no list, no key, or no answer that makes sense.
        """
        provider = self.provider(name)
        return self._ask(provider, self._settings_for(provider))

    def _settings_for(
        self, provider: Provider, *, api_key: str | None = None, api_base: str | None = None
    ) -> ProviderSettings:
        """What the provider works with: its address, its key, its own settings."""
        _require(provider)
        table = self._tables.get(provider.name, {})
        base = addresses.checked(provider, api_base or self._api_base(provider, table))
        key = self._key(provider, table, argument=api_key)
        if key is not None and base is not None and addresses.holds_password(base):
            raise ConfigurationError(
                f"{provider.name}: its address holds a name or a password, which would be sent in"
                " place of the key",
                advice="Give one of the two",
            )
        if key is None and self._needs_key(provider, table, base):
            raise self._missing_key(provider, table)
        return ProviderSettings(
            api_key=key.secret if key else None,
            api_base=base,
            options=self._options(provider, table),
        )

    def _first_model(self, provider: Provider, settings: ProviderSettings) -> str:
        """The first model that the service has, for a provider that has no default."""
        advice = f"Name one, as in {provider.name}/MODEL"
        if not provider.lists_models:
            raise ConfigurationError(f"{provider.name} has no default model", advice=advice)
        try:
            chats = self._ask(provider, settings).chats
        except ProviderError as error:
            if isinstance(error, NetworkError):
                raise
            what = f"{provider.name} has no default model, and its list cannot be had"
            raise ConfigurationError(f"{what}: {error.message}", advice=advice) from None
        if not chats:
            raise ConfigurationError(f"{provider.label} has no model yet", advice=advice)
        return chats[0]

    def _ask(self, provider: Provider, settings: ProviderSettings) -> live.LiveList:
        url = settings.api_base or ""
        if settings.api_key is not None and not self._may_go_plain(provider):
            addresses.check_encrypted(provider.name, provider.label, url)
        hosts = {*provider.hosts, urlsplit(url).hostname}
        fetch = live.Fetcher(provider.label, hosts, provider.start_hint)
        return self.plugins.have(
            provider,
            settings,
            "listing its models",
            lambda: live.checked(
                provider.label, provider.list_models(settings, fetch), settings.api_key
            ),
            at_least=2 * live.DEADLINE,
        )

    def _may_go_plain(self, provider: Provider) -> bool:
        return bool(self._tables.get(provider.name, {}).get("allow_plain_http"))

    def check(self, name: str) -> None:
        """Raise what making a client of this provider would, keys and model apart."""
        provider = self.provider(name)
        _require(provider)
        self._options(provider, self._tables.get(name, {}))

    def notices(self, model_id: str) -> list[str]:
        """What the user should know about the key of this model's provider, a line each."""
        provider = self.provider(self.split(model_id)[0])
        table = self._tables.get(provider.name, {})
        return keys.key_notices(provider, table, self._environ, self._withheld(provider))

    def _default_provider(self) -> str:
        model = self._settings.model if self._settings else ""
        provider, slash, _ = self.aliases.get(model, model).strip().partition("/")
        return provider if slash else DEFAULT_PROVIDER

    def _provider(self, name: str, seen: tuple[str, ...]) -> Provider:
        table = self._tables.get(name, {})
        base = table.get("extends")
        if base is None:
            if name not in self.plugins.providers:
                raise self.plugins.switched_off(name) or self._not_there(name)
            provider = self.plugins.provider(name)
            return changed(provider, label=table.get("label") or provider.label)
        if name in self.plugins.providers:
            raise self._wrong(name, "extends", "an installed provider cannot extend another")
        if base in (name, *seen):
            raise self._wrong(name, "extends", f"{base!r} leads back to {name!r}")
        if base not in self.names():
            switched_off = self.plugins.switched_off(base)
            if switched_off is not None:
                raise switched_off
            close = get_close_matches(str(base), self.names(), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(self.names())}"
            raise self._wrong(name, "extends", f"unknown provider {base!r}; {hint}")
        return endpoint(name, table, self._provider(base, (name, *seen)))

    def _api_base(self, provider: Provider, table: Mapping[str, Any]) -> str | None:
        """The base URL by the order of sources: `CLOUDLLM_*`, the provider's own, the file."""
        configured = table.get("api_base")
        if configured and not self._from_file(f"providers.{provider.name}.api_base"):
            return str(configured)
        _, named = self._variable(provider, provider.base_env)
        return named or configured or provider.api_base

    def _key(
        self, provider: Provider, table: Mapping[str, Any], *, argument: str | None
    ) -> keys.FoundKey | None:
        if argument is not None:
            return keys.given_key(argument)
        return keys.find_key(
            provider,
            table,
            environ=self._environ,
            origin_of=self._origin,
            withheld=self._withheld(provider),
        )

    def _needs_key(
        self, provider: Provider, table: Mapping[str, Any], api_base: str | None
    ) -> bool:
        """Must there be a key? Also where credentials found on this machine are not to go."""
        if not provider.own_credentials and not addresses.is_loopback(api_base or ""):
            installed = self.plugins.provider(self.installed(provider.name))
            if installed.own_credentials:
                return True
        return needs_key(provider, table, api_base)

    def _missing_key(self, provider: Provider, table: Mapping[str, Any]) -> MissingKey:
        tries = [
            f"{free.name}/{free.default_model}"
            for free in keys.bundled(self.plugins)
            if free.offline
        ]
        return keys.missing_key(
            provider,
            table,
            environ=self._environ,
            withheld=self._withheld(provider),
            without_key=tries,
        )

    def _withheld(self, provider: Provider) -> dict[str, str]:
        """Variables that the provider names but does not get, and whose they are."""
        return keys.withheld(self.installed(provider.name), provider, self.plugins)

    def _variable(self, provider: Provider, names: Iterable[str]) -> tuple[str, str]:
        """The first of these variables that says something and is not another provider's."""
        for name in names:
            text = self._environ.get(name, "").strip()
            if text and name not in self._withheld(provider):
                return name, text
        return "", ""

    def _options(self, provider: Provider, table: Mapping[str, Any]) -> BaseModel | None:
        """Validate what is left of the provider's table with the provider's own model."""
        from cloudllm.settings.fields import ProviderTable  # noqa: PLC0415 - it imports pydantic

        common = ProviderTable.model_fields
        own = {key: value for key, value in table.items() if key not in common}
        model = provider.settings_model
        known = [*common, *(model.model_fields if model else ())]
        for key in own:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise self._wrong(provider.name, key, f"unknown setting{hint}")
        if model is None:
            return None
        origins = {}
        for key, names in provider.settings_env.items():
            origin, text = self._variable(provider, names)
            if text and (key not in own or self._from_file(f"providers.{provider.name}.{key}")):
                own[key], origins[key] = text, origin
        from pydantic import ValidationError  # noqa: PLC0415 - only providers with options

        try:
            return model.model_validate(own)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            if key in origins:
                raise ConfigurationError(f"{origins[key]}: {first['msg']}") from None
            raise self._wrong(provider.name, key, first["msg"]) from None

    def _not_there(self, name: str) -> ConfigurationError:
        """The error for a provider that is not installed, perhaps an endpoint without a base."""
        if name not in self._tables:
            return unknown_provider(name, self.names())
        close = get_close_matches(name, list(self.plugins.providers), n=1)
        meant = f"did you mean [providers.{close[0]}]? If not, add" if close else "add"
        return ConfigurationError(
            f"{self._origin(f'providers.{name}')}: providers.{name}: no such provider is installed;"
            f' {meant} extends = "openai" to define an endpoint'
        )

    def _wrong(self, name: str, key: str, what: str) -> ConfigurationError:
        dotted = f"providers.{name}.{key}"
        origin = self._origin(dotted)
        place = origin if origin.endswith(dotted) else f"{origin}: {dotted}"
        return ConfigurationError(f"{place}: {what}")

    def _from_file(self, key: str) -> bool:
        return keys.is_file_origin(self._origin(key))

    def _origin(self, key: str) -> str:
        return self._settings.origin(key) if self._settings else "settings"


def client(
    model: str,
    *,
    api_key: str | None = None,
    api_base: str | None = None,
    settings: Settings | None = None,
) -> Client:
    """The client for a model id such as `openai/gpt-6-luna`.

    Without `api_key` the provider's environment variables are read; no file is, unless
    `settings=Settings.load()` is given.

    Raises:
        MissingKey: the provider needs a key and none was found.
        ConfigurationError: the model id or the settings are wrong.
    """
    plugins = None
    if settings:
        plugins = Plugins(
            allow=settings.plugins.allow,
            deny=settings.plugins.deny,
            deadline=settings.plugins.deadline,
        )
    return Registry(settings, plugins=plugins).client(model, api_key=api_key, api_base=api_base)


def _require(provider: Provider) -> None:
    """Raise `ConfigurationError` if a module that the provider needs is not installed."""
    from importlib.util import find_spec  # noqa: PLC0415 - for the few providers that need it

    for module, package in provider.requires.items():
        try:
            found = find_spec(module) is not None
        except (ImportError, ValueError):  # the parent package is missing or broken
            found = False
        if not found:
            raise ConfigurationError(
                f"{provider.name} needs {module}, which is not installed",
                advice=f'Install it: pip install "{package}"',
            )


def _check_border(provider: Provider, made: Client) -> None:
    """Raise `ConfigurationError` for a client that could send what it has to anyone."""
    if made.backend is not None:
        return
    if not made.hosts and not made.api_base:
        raise ConfigurationError(
            f"{provider.name} declares neither api_base nor hosts, so nothing is sent",
            advice=f"Give its address: api_base in [providers.{provider.name}]",
        )
    if made.own_credentials and not provider.own_credentials:
        raise ConfigurationError(
            f"{provider.name} gets no credentials that are found on this machine: they belong to"
            " another address",
            advice=f"Give it a key: api_key_env in [providers.{provider.name}]",
        )


def _unfit(provider: Provider, model: str, flaw: str) -> ConfigurationError:
    shown = one_line(model, 80)
    return ConfigurationError(f"{shown!r} cannot be a model of {provider.name}: {flaw}")
