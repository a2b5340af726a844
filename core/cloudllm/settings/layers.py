"""The layers of the settings: what flags, environment and file say, and where they say it."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cloudllm.errors import ConfigurationError
from cloudllm.settings.files import read_text
from cloudllm.settings.positions import line_numbers
from cloudllm.settings.text import Key, did_you_mean, dotted, is_secret, one_line

PREFIX = "CLOUDLLM_"
PROVIDERS = "providers"
ALIASES = "aliases"
_PROVIDER_PREFIX = f"{PREFIX}PROVIDERS__"
_ALIAS_PREFIX = f"{PREFIX}ALIASES__"
_NOT_SETTINGS = frozenset({"CLOUDLLM_HOME"})
_FLAGS = {"model": "--model", "system_prompt": "--system"}
_WHERE_IN_TOML = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|.*)\)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, and where it was given: `PATH:LINE`, a variable or an option."""

    key: Key
    value: object
    where: str
    in_file: bool = False

    def problem(self, what: str, key: Key | None = None) -> str:
        """The line that tells what is wrong with it; a file's place does not name the key."""
        place = f"{self.where}: {dotted(key or self.key)}" if self.in_file else self.where
        return f"{place}: {what}"


@dataclass(slots=True)
class Layer:
    """What one source says: its values, what is wrong with it, and what should be known of it."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class KnownKeys:
    """The keys the settings have, but for those that the user names; `sections` are their tables."""

    leaves: tuple[Key, ...]
    sections: tuple[Key, ...]

    @cached_property
    def names(self) -> list[str]:
        """Every key as a person writes it."""
        return [dotted(key) for key in (*self.leaves, *self.sections)]

    @cached_property
    def variables(self) -> dict[str, Key]:
        """The variable of every key."""
        return {variable(key): key for key in self.leaves}

    def unknown(self, name: str) -> str:
        """What to say of what is no key."""
        if (name,) in self.sections:
            return "is a table; name one of its keys"
        return f"unknown setting{did_you_mean(name, self.names)}"


def variable(key: Key) -> str:
    """The environment variable that sets the key."""
    return PREFIX + "__".join(key).upper().replace("-", "_")


def option(name: str) -> str:
    """The command-line option that sets the key."""
    return _FLAGS.get(name, f"-o {one_line(name)}")


def option_layer(
    known: KnownKeys,
    values: Mapping[str, object],
    name_of: Callable[[str], str] = option,
) -> Layer:
    """Values by dotted key; `None` means that the option was not given."""
    layer = Layer()
    for name, value in values.items():
        if value is None:
            continue
        key = tuple(name.split("."))
        entry = Entry(key, value, name_of(name))
        if key[0] == PROVIDERS and len(key) > 2 and all(key):  # noqa: PLR2004 - providers.NAME.KEY
            if is_secret(key):
                layer.problems.append(
                    entry.problem("other users can read the command line; use a variable")
                )
            else:
                layer.entries.append(Entry(key, _raw(value), entry.where))
        elif key in known.leaves:
            layer.entries.append(entry)
        elif key[0] == ALIASES and len(key) > 1:
            alias = (ALIASES, name.partition(".")[2])
            layer.entries.append(Entry(alias, value, entry.where))
        else:
            layer.problems.append(entry.problem(known.unknown(name)))
    return layer


def environment_layer(
    known: KnownKeys,
    environ: Mapping[str, str],
    provider_names: Callable[[], Iterable[str]],
    alias_names: Iterable[str] = (),
) -> Layer:
    """The `CLOUDLLM_*` variables; one that is empty counts as not set.

    `provider_names` is asked when a provider's name has a `_`, which may stand for a `-`;
    `alias_names` are those of the file, for the same reason.
    """
    layer = Layer()
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        if name.startswith(_PROVIDER_PREFIX):
            parts = name.removeprefix(_PROVIDER_PREFIX).lower().split("__")
            if len(parts) == 1 or not all(parts):
                layer.problems.append(f"{one_line(name)}: expected {_PROVIDER_PREFIX}NAME__KEY")
            elif text.strip():
                parts[0] = _as_written(parts[0], provider_names)
                layer.entries.append(Entry((PROVIDERS, *parts), _raw(text), name))
        elif name.startswith(_ALIAS_PREFIX):
            alias = _as_written(name.removeprefix(_ALIAS_PREFIX).lower(), lambda: alias_names)
            if text.strip():
                layer.entries.append(Entry((ALIASES, alias), text, name))
        elif name not in known.variables:
            hint = did_you_mean(name, [*known.variables, *_NOT_SETTINGS])
            layer.problems.append(f"{one_line(name)}: unknown variable{hint}")
        elif text.strip():
            layer.entries.append(Entry(known.variables[name], text, name))
    return layer


def _raw(value: object) -> object:
    """A list or table for a provider is spelled as JSON; its model knows the other types."""
    if isinstance(value, str) and value.startswith(("[", "{")):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _as_written(spelled: str, known_names: Callable[[], Iterable[str]]) -> str:
    """The name that a variable's name stands for: it has neither capitals nor `-`."""
    if "_" not in spelled:
        return spelled
    names = list(known_names())
    if spelled in names:
        return spelled
    return next((name for name in names if name.lower().replace("-", "_") == spelled), spelled)


