"""Imports one plugin, registers its hooks, and keeps the story of both."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from cloudllm.errors import PluginError
from cloudllm.plugins import wording
from cloudllm.plugins.discovery import Plugin
from cloudllm.plugins.guard import Guard
from cloudllm.plugins.registration import Registered, check_version, offered_by, register
from cloudllm.plugins.story import Stories
from cloudllm.provider import Provider
from cloudllm.words import one_line

_VALUE = re.compile(r"\w[\w.]*\s*(:\s*\w[\w.]*\s*)?(\[.*\]\s*)?")
_SLOW = 2.0
"""Seconds after which loading a plugin is slow enough to be said."""

Result = TypeVar("Result")


class Loader:
    """Loads plugins, each call all of one plugin; a plugin that hung is not waited for again.

    Raises:
        PluginError: from every method, in one line: why the plugin cannot be used.
    """

    def __init__(self, guard: Guard, stories: Stories) -> None:
        self._guard = guard
        self._stories = stories
        self._hung: dict[str, PluginError] = {}
        self._complained: set[tuple[str, str]] = set()

    def named(self, plugin: Plugin) -> object:
        """What the entry point names, whatever it is."""
        return self._timed(plugin, lambda: self._imported(plugin))

    def hooks(self, plugin: Plugin, groups: Collection[str]) -> Registered:
        """The plugin's hooks; `groups` are all those in which an entry point names its module."""

        def load() -> Registered:
            registered = self._registered(plugin, groups)
            self._complain(plugin, registered)
            return registered

        return self._timed(plugin, load)

    def provider(self, plugin: Plugin, groups: Collection[str]) -> Provider:
        """The provider that bears the entry point's name."""

        def load() -> Provider:
            registered = self._registered(plugin, groups)
            provider = self._guard.run(
                plugin,
                "cloudllm_providers",
                lambda: offered_by(plugin, registered),
                passing=(PluginError,),
            )
            self._complain(plugin, registered)
            return provider

        return self._timed(plugin, load)

    def _timed(self, plugin: Plugin, load: Callable[[], Result]) -> Result:
        if plugin.key in self._hung:
            raise self._hung[plugin.key]
        self._stories.begin(plugin)
        start = time.perf_counter()
        try:
            return load()
        except wording.Hangs as error:
            self._hung[plugin.key] = error
            raise
        finally:
            seconds = time.perf_counter() - start
            self._stories.loaded(plugin, seconds)
            if seconds > _SLOW and plugin.key not in self._hung:
                self._guard.notify(plugin, f"loading took {seconds:.1f} s")
            self._stories.save()

    def _imported(self, plugin: Plugin) -> object:
        value = plugin.entry_point.value
        if not _VALUE.fullmatch(value):
            error = PluginError(
                f"plugin {plugin}: its entry point {one_line(value, 60)!r} names no module",
                advice=f"Reinstall or update {plugin.distribution}",
            )
            raise self._guard.failed(plugin, error, "")
        loaded = self._guard.run(plugin, "loading", plugin.entry_point.load)
        self._guard.run(
            plugin, "loading", lambda: check_version(plugin, loaded), passing=(PluginError,)
        )
        return loaded

    def _registered(self, plugin: Plugin, groups: Collection[str]) -> Registered:
        loaded = self._imported(plugin)
        registered = self._guard.run(
            plugin, "registering", lambda: register(plugin, loaded, groups), passing=(PluginError,)
        )
        self._stories.implements(plugin, registered.hooks)
        return registered

    def _complain(self, plugin: Plugin, registered: Registered) -> None:
        """Say each thing once, also of a module that two entry points name."""
        for complaint in registered.complaints:
            if (plugin.module, complaint) not in self._complained:
                self._complained.add((plugin.module, complaint))
                self._guard.notify(plugin, complaint)
