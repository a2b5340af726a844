"""The context strategies that plugins offer: collected, checked, and asked inside a guard."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from cloudllm.context import Outline, Plan, PlanError, View
from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.hooks import ask_plugin
from cloudllm.listeners import Hook, words_of
from cloudllm.plugins import Plugin, Plugins
from cloudllm.plugins.call import current_call
from cloudllm.strategies.asking import Asking
from cloudllm.strategy import ContextStrategy
from cloudllm.words import kind_of, one_line

HOOK = "cloudllm_context_strategies"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_LONGEST = 200  # characters of a description
_MOST = 100  # strategies of one plugin


@dataclass(frozen=True, slots=True)
class Offer:
    """A strategy, and the plugin that offers it."""

    plugins: Plugins
    plugin: Plugin
    strategy: ContextStrategy

    def plan(self, outline: Outline, view: View, asking: Asking) -> Plan:
        """What the strategy chooses, made a plan inside the plugin's guard."""
        what = f"context strategy {self.strategy.name}"

        def choose() -> Plan:
            if call := current_call():
                asking.paused = call.paused
            try:
                return outline.plan(self.strategy.choose(view), f"plugin {self.plugin}: {what}")
            except PlanError as error:
                raise PluginError(
                    f"{error.message}, so nothing was sent",
                    advice=f"cloudllm plugins show {self.plugin.label} tells more",
                ) from None

        return ask_plugin(self.plugins, self.plugin, what, choose)


def collected(plugins: Plugins, built_in: Collection[str]) -> dict[str, Offer]:
    """The strategies of all plugins by name; loads the plugins, so it blocks.

    What is wrong with a strategy is told in one line, and leaves out that strategy alone.
    """
    plugins.load_sessions()
    offers: dict[str, list[Offer]] = {}
    for plugin, hook in plugins.implementations(HOOK):
        for strategy in _asked(plugins, plugin, hook):
            offers.setdefault(strategy.name, []).append(Offer(plugins, plugin, strategy))
    chosen: dict[str, Offer] = {}
    for name, rivals in offers.items():
        ours = [rival for rival in rivals if rival.plugin.bundled]
        if ours or name in built_in:
            theirs = [rival for rival in rivals if not rival.plugin.bundled]
            _leave_out(theirs, f"{name} ships with cloudllm")
            chosen.update((name, offer) for offer in ours)
        elif len(rivals) > 1:
            named = " and ".join(dict.fromkeys(str(rival.plugin) for rival in rivals))
            _leave_out(rivals[:1], f"{name} is offered more than once, by {named}")
        else:
            chosen[name] = rivals[0]
    return chosen


def _leave_out(offers: Iterable[Offer], reason: str) -> None:
    for offer in offers:
        line = f"context strategy {reason}, so it is left out."
        offer.plugins.notify(offer.plugin, line)


def _asked(plugins: Plugins, plugin: Plugin, hook: Hook) -> Iterator[ContextStrategy]:
    """The plugin's strategies that are sound; of all others it is told what is wrong."""

    def call() -> list[ContextStrategy | str]:
        offered = hook()
        if not isinstance(offered, Iterable) or isinstance(offered, str | Mapping):
            raise PluginError(
                f"plugin {plugin}: {HOOK} gave {kind_of(offered)}, no list of strategies"
            )
        strategies = list(islice(offered, _MOST + 1))
        if len(strategies) > _MOST:
            raise PluginError(f"plugin {plugin}: {HOOK} gave more than {_MOST} strategies")
        return [*map(_checked, strategies)]  # here, since a class of the plugin's own may fail

    try:
        strategies = ask_plugin(plugins, plugin, HOOK, call)
    except CloudLLMError as error:
        plugins.notify(plugin, f"{words_of(plugin, error)}.")
        return
    for strategy in strategies:
        if isinstance(strategy, ContextStrategy):
            yield strategy
        else:
            plugins.notify(plugin, f"{HOOK}: {strategy}, so it is left out.")


def _checked(strategy: object) -> ContextStrategy | str:
    """The strategy, plain and fit to show, or what is wrong with it."""
    if not isinstance(strategy, ContextStrategy):
        return f"{kind_of(strategy)} is no ContextStrategy"
    name, description, choose = strategy.name, strategy.description, strategy.choose
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"the name {one_line(repr(name), _LONGEST)} is no lower-case word"
    if not isinstance(description, str):
        return f"the description of {name} must be text"
    if not callable(choose):
        return f"choose of {name} can't be called"
    return ContextStrategy(
        name=str.__str__(name), description=one_line(description, _LONGEST), choose=choose
    )