def file_layer(known: KnownKeys, path: Path) -> Layer:
    """The user's `config.toml`; a file that is not there says nothing."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        return Layer()
    except ConfigurationError as error:
        return Layer(problems=[error.message])
    layer = text_layer(known, text, path)
    _notice_readable_keys(layer, path)
    return layer


def text_layer(known: KnownKeys, text: str, path: Path) -> Layer:
    """What a `config.toml` with this text would say."""
    try:
        data = tomllib.loads(text)
    # ValueError: a number too long to be converted is not a TOMLDecodeError.
    except (ValueError, RecursionError) as error:
        return Layer(problems=[_malformed(error, text, path)])
    walk = _Walk(known, path, line_numbers(text))
    walk.table((), data)
    return walk.layer


def _malformed(error: Exception, text: str, path: Path) -> str:
    problem = malformed_at(error, text, path)
    what = _WHERE_IN_TOML.sub("", str(error))
    if what == str(error) or isinstance(error, RecursionError):
        return problem
    return f"{problem}: {what[:1].lower()}{what[1:]}"


def malformed_at(error: Exception, text: str, path: Path) -> str:
    """That a file is not valid TOML, and on which line; nothing of what it holds."""
    at = _WHERE_IN_TOML.search(str(error))
    if isinstance(error, RecursionError) or not at:
        return f"{path}: is not valid TOML"
    return f"{path}:{at['line'] or text.count(chr(10)) + 1}: is not valid TOML"


def _notice_readable_keys(layer: Layer, path: Path) -> None:
    if os.name != "posix" or not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return
    for entry in layer.entries:
        if entry.key[0] == PROVIDERS and is_secret(entry.key):
            layer.notices.append(entry.problem(f"others can read it; run: chmod 600 {path}"))
            return


class _Walk:
    """Turns the tables of one file into entries, and what does not belong there into problems."""

    def __init__(self, known: KnownKeys, path: Path, lines: Mapping[Key, int]) -> None:
        self.known = known
        self.path = path
        self.lines = lines
        self.layer = Layer()

    def table(self, prefix: Key, data: Mapping[str, object]) -> None:
        for name, value in data.items():
            entry = self._entry((*prefix, name), value)
            if entry.key == (PROVIDERS,):
                self._tables(entry, self._providers)
            elif entry.key == (ALIASES,):
                self._tables(entry, self._aliases)
            elif entry.key in self.known.leaves:
                self.layer.entries.append(entry)
            elif entry.key in self.known.sections:
                self._tables(entry, self.table)
            else:
                self._wrong(entry, self.known.unknown(dotted(entry.key)))

    def _entry(self, key: Key, value: object) -> Entry:
        line = self.lines.get(key)
        return Entry(key, value, f"{self.path}:{line}" if line else str(self.path), in_file=True)

    def _wrong(self, entry: Entry, what: str) -> None:
        self.layer.problems.append(entry.problem(what))

    def _tables(self, entry: Entry, inner: Callable[[Key, Mapping[str, object]], None]) -> None:
        if isinstance(entry.value, dict):
            inner(entry.key, entry.value)
        else:
            self._wrong(entry, "expected a table")

    def _providers(self, prefix: Key, data: Mapping[str, object]) -> None:
        for name, value in data.items():
            self._tables(self._entry((*prefix, name), value), self._provider)

    def _aliases(self, prefix: Key, data: Mapping[str, object]) -> None:
        self.layer.entries += (self._entry((*prefix, name), data[name]) for name in data)

    def _provider(self, prefix: Key, data: Mapping[str, object]) -> None:
        # The table is an entry as well, so that its line is known.
        inner = flattened(prefix, data) if data else ()
        self.layer.entries.extend(self._entry(key, value) for key, value in ((prefix, {}), *inner))


def flattened(prefix: Key, data: Mapping[str, object]) -> Iterator[tuple[Key, object]]:
    """Every value below, with its whole key; an empty table is a value too."""
    if not data:
        yield prefix, {}
    for name, value in data.items():
        if isinstance(value, dict):
            yield from flattened((*prefix, name), value)
        else:
            yield (*prefix, name), value


def merged(layers: Iterable[Layer]) -> tuple[dict[str, Any], dict[Key, Entry]]:
    """The values as nested tables, and the entry each came from; the first layer wins."""
    values: dict[str, Any] = {}
    taken: dict[Key, Entry] = {}
    for layer in layers:
        for entry in layer.entries:
            if _put(values, entry.key, entry.value):
                taken[entry.key] = entry
    return values, taken


def _put(values: dict[str, Any], key: Key, value: object) -> bool:
    for part in key[:-1]:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            return False
        values = inner
    if key[-1] in values:
        return False
    values[key[-1]] = value
    return True
