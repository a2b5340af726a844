"""The exporters that plugins offer: collected, checked, and each with its plugin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloudllm.archive import Exporter
from cloudllm.offering import offered, one_to_each_name
from cloudllm.plugins import Plugin, Plugins
from cloudllm.words import kind_of, one_line

HOOK = "cloudllm_exporters"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_SUFFIX = re.compile(r"(?:\.[a-z0-9_-]{1,15}){1,2}")
_LONGEST = 200  # characters of a description


@dataclass(frozen=True, slots=True)
class Offer:
    """An exporter, and the plugin that offers it."""

    plugin: Plugin
    exporter: Exporter


def collected(plugins: Plugins) -> dict[str, Offer]:
    """The exporters of all plugins by name; loads the plugins, so it blocks.

    What is wrong with an exporter is told in one line, and leaves out that exporter alone.
    """
    plugins.load_sessions()
    found = one_to_each_name(plugins, "exporter", offered(plugins, HOOK, "exporters", _checked))
    return {name: Offer(plugin, exporter) for name, (plugin, exporter) in found.items()}


def _checked(exporter: object) -> Exporter | str:
    """The exporter, plain and fit to show, or what is wrong with it."""
    if not isinstance(exporter, Exporter):
        return f"{kind_of(exporter)} is no Exporter"
    name, suffix, description = exporter.name, exporter.suffix, exporter.description
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"the name {one_line(repr(name), _LONGEST)} is no lower-case word"
    if not isinstance(suffix, str) or not _SUFFIX.fullmatch(suffix):
        return f"the suffix of {name} must be like .md, not {one_line(repr(suffix), _LONGEST)}"
    if not isinstance(description, str):
        return f"the description of {name} must be text"
    if not callable(exporter.write):
        return f"write of {name} can't be called"
    return Exporter(
        name=str.__str__(name),
        suffix=str.__str__(suffix),
        description=one_line(description, _LONGEST),
        write=exporter.write,
    )
