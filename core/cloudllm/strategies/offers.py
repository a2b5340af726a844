"""The context strategies that plugins offer: collected, checked, and asked inside a guard."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from cloudllm.context import Outline, Plan, PlanError, View
from cloudllm.errors import PluginError
from cloudllm.hooks import ask_plugin
from cloudllm.offering import offered, one_to_each_name
from cloudllm.plugins import Plugin, Plugins
from cloudllm.plugins.call import current_call
from cloudllm.strategies.asking import Asking
from cloudllm.strategy import ContextStrategy
from cloudllm.words import kind_of, one_line

HOOK = "cloudllm_context_strategies"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_LONGEST = 200  # characters of a description


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
    found = one_to_each_name(
        plugins,
        "context strategy",
        offered(plugins, HOOK, "strategies", _checked),
        built_in=built_in,
    )
    return {name: Offer(plugins, plugin, strategy) for name, (plugin, strategy) in found.items()}


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
