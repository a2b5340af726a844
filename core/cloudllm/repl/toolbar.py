"""What plugins show in the status row: asked off the event loop, held harmless."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from itertools import islice

from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.hooks import ask_plugin
from cloudllm.listeners import Hook, words_of
from cloudllm.plugins import Plugin, Plugins
from cloudllm.plugins.wording import Hangs
from cloudllm.threads import in_thread
from cloudllm.words import kind_of, one_line

HOOK = "cloudllm_toolbar"

_FAILURES = 3
"""Exceptions of the hook after which it is off."""

_MOST, _LONGEST = 3, 30
"""Texts of one plugin, and characters of each; what is more is cut."""


class Toolbar:
    """Asks the loaded `plugins` for their texts.

    `settle` waits until a plugin has dealt with what it was told of the turn that is over.
    """

    def __init__(self, plugins: Plugins, settle: Callable[[Plugin], Awaitable[None]]) -> None:
        self._plugins = plugins
        self._settle = settle
        self._failures: dict[Plugin, int] = {}

    async def texts(self) -> list[str]:
        """What is to be shown, in the order of the plugins."""
        texts: list[str] = []
        for plugin, hook in self._plugins.implementations(HOOK):
            if self._failures.get(plugin, 0) < _FAILURES:
                await self._settle(plugin)
                texts += await in_thread(partial(self._asked, plugin, hook))
        return texts

    def _asked(self, plugin: Plugin, hook: Hook) -> list[str]:
        try:
            return ask_plugin(self._plugins, plugin, HOOK, lambda: _checked(plugin, hook()))
        except Hangs as error:
            self._failed(plugin, error, _FAILURES)
        except CloudLLMError as error:
            self._failed(plugin, error, self._failures.get(plugin, 0) + 1)
        return []

    def _failed(self, plugin: Plugin, error: CloudLLMError, times: int) -> None:
        self._failures[plugin] = times
        off = f". {HOOK} is off for the rest of this session" if times == _FAILURES else ""
        self._plugins.notify(plugin, f"{words_of(plugin, error)}{off}.")


def _checked(plugin: Plugin, given: object) -> list[str]:
    """The texts, short and on one line each."""
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise PluginError(f"plugin {plugin}: {HOOK} gave {kind_of(given)}, no list of texts")
    texts = list(islice(given, _MOST))
    for text in texts:
        if not isinstance(text, str):
            raise PluginError(f"plugin {plugin}: {HOOK} gave {kind_of(text)} among its texts")
    return [line for line in (one_line(text, _LONGEST) for text in texts) if line]
