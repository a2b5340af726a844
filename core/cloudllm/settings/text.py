"""How settings are written for a person: dotted keys, TOML values, suggestions, masked secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

Key = tuple[str, ...]

MASK = "********"
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRET = re.compile(r"(^|[_-])((?:api)?key|token|secret|password|authorization)$", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)|(?<==)[^&#\s]+")  # user and query values


def dotted(key: Key) -> str:
    """The key as TOML writes it; a part that is no bare word is quoted."""
    return ".".join(part if _BARE.fullmatch(part) else quoted(part) for part in key)


def one_line(text: str) -> str:
    """The text itself, or quoted if it would not stay on its line."""
    return text if text.isprintable() else quoted(text)


def quoted(text: str) -> str:
    """A basic TOML string on one line; what cannot be printed is escaped."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return named.get(char) or (f"\\u{ord(char):04x}" if char < "\U00010000" else _wide(char))


def _wide(char: str) -> str:
    return f"\\U{ord(char):08x}"


def toml_value(value: object) -> str:
    """The value as TOML writes it on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case Mapping():
            pairs = (f"{dotted((name,))} = {toml_value(item)}" for name, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            return str(value)


def is_secret(key: Key) -> bool:
    """Whether a key of a provider names something that must not be shown."""
    return len(key) > len(("providers", "NAME")) and bool(_SECRET.search(key[-1]))


def masked(key: Key, value: object) -> object:
    """The value fit to be shown: secrets hidden, however deep, and passwords within addresses."""
    if is_secret(key) and value is not None:
        return MASK
    if isinstance(value, str):
        return _IN_ADDRESS.sub(MASK, value) if "://" in value else value
    if isinstance(value, list):
        return [masked(key, item) for item in value]
    if isinstance(value, Mapping):
        return {name: masked((*key, name), item) for name, item in value.items()}
    return value


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?` if a known name is close, by all of it or by its last part."""
    names = list(known)
    last_parts = {each.rpartition(".")[2]: each for each in reversed(names)}
    close = get_close_matches(name, names, n=1, cutoff=0.7) or [
        last_parts[part]
        for part in get_close_matches(name.rpartition(".")[2], last_parts, n=1, cutoff=0.75)
    ]
    return f"; did you mean {close[0]}?" if close else ""
