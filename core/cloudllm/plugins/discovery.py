"""What is installed, from metadata alone: one scan, nothing imported, names read when shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, distributions

from cloudllm.words import one_line

PROVIDERS = "cloudllm.providers"
SESSIONS = "cloudllm.plugins"
COMMANDS = "cloudllm.cli"

_KINDS = {PROVIDERS: "a provider", SESSIONS: "a plugin for the chat", COMMANDS: "a command"}
_OURSELVES = "cloudllm"
_LONGEST_NAME = 60
_SECTION = re.compile(r"\s*\[(.*)\]\s*")


@dataclass(frozen=True)
class Plugin:
    """An entry point as the metadata declares it; nothing of it is imported.

    `name` is the entry point's, as written; `home` is its distribution's normalized name. What is
    meant for people, `str(plugin)`, `distribution` and `version`, is safe to show.
    """

    name: str
    group: str
    entry_point: EntryPoint = field(compare=False)
    home: str
    _metadata: Distribution | None = field(default=None, compare=False, repr=False)

    @property
    def bundled(self) -> bool:
        """Does it ship with cloudllm itself?"""
        return self.home == _OURSELVES

    @property
    def kind(self) -> str:
        """What its group makes it, in words."""
        return _KINDS[self.group]

    @property
    def module(self) -> str:
        """The module that its entry point names."""
        return self.entry_point.value.partition(":")[0].strip()

    @property
    def key(self) -> str:
        """What tells it from every other plugin, whatever its version."""
        return f"{self.group}:{self.name}:{self.home}"

    @property
    def label(self) -> str:
        """Its name, safe to show."""
        return one_line(self.name, _LONGEST_NAME)

    @cached_property
    def distribution(self) -> str:
        """The name of its distribution, as its metadata spells it."""
        return one_line(self._headers.get("name") or self.home, _LONGEST_NAME)

    @cached_property
    def version(self) -> str:
        """The version of its distribution; empty where the metadata is broken."""
        return one_line(self._headers.get("version", ""), _LONGEST_NAME)

    @cached_property
    def _headers(self) -> dict[str, str]:
        """Name and version; the parser for e-mail that importlib has takes 0.3 ms for each."""
        text = _read(self._metadata, "METADATA") or _read(self._metadata, "PKG-INFO")
        lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
        found = {name.strip().lower(): value.strip() for name, colon, value in lines if colon}
        return {name: found[name] for name in ("name", "version") if name in found}

    def __str__(self) -> str:
        return f"{self.label} ({f'{self.distribution} {self.version}'.rstrip()})"


def installed() -> list[Plugin]:
    """Every plugin of our three groups, by name; the first distribution of a name on the path holds.

    A distribution whose metadata cannot be read is passed over: it must not harm the others.
    """
    homes: dict[str, Distribution] = {}
    for metadata in distributions():
        homes.setdefault(_home(metadata), metadata)
    found: dict[str, Plugin] = {}
    for home, metadata in homes.items():
        for point in _entry_points(metadata):
            plugin = Plugin(point.name, point.group, point, home, metadata)
            found.setdefault(plugin.key, plugin)
    return sorted(found.values(), key=lambda plugin: (plugin.name, plugin.group, plugin.home))


def canonical(name: str) -> str:
    """The name of a distribution as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _home(metadata: Distribution) -> str:
    """The distribution's normalized name: of its folder, since that needs no file to be read."""
    try:
        name = getattr(metadata, "_normalized_name", None) or metadata.name
    except Exception:  # noqa: BLE001 - the metadata may be anything
        name = None
    return canonical(str(name or "unknown"))


def _entry_points(metadata: Distribution) -> Iterator[EntryPoint]:
    """Those of our groups; importlib parses all groups, and fails over a line without "="."""
    text = _read(metadata, "entry_points.txt")
    if _OURSELVES not in text:
        return
    group = ""
    for line in text.splitlines():
        section = _SECTION.fullmatch(line)
        name, equals, value = line.partition("=")
        if section:
            group = section[1].strip()
        elif equals and group in _KINDS and not line.lstrip().startswith(("#", ";")):
            yield EntryPoint(name=name.strip(), value=value.strip(), group=group)


def _read(metadata: Distribution | None, file: str) -> str:
    try:
        return (metadata.read_text(file) if metadata else None) or ""
    except (OSError, ValueError):  # not readable, or no text
        return ""
