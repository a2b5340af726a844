"""Context strategies at run time: those built in, those of plugins, and one's choice made a plan."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

from cloudllm.context import Ask, Outline, Plan, View
from cloudllm.errors import ConfigurationError
from cloudllm.strategies.asking import Asking
from cloudllm.strategy import ContextStrategy, Summary
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from cloudllm.plugins import Plugins
    from cloudllm.strategies.offers import Offer

__all__ = ("BUILT_IN", "Strategies")

DROP_OLDEST = "drop-oldest"
NONE = "none"
BUILT_IN: Mapping[str, str] = {
    DROP_OLDEST: "leave out the oldest turns",
    NONE: "leave nothing out: refuse what does not fit",
}
"""The strategies that need no plugin, with what they do."""

_ALIKE = 0.6


class Strategies:
    """The context strategies of `plugins` and those built in; sessions may share them.

    The plugins are loaded when a strategy that is not built in is first wanted, unless they are
    already.
    """

    def __init__(self, plugins: Plugins | None = None) -> None:
        self._plugins = plugins
        self._lock = threading.Lock()
        self._offers: dict[str, Offer] | None = None

    def names(self) -> dict[str, str]:
        """Every strategy's name with its description; loads the plugins, so it blocks."""
        return {
            **BUILT_IN,
            **{name: offer.strategy.description for name, offer in self._offered().items()},
        }

    def check(self, name: str) -> None:
        """Raise `ConfigurationError` if there is no strategy of that name; may load the plugins."""
        if name not in BUILT_IN:
            self._offer(name)

    async def plan(
        self,
        strategy: str | ContextStrategy,
        outline: Outline,
        *,
        model: str,
        previous: Summary | None,
        ask: Ask | None,
    ) -> Plan:
        """What goes out by that strategy; it is asked off the event loop, if not everything fits.

        `previous` is the summary that went out last. `ask` has the model answer and blocks, in the
        strategy's thread; with `None` the plan is only to be shown, and a summary that would have
        to be written is a line that says so.

        Raises:
            ConfigurationError: there is no strategy of that name.
            PluginError: a plugin's strategy failed, hung, or chose what can't go out.
            ContextTooLong: what must go out does not fit; the message says by how much.
            CloudLLMError: what the strategy raised, such as an error of `ask`.
        """
        if outline.fits or strategy == NONE:
            return outline.everything()
        if strategy == DROP_OLDEST:
            return outline.drop_oldest()
        plan_by = (
            partial(_plan_by, strategy)
            if isinstance(strategy, ContextStrategy)
            else (await in_thread(partial(self._offer, strategy))).plan
        )
        asking = Asking(ask)
        view = outline.view(model=model, previous=previous, ask=asking)
        try:
            return await in_thread(partial(plan_by, outline, view, asking))
        finally:
            asking.over = True

    def _offer(self, name: str) -> Offer:
        offers = self._offered()
        if name in offers:
            return offers[name]
        known = [*BUILT_IN, *offers]
        close = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}"
        raise ConfigurationError(f"there is no context strategy {name!r}", advice=hint)

    def _offered(self) -> dict[str, Offer]:
        """The strategies of all plugins by name; loads them, once."""
        with self._lock:
            if self._offers is None:
                self._offers = self._collected()
            return self._offers

    def _collected(self) -> dict[str, Offer]:
        if self._plugins is None:
            return {}
        # Not at the top: a session that has no plugins imports nothing of theirs.
        from cloudllm.strategies.offers import collected  # noqa: PLC0415

        return collected(self._plugins, BUILT_IN)


def _plan_by(strategy: ContextStrategy, outline: Outline, view: View, _: Asking) -> Plan:
    """What the embedding program's own strategy chooses, made a plan; it needs no guard."""
    return outline.plan(strategy.choose(view), f"context strategy {strategy.name!r}")
