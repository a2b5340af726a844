"""The exporters that plugins offer: collected, checked, and each with its plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from cloudllm.archive import Exporter
from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.hooks import ask_plugin
from cloudllm.listeners import Hook, words_of
from cloudllm.plugins import Plugin, Plugins
from cloudllm.words import kind_of, one_line

HOOK = "cloudllm_exporters"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_SUFFIX = re.compile(r"(?:\.[a-z0-9_-]{1,15}){1,2}")
_LONGEST = 200  # characters of a description
_MOST = 100  # exporters of one plugin


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
    offers: dict[str, list[Offer]] = {}
    for plugin, hook in plugins.implementations(HOOK):
        for exporter in _asked(plugins, plugin, hook):
            offers.setdefault(exporter.name, []).append(Offer(plugin, exporter))
    chosen: dict[str, Offer] = {}
    for name, rivals in offers.items():
        ours = [rival for rival in rivals if rival.plugin.bundled]
        if ours:
            theirs = [rival for rival in rivals if not rival.plugin.bundled]
            _leave_out(plugins, theirs, f"{name} ships with cloudllm")
            chosen[name] = ours[0]
        elif len(rivals) > 1:
            named = " and ".join(dict.fromkeys(str(rival.plugin) for rival in rivals))
            _leave_out(plugins, rivals[:1], f"{name} is offered more than once, by {named}")
        else:
            chosen[name] = rivals[0]
    return chosen


def _leave_out(plugins: Plugins, offers: Iterable[Offer], reason: str) -> None:
    for offer in offers:
        plugins.notify(offer.plugin, f"exporter {reason}, so it is left out.")


def _asked(plugins: Plugins, plugin: Plugin, hook: Hook) -> Iterator[Exporter]:
    """The plugin's exporters that are sound; of all others it is told what is wrong."""

    def call() -> list[Exporter | str]:
        offered = hook()
        if not isinstance(offered, Iterable) or isinstance(offered, str | Mapping):
            raise PluginError(
                f"plugin {plugin}: {HOOK} gave {kind_of(offered)}, no list of exporters"
            )
        exporters = list(islice(offered, _MOST + 1))
        if len(exporters) > _MOST:
            raise PluginError(f"plugin {plugin}: {HOOK} gave more than {_MOST} exporters")
        return [*map(_checked, exporters)]  # here, since a class of the plugin's own may fail

    try:
        exporters = ask_plugin(plugins, plugin, HOOK, call)
    except CloudLLMError as error:
        plugins.notify(plugin, f"{words_of(plugin, error)}.")
        return
    for exporter in exporters:
        if isinstance(exporter, Exporter):
            yield exporter
        else:
            plugins.notify(plugin, f"{HOOK}: {exporter}, so it is left out.")


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
