"""Where a provider's key comes from, and what to say when there is none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

from pydantic import SecretStr

from cloudllm.errors import CloudLLMError, ConfigurationError, MissingKey
from cloudllm.plugins import PROVIDERS, Plugins
from cloudllm.provider import Provider

_FILE_LINE = re.compile(r":\d+$")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key and where it was found: a variable, `PATH:LINE` and the setting, or "argument"."""

    secret: SecretStr
    origin: str


def find_key(
    provider: Provider,
    table: Mapping[str, object],
    *,
    environ: Mapping[str, str],
    origin_of: Callable[[str], str],
    withheld: Collection[str] = (),
) -> FoundKey | None:
    """The first key that is not blank, by the order of sources.

    `CLOUDLLM_PROVIDERS__NAME__API_KEY`, then the variable that `api_key_env` names or else the
    provider's own but for those `withheld`, then `api_key` in the file. `table` is
    `[providers.NAME]`; `origin_of` tells where a dotted key was set.

    Raises:
        ConfigurationError: What was found cannot be a key; the message says where it stands.
    """
    names = _variables(provider, table, withheld)
    for text, origin in _candidates(provider, table, names, environ, origin_of):
        if text.strip():
            return _checked(text, origin)
    return None


def given_key(text: str, origin: str = "argument") -> FoundKey:
    """The key a program passes itself, or a person gives.

    Raises:
        ConfigurationError: It cannot be a key.
    """
    return _checked(text, origin)


def is_file_origin(origin: str) -> bool:
    """Whether a value's origin is a line of the configuration file."""
    return bool(_FILE_LINE.search(origin))


def withheld(plugin: str, provider: Provider, plugins: Plugins) -> dict[str, str]:
    """The variables of others that `provider` names, and whose they are.

    `plugin` is the name of the plugin it comes from. A variable is another's if a bundled provider
    declares it, or if it begins with the name of a provider of another distribution. A third-party
    plugin gets none of them by itself; what ships with cloudllm names only its own.
    """
    wanted = {*provider.key_env, *provider.base_env, *chain(*provider.settings_env.values())}
    own = plugins.plugin_of(plugin)
    if own is None or own.bundled or not wanted:
        return {}
    owners = {
        variable: other.name
        for other in bundled(plugins)
        for variable in (*other.key_env, *other.base_env)
    }
    installed = {_prefix(each.name): each for each in plugins.installed if each.group == PROVIDERS}
    installed[_prefix(own.name)] = own
    for variable in wanted - owners.keys():
        longest = max(filter(variable.startswith, installed), key=len, default=None)
        if longest and installed[longest].distribution != own.distribution:
            owners[variable] = installed[longest].name
    return {variable: owners[variable] for variable in sorted(wanted & owners.keys())}


def bundled(plugins: Plugins) -> list[Provider]:
    """The providers that ship with cloudllm; one that cannot be loaded is left out."""
    found = []
    for name, offers in plugins.providers.items():
        if offers[0].bundled:
            try:
                found.append(plugins.provider(name))
            except CloudLLMError:
                continue
    return found


def key_notices(
    provider: Provider,
    table: Mapping[str, object],
    environ: Mapping[str, str],
    withheld: Collection[str] = (),
) -> list[str]:
    """One line if the provider's own variables hold different keys and the first one is used."""
    if _plain(table.get("api_key")).strip() or table.get("api_key_env"):
        return []
    names = _variables(provider, table, withheld)
    found = {name: environ.get(name, "").strip() for name in names}
    first, *others = [name for name, key in found.items() if key] or [""]
    different = [name for name in others if found[name] != found[first]]
    if not different:
        return []
    return [f"{' and '.join([first, *different])} hold different keys; {first} is used"]


def missing_key(
    provider: Provider,
    table: Mapping[str, object],
    *,
    environ: Mapping[str, str] = os.environ,
    withheld: Mapping[str, str] = _NOTHING,
    without_key: Sequence[str] = (),
) -> MissingKey:
    """The error for a provider without a key, on one line; to be raised by the caller.

    `withheld` tells whose a variable is that this provider does not get, `without_key` which
    models anyone can try.
    """
    first, state = lacking(provider, table, environ=environ, withheld=withheld)
    problem = f"No key for {provider.label}: {first} is {state}"
    place = f" (get a key at {provider.key_url})" if provider.key_url else ""
    others = [name for name in provider.key_env if name in withheld and environ.get(name)]
    if others and not table.get("api_key_env"):
        name, owner = others[0], withheld[others[0]]
        return MissingKey(
            f"{problem}, and {name} is the key of {owner}",
            advice=f"Set it{place}, or let {provider.name} have the other one: "
            f'api_key_env = "{name}" in [providers.{provider.name}]',
        )
    tries = " or ".join(f"cloudllm -m {model}" for model in without_key)
    return MissingKey(
        problem, advice=f"Set it{place}" + (f", or try without a key: {tries}" if tries else "")
    )


def lacking(
    provider: Provider,
    table: Mapping[str, object],
    *,
    environ: Mapping[str, str],
    withheld: Collection[str] = (),
) -> tuple[str, str]:
    """The variable to set for a provider that has no key, and whether it is "set but empty"."""
    own = f"CLOUDLLM_PROVIDERS__{_prefix(provider.name)}_API_KEY"
    names = _variables(provider, table, withheld)
    empty = next((name for name in (own, *names) if name in environ), None)
    return empty or (names or (own,))[0], "set but empty" if empty else "not set"


def _candidates(
    provider: Provider,
    table: Mapping[str, object],
    names: Collection[str],
    environ: Mapping[str, str],
    origin_of: Callable[[str], str],
) -> Iterator[tuple[str, str]]:
    key = f"providers.{provider.name}.api_key"
    text = _plain(table.get("api_key"))
    where = origin_of(key) if text else ""
    in_file = is_file_origin(where)
    if not in_file:
        yield text, where
    for name in names:
        yield environ.get(name, ""), name
    if in_file:
        yield text, f"{where} {key}"


def _variables(
    provider: Provider, table: Mapping[str, object], withheld: Collection[str]
) -> tuple[str, ...]:
    """The variables that may hold the key; one that the settings name is the only one."""
    named = table.get("api_key_env")
    if named:
        return (str(named),)
    return tuple(name for name in provider.key_env if name not in withheld)


def _prefix(provider: str) -> str:
    """How the variables begin that bear a provider's name."""
    return provider.upper().replace("-", "_") + "_"


def _checked(text: str, origin: str) -> FoundKey:
    key = text.strip()
    if not key or " " in key or not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            f"{origin}: this is no key: it is empty or holds a blank or a special character; copy it once more"
        )
    return FoundKey(SecretStr(key), origin)


def _plain(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return "" if value is None else str(value)
