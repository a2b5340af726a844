"""Providers by name, from plugins and from TOML endpoints, and the clients made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cloudllm import addresses, live, modelname
from cloudllm.endpoints import changed, endpoint
from cloudllm.errors import (
    ConfigurationError,
    NetworkError,
    ProviderError,
    UnknownProvider,
)
from cloudllm.plugins import Plugins, unknown_provider
from cloudllm.provider import Client, Provider, ProviderSettings
from cloudllm.sources import Access, Sources
from cloudllm.words import one_line

if TYPE_CHECKING:
    from cloudllm.settings import Settings

DEFAULT_PROVIDER = "openai"


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
        self.aliases: Mapping[str, str] = settings.aliases if settings else {}
        self.plugins = plugins or Plugins()
        self._sources = Sources(settings, self.plugins, environ)
        self._tables = self._sources.tables

    def names(self) -> list[str]:
        """Every provider that can be named: installed ones and TOML endpoints."""
        return sorted({*self.plugins.providers, *self._tables})

    def installed(self, name: str) -> str:
        """The installed provider that a TOML endpoint is made of; of another one, its own name."""
        return self._sources.installed(name)

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
        settings = self._sources.settings_for(provider, api_key=api_key, api_base=api_base)
        model = model or self._first_model(provider, settings)
        if not model.isprintable():
            raise _unfit(provider, model, "it holds a control character")
        made = self.plugins.client(provider, model, settings)
        if made.backend is None and not provider.offline and (flaw := modelname.flaw(made.model)):
            raise _unfit(provider, made.model, flaw)
        _check_border(provider, made)
        return replace(made, allow_plain_http=self._sources.may_go_plain(provider))

    def access(self, name: str) -> Access:
        """What is known of the way to a provider without going it; never the key itself.

        Raises:
            CloudLLMError: as `provider`; an address or a key that can be none.
        """
        return self._sources.access(self.provider(name))

    def live_models(self, name: str) -> live.LiveList:
        """Ask the provider's service which models it has now; blocks for some seconds at most.

        Raises:
            CloudLLMError: there is no list, no key, or no answer that makes sense.
        """
        provider = self.provider(name)
        return self._ask(provider, self._sources.settings_for(provider))

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
        if settings.api_key is not None and not self._sources.may_go_plain(provider):
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

    def check(self, name: str) -> None:
        """Raise what making a client of this provider would, keys and model apart."""
        provider = self.provider(name)
        self._sources.check(provider)

    def notices(self, model_id: str) -> list[str]:
        """What the user should know about the key of this model's provider, a line each."""
        return self._sources.key_notices(self.provider(self.split(model_id)[0]))

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
            raise self._sources.wrong(
                name, "extends", "an installed provider cannot extend another"
            )
        if base in (name, *seen):
            raise self._sources.wrong(name, "extends", f"{base!r} leads back to {name!r}")
        if base not in self.names():
            switched_off = self.plugins.switched_off(base)
            if switched_off is not None:
                raise switched_off
            close = get_close_matches(str(base), self.names(), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(self.names())}"
            raise self._sources.wrong(name, "extends", f"unknown provider {base!r}; {hint}")
        return endpoint(name, table, self._provider(base, (name, *seen)))

    def _not_there(self, name: str) -> ConfigurationError:
        """The error for a provider that is not installed, perhaps an endpoint without a base."""
        if name not in self._tables:
            return unknown_provider(name, self.names())
        close = get_close_matches(name, list(self.plugins.providers), n=1)
        meant = f"did you mean [providers.{close[0]}]? If not, add" if close else "add"
        place = self._sources.origin(f"providers.{name}")
        return ConfigurationError(
            f"{place}: providers.{name}: no such provider is installed;"
            f' {meant} extends = "openai" to define an endpoint'
        )


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
