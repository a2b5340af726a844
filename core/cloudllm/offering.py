"""What plugins offer through a hook that gives a list: asked for, checked, one to each name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.hooks import ask_plugin
from cloudllm.listeners import Hook, words_of
from cloudllm.plugins import Plugin, Plugins
from cloudllm.words import kind_of

_MOST = 100  # things of one plugin


class Named(Protocol):
    """Something that is offered under a name."""

    @property
    def name(self) -> str:
        """What it is chosen by."""


Offered = TypeVar("Offered", bound=Named)


def offered(
    plugins: Plugins, hook: str, things: str, check: Callable[[object], Offered | str]
) -> Iterator[tuple[Plugin, Offered]]:
    """What the loaded plugins offer through `hook`, each with its plugin; it blocks.

    `things` is the word for them. `check` gives what is offered in a plain form, or what is wrong
    with it; that is told in one line, and leaves out that one alone.
    """
    for plugin, implementation in plugins.implementations(hook):
        call = partial(_given, f"plugin {plugin}: {hook}", implementation, things, check)
        try:
            checked = ask_plugin(plugins, plugin, hook, call)
        except CloudLLMError as error:
            plugins.notify(plugin, f"{words_of(plugin, error)}.")
            continue
        for each in checked:
            if isinstance(each, str):
                plugins.notify(plugin, f"{hook}: {each}, so it is left out.")
            else:
                yield plugin, each


def one_to_each_name(
    plugins: Plugins,
    thing: str,
    found: Iterable[tuple[Plugin, Offered]],
    *,
    built_in: Collection[str] = (),
) -> dict[str, tuple[Plugin, Offered]]:
    """Which one has each name: what ships with cloudllm, or else the only one; the rest is told."""
    rivals_of: dict[str, list[tuple[Plugin, Offered]]] = {}
    for plugin, each in found:
        rivals_of.setdefault(each.name, []).append((plugin, each))
    chosen: dict[str, tuple[Plugin, Offered]] = {}
    for name, rivals in rivals_of.items():
        ours = [rival for rival in rivals if rival[0].bundled]
        if ours or name in built_in:
            chosen.update((name, rival) for rival in ours)
            losers = [plugin for plugin, _ in rivals if not plugin.bundled]
            reason = f"{name} ships with cloudllm"
        elif len(rivals) > 1:
            losers, reason = (
                [rivals[0][0]],
                f"{name} is offered more than once, by {_named(rivals)}",
            )
        else:
            losers, reason = [], ""
            chosen[name] = rivals[0]
        for plugin in losers:
            plugins.notify(plugin, f"{thing} {reason}, so it is left out.")
    return chosen


def _named(rivals: Iterable[tuple[Plugin, object]]) -> str:
    """The plugins of these, each once, in words."""
    return " and ".join(dict.fromkeys(str(plugin) for plugin, _ in rivals))


def _given(
    who: str, hook: Hook, things: str, check: Callable[[object], Offered | str]
) -> list[Offered | str]:
    """What the hook gives, each checked; `who` names plugin and hook. It is the plugin's own time."""
    given = hook()
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise PluginError(f"{who} gave {kind_of(given)}, no list of {things}")
    found = list(islice(given, _MOST + 1))
    if len(found) > _MOST:
        raise PluginError(f"{who} gave more than {_MOST} {things}")
    return [*map(check, found)]  # here, since a class of the plugin's own may fail
