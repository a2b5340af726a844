"""`config set`: change one key of `config.toml` and keep everything else as it is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from cloudllm.errors import ConfigurationError
from cloudllm.settings.fields import ProviderTable
from cloudllm.settings.files import read_text, replace_text
from cloudllm.settings.layers import ALIASES, PROVIDERS, option_layer, text_layer, variable
from cloudllm.settings.model import Settings, known_keys
from cloudllm.settings.positions import unquote
from cloudllm.settings.text import Key, dotted, is_secret, one_line, toml_value

_PART = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_KEY = re.compile(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*")
_SHORTEST_PROVIDER_KEY = 3
_ALIAS_PARTS = 2


def set_value(path: Path, name: str, text: str) -> None:
    """Write `name = text` into the file, comments kept, in one step.

    Raises:
        ConfigurationError: The key is unknown or secret, the value is wrong, or the file is.
    """
    known = known_keys()
    key = _key(name)
    value = _typed(key, name, text)
    try:
        before = read_text(path)
    except FileNotFoundError:
        before = ""
    if problems := text_layer(known, before, path).problems:
        raise ConfigurationError("\n".join(problems))
    after = _edited(before, key, value, path)
    Settings.from_layers([text_layer(known, after, path)])
    replace_text(path, after)


def _key(name: str) -> Key:
    known = known_keys()
    key: Key = ()
    if _KEY.fullmatch(name):
        key = tuple(unquote(part) for part in _PART.findall(name))
    alias = len(key) == _ALIAS_PARTS and key[0] == ALIASES
    if key not in known.leaves and key[:1] != (PROVIDERS,) and not alias:
        raise ConfigurationError(f"{one_line(name)}: {known.unknown(name)}")
    if key[0] == PROVIDERS and len(key) < _SHORTEST_PROVIDER_KEY:
        raise ConfigurationError(f"{name}: expected providers.NAME.KEY")
    if is_secret(key):
        raise ConfigurationError(
            f"{name}: other users can read the command line",
            advice=f"Set {variable(key)}, or put the name of the variable that holds the key into "
            f"{dotted((*key[:2], 'api_key_env'))}",
        )
    return key


def _typed(key: Key, name: str, text: str) -> object:
    if key[0] == PROVIDERS:
        return _provider_value(key, text)
    return text if key[0] == ALIASES else _value(name, text)


def _value(name: str, text: str) -> object:
    """The text as the type of the setting; what stands for nothing stays a word."""
    layer = option_layer(known_keys(), {name: text}, name_of=str)
    value: Any = Settings.from_layers([layer])
    for part in name.split("."):
        value = getattr(value, part)
    return text.strip().lower() if value is None else value


def _provider_value(key: Key, text: str) -> object:
    if key[2] in ProviderTable.model_fields:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def _edited(before: str, key: Key, value: object, path: Path) -> str:
    """The text with the value in it and nothing else changed.

    Beside a dotted key a new table would swallow what follows it, hence the second way.
    """
    import tomlkit  # noqa: PLC0415 - needed to write only

    wanted = tomllib.loads(before)
    _put(wanted, key, value, lambda _: {})
    for new_table in (tomlkit.table, lambda _: tomlkit.inline_table()):
        document = tomlkit.parse(before)
        _put(document, key, value, new_table)
        after = tomlkit.dumps(document)
        if _means(after, wanted):
            return after
    raise ConfigurationError(f"{path}: add this line yourself: {dotted(key)} = {toml_value(value)}")


def _put(
    table: MutableMapping[str, Any],
    key: Key,
    value: object,
    new_table: Callable[[bool], MutableMapping[str, Any]],
) -> None:
    for depth, part in enumerate(key[:-1], start=1):
        if part not in table:
            table[part] = new_table(key[:depth] == (PROVIDERS,))
        table = table[part]
        if not isinstance(table, MutableMapping):
            raise ConfigurationError(f"{dotted(key)}: {dotted(key[:depth])} is no table")
    table[key[-1]] = value


def _means(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except ValueError:
        return False
