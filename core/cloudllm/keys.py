"""Where a provider's key comes from, and what to say when there is none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from cloudllm.errors import ConfigurationError, MissingKey
from cloudllm.provider import Provider

_FILE_LINE = re.compile(r":\d+$")
_WITHOUT_A_KEY = "cloudllm -m local/smollm2 or cloudllm -m echo/echo"


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
) -> FoundKey | None:
    """The first key that is not blank, by the order of sources.

    `CLOUDLLM_PROVIDERS__NAME__API_KEY`, then the variable that `api_key_env` names or else the
    provider's own, then `api_key` in the file. `table` is `[providers.NAME]`; `origin_of` tells
    where a dotted key was set.

    Raises:
        ConfigurationError: What was found cannot be a key; the message says where it stands.
    """
    for text, origin in _candidates(provider, table, environ, origin_of):
        if text.strip():
            return _checked(text, origin)
    return None


def given_key(text: str) -> FoundKey:
    """The key a program passes itself.

    Raises:
        ConfigurationError: It cannot be a key.
    """
    return _checked(text, "argument")


def is_file_origin(origin: str) -> bool:
    """Whether a value's origin is a line of the configuration file."""
    return bool(_FILE_LINE.search(origin))


def key_notices(
    provider: Provider, table: Mapping[str, object], environ: Mapping[str, str]
) -> list[str]:
    """One line if the provider's own variables hold different keys and the first one is used."""
    if _plain(table.get("api_key")).strip() or table.get("api_key_env"):
        return []
    found = {name: environ.get(name, "").strip() for name in provider.key_env}
    first, *others = [name for name, key in found.items() if key] or [""]
    different = [name for name in others if found[name] != found[first]]
    if not different:
        return []
    return [f"{' and '.join([first, *different])} hold different keys; {first} is used"]


def missing_key(
    provider: Provider, table: Mapping[str, object], *, environ: Mapping[str, str] = os.environ
) -> MissingKey:
    """The error for a provider without a key, on one line; to be raised by the caller."""
    own = f"CLOUDLLM_PROVIDERS__{provider.name.upper().replace('-', '_')}__API_KEY"
    names = _variables(provider, table)
    empty = next((name for name in (own, *names) if name in environ), None)
    first = empty or (names or (own,))[0]
    state = "set but empty" if empty else "not set"
    place = f" (get a key at {provider.key_url})" if provider.key_url else ""
    return MissingKey(
        f"No key for {provider.label}: {first} is {state}",
        advice=f"Set it{place}, or try without a key: {_WITHOUT_A_KEY}",
    )


def _candidates(
    provider: Provider,
    table: Mapping[str, object],
    environ: Mapping[str, str],
    origin_of: Callable[[str], str],
) -> Iterator[tuple[str, str]]:
    key = f"providers.{provider.name}.api_key"
    text = _plain(table.get("api_key"))
    where = origin_of(key) if text else ""
    in_file = is_file_origin(where)
    if not in_file:
        yield text, where
    for name in _variables(provider, table):
        yield environ.get(name, ""), name
    if in_file:
        yield text, f"{where} {key}"


def _variables(provider: Provider, table: Mapping[str, object]) -> tuple[str, ...]:
    """The variables that may hold the key; one that the settings name is the only one."""
    named = table.get("api_key_env")
    return (str(named),) if named else provider.key_env


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
