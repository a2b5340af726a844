"""What a provider works with: its address, its key, its own settings, each by the order of sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cloudllm import addresses, keys
from cloudllm.endpoints import needs_key
from cloudllm.errors import ConfigurationError, MissingKey
from cloudllm.plugins import Plugins
from cloudllm.provider import Provider, ProviderSettings

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cloudllm.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """How a provider would be reached: its address, and in words where its key comes from.

    `ready` says that nothing is missing for a call, `has_key` that there is a key to send.
    """

    api_base: str | None
    key: str
    ready: bool
    has_key: bool


class Sources:
    """Reads the settings' tables and the environment; `tables` are those of `[providers]`."""

    def __init__(
        self, settings: Settings | None, plugins: Plugins, environ: Mapping[str, str]
    ) -> None:
        self.tables: Mapping[str, Mapping[str, Any]] = settings.providers if settings else {}
        self._settings = settings
        self._plugins = plugins
        self._environ = environ

    def installed(self, name: str) -> str:
        """The installed provider that a TOML endpoint is made of; of another one, its own name."""
        while base := self.tables.get(name, {}).get("extends"):
            name = base
        return name

    def settings_for(
        self, provider: Provider, *, api_key: str | None = None, api_base: str | None = None
    ) -> ProviderSettings:
        """What the provider works with: its address, its key, its own settings."""
        _require(provider)
        table = self._table(provider)
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

    def access(self, provider: Provider) -> Access:
        """What is known of the way to a provider without going it; never the key itself.

        Raises:
            CloudLLMError: an address or a key that can be none.
        """
        name, table = provider.name, self._table(provider)
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

    def may_go_plain(self, provider: Provider) -> bool:
        """May its key go over plain http to another machine?"""
        return bool(self._table(provider).get("allow_plain_http"))

    def key_notices(self, provider: Provider) -> list[str]:
        """What the user should know about the provider's key, a line each."""
        withheld = self._withheld(provider)
        return keys.key_notices(provider, self._table(provider), self._environ, withheld)

    def check(self, provider: Provider) -> None:
        """Raise what making a client of this provider would, keys and model apart."""
        _require(provider)
        self._options(provider, self._table(provider))

    def wrong(self, name: str, key: str, what: str) -> ConfigurationError:
        """The error for a value in a provider's table, which says where that stands."""
        dotted = f"providers.{name}.{key}"
        origin = self.origin(dotted)
        place = origin if origin.endswith(dotted) else f"{origin}: {dotted}"
        return ConfigurationError(f"{place}: {what}")

    def origin(self, key: str) -> str:
        """Where a setting is from."""
        return self._settings.origin(key) if self._settings else "settings"

    def _table(self, provider: Provider) -> Mapping[str, Any]:
        return self.tables.get(provider.name, {})

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
            origin_of=self.origin,
            withheld=self._withheld(provider),
        )

    def _needs_key(
        self, provider: Provider, table: Mapping[str, Any], api_base: str | None
    ) -> bool:
        """Must there be a key? Also where credentials found on this machine are not to go."""
        if not provider.own_credentials and not addresses.is_loopback(api_base or ""):
            installed = self._plugins.provider(self.installed(provider.name))
            if installed.own_credentials:
                return True
        return needs_key(provider, table, api_base)

    def _missing_key(self, provider: Provider, table: Mapping[str, Any]) -> MissingKey:
        tries = [
            f"{free.name}/{free.default_model}"
            for free in keys.bundled(self._plugins)
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
        return keys.withheld(self.installed(provider.name), provider, self._plugins)

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
                raise self.wrong(provider.name, key, f"unknown setting{hint}")
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
            raise self.wrong(provider.name, key, first["msg"]) from None

    def _from_file(self, key: str) -> bool:
        return keys.is_file_origin(self.origin(key))


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
