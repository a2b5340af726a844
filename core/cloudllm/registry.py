"""Providers by name, from plugins and from TOML endpoints, and the clients made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from difflib import get_close_matches
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloudllm import keys
from cloudllm.errors import ConfigurationError, UnknownProvider
from cloudllm.plugins import Plugins, unknown_provider
from cloudllm.provider import Client, Provider, ProviderSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

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
        self._environ = environ
        self._tables: Mapping[str, Mapping[str, Any]] = settings.providers if settings else {}
        self.plugins = plugins or Plugins()

    def names(self) -> list[str]:
        """Every provider that can be named: installed ones and TOML endpoints."""
        return sorted({*self.plugins.providers, *self._tables})

    def split(self, model_id: str) -> tuple[str, str]:
        """Provider and model of a model id; an empty model stands for the provider's default.

        Raises:
            UnknownProvider: a bare name looks like a mistyped provider.
        """
        provider, slash, model = model_id.strip().partition("/")
        if slash:
            return provider, model
        if provider in self.names():
            return provider, ""
        default = self._default_provider()
        close = get_close_matches(provider, self.names(), n=1, cutoff=0.75)
        if close:
            raise UnknownProvider(
                f"{provider!r} is no provider",
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

    def client(
        self, model_id: str, *, api_key: str | None = None, api_base: str | None = None
    ) -> Client:
        """Make the client for a model id; may block while a provider starts what it needs.

        Raises:
            MissingKey: the provider needs a key and none was found.
            ConfigurationError: the model id or the provider's settings are wrong.
        """
        name, model = self.split(model_id)
        provider = self.provider(name)
        table = self._tables.get(name, {})
        model = model or table.get("default_model") or provider.default_model or ""
        if not model:
            raise ConfigurationError(
                f"{name} has no default model", advice=f"Name one, as in {name}/MODEL"
            )
        base = _checked_address(provider, api_base or self._api_base(provider, table))
        key = self._key(provider, table, argument=api_key)
        if key is None and _needs_key(provider, table, base):
            raise keys.missing_key(provider, table, environ=self._environ)
        settings = ProviderSettings(
            api_key=key.secret if key else None,
            api_base=base,
            options=self._options(provider, table),
        )
        return self.plugins.client(provider, provider.aliases.get(model, model), settings)

    def check(self, name: str) -> None:
        """Raise what making a client of this provider would, keys and model apart."""
        self._options(self.provider(name), self._tables.get(name, {}))

    def notices(self, model_id: str) -> list[str]:
        """What the user should know about the key of this model's provider, a line each."""
        provider = self.provider(self.split(model_id)[0])
        return keys.key_notices(provider, self._tables.get(provider.name, {}), self._environ)

    def _default_provider(self) -> str:
        model = self._settings.model if self._settings else ""
        provider, slash, _ = model.partition("/")
        return provider if slash else DEFAULT_PROVIDER

    def _provider(self, name: str, seen: tuple[str, ...]) -> Provider:
        table = self._tables.get(name, {})
        base = table.get("extends")
        if base is None:
            if name in self._tables and name not in self.plugins.providers:
                raise self._no_base(name)
            if name not in self.plugins.providers:
                raise unknown_provider(name, self.names())
            provider = self.plugins.provider(name)
            return _changed(provider, label=table.get("label") or provider.label)
        if name in self.plugins.providers:
            raise self._wrong(name, "extends", "an installed provider cannot extend another")
        if base in (name, *seen):
            raise self._wrong(name, "extends", f"{base!r} leads back to {name!r}")
        if base not in self.names():
            close = get_close_matches(str(base), self.names(), n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(self.names())}"
            raise self._wrong(name, "extends", f"unknown provider {base!r}; {hint}")
        return _endpoint(name, table, self._provider(base, (name, *seen)))

    def _api_base(self, provider: Provider, table: Mapping[str, Any]) -> str | None:
        """The base URL by the order of sources: `CLOUDLLM_*`, the provider's own, the file."""
        configured = table.get("api_base")
        if configured and not self._from_file(f"providers.{provider.name}.api_base"):
            return str(configured)
        named = (self._environ.get(variable, "").strip() for variable in provider.base_env)
        return next(filter(None, named), configured or provider.api_base)

    def _key(
        self, provider: Provider, table: Mapping[str, Any], *, argument: str | None
    ) -> keys.FoundKey | None:
        if argument is not None:
            return keys.given_key(argument)
        return keys.find_key(provider, table, environ=self._environ, origin_of=self._origin)

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
        from pydantic import ValidationError  # noqa: PLC0415 - only providers with options

        try:
            return model.model_validate(own)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise self._wrong(
                provider.name, ".".join(map(str, first["loc"])), first["msg"]
            ) from None

    def _no_base(self, name: str) -> ConfigurationError:
        close = get_close_matches(name, list(self.plugins.providers), n=1)
        meant = f"did you mean [providers.{close[0]}]? If not, add" if close else "add"
        return ConfigurationError(
            f"{self._origin(f'providers.{name}')}: providers.{name}: no such provider is installed;"
            f' {meant} extends = "openai" to define an endpoint'
        )

    def _wrong(self, name: str, key: str, what: str) -> ConfigurationError:
        dotted = f"providers.{name}.{key}"
        return ConfigurationError(f"{self._origin(dotted)}: {dotted}: {what}")

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
        plugins = Plugins(allow=settings.plugins.allow, deny=settings.plugins.deny)
    return Registry(settings, plugins=plugins).client(model, api_key=api_key, api_base=api_base)


def _endpoint(name: str, table: Mapping[str, Any], base: Provider) -> Provider:
    """`base` under another name; with an address of its own it does not inherit the key."""
    own = table.get("api_base")
    endpoint = _changed(base, name=name, label=table.get("label") or name)
    if not own:
        return endpoint
    return _changed(
        endpoint, api_base=own, base_env=(), key_env=(), key_url=None, hosts=(), models=()
    )


def _changed(provider: Provider, **fields: object) -> Provider:
    """A copy with other values; unlike `replace` it runs no `__init__` of a plugin's subclass."""
    changed = copy(provider)
    for name, value in fields.items():
        object.__setattr__(changed, name, value)
    return changed


def _needs_key(provider: Provider, table: Mapping[str, Any], api_base: str | None) -> bool:
    """Must there be a key? Not for a server on this machine at an address the user chose."""
    if table.get("api_key_env"):
        return True
    return bool(provider.key_env) and not (
        api_base != provider.api_base and _is_loopback(api_base or "")
    )


def _checked_address(provider: Provider, url: str | None) -> str | None:
    """The base URL if it can be one; raises `ConfigurationError`."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, or a broken IPv6 address
        sound = False
    if not sound:
        # Without what may be a password in it.
        shown = url.rpartition("@")[2].partition("?")[0]
        raise ConfigurationError(
            f"{provider.name}: {shown!r} is no address to reach a model at",
            advice="Give it as http://HOST:PORT/PATH or https://HOST/PATH",
        )
    return url


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
