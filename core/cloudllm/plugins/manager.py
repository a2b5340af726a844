"""All plugins of a program: which there are, which may run, and everything they run, guarded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from cloudllm.errors import CloudLLMError, PluginError, UnknownProvider
from cloudllm.plugins import wording
from cloudllm.plugins.admission import CONFLICT, Admission, the_only
from cloudllm.plugins.discovery import COMMANDS, PROVIDERS, SESSIONS, Plugin, installed
from cloudllm.plugins.guard import Guard, Seconds
from cloudllm.plugins.loading import Loader
from cloudllm.plugins.registration import Implementation, Registered
from cloudllm.plugins.story import Stories, Story
from cloudllm.provider import Client, Provider, ProviderSettings

DEADLINE = 10.0
"""Seconds that a plugin's code may take unless the settings say otherwise."""

_ALIKE = 0.7
"""How much a name must look like another one to be taken for it; 1 is the same."""

Result = TypeVar("Result")


class Plugins:
    """Every installed plugin by group and name, and the guard around all that they do.

    `allow` and `deny` hold names of plugins or of their distributions; with `enabled` they concern
    third-party plugins, and `deny` also what ships with cloudllm for the chat, but never a bundled
    provider. `deadline` is in seconds; `None` waits for ever. `state_file` is where the stories are
    kept between runs; without one, nothing is written and nothing is announced. `own_commands` are
    the program's own, which no plugin can replace. With `contain`, what a guarded call prints is
    kept away from the streams; a chat keeps everything away from them, all the time.
    """

    def __init__(
        self,
        *,
        allow: Collection[str] | None = None,
        deny: Collection[str] = (),
        enabled: bool = True,
        deadline: float | None = DEADLINE,
        state_file: Path | None = None,
        own_commands: Collection[str] = (),
        contain: bool = False,
    ) -> None:
        self._admission = Admission(allow, deny, enabled=enabled, own_commands=own_commands)
        self._stories = Stories(state_file)
        self._guard = Guard(deadline, self._stories, contain=contain)
        self._loader = Loader(self._guard, self._stories)
        self._lock = threading.RLock()
        self._loading: dict[str, threading.Lock] = {}
        self._loading_sessions = threading.Lock()
        self._providers: dict[str, Provider] = {}
        self._registered: dict[Plugin, Registered] = {}
        self.sessions_loaded = False

    # What there is. Nothing here imports a plugin.

    @cached_property
    def installed(self) -> list[Plugin]:
        """Every entry point of our groups, also of plugins that are switched off, by name."""
        return installed()

    def state(self, plugin: Plugin) -> str:
        """Why this plugin is not loaded when it is asked for, in a few words; "" if it is."""
        return self._states[plugin.key]

    @cached_property
    def providers(self) -> dict[str, list[Plugin]]:
        """Provider plugins by the provider's name; more than one of a name is a conflict."""
        return self._admitted(PROVIDERS)

    @cached_property
    def sessions(self) -> dict[str, list[Plugin]]:
        """Plugins of the chat by name; more than one of a name is a conflict."""
        return self._admitted(SESSIONS)

    @cached_property
    def commands(self) -> dict[str, list[Plugin]]:
        """Command-line plugins by the name of their command; more than one is a conflict."""
        return self._admitted(COMMANDS)

    def plugin_of(self, provider_name: str) -> Plugin | None:
        """The plugin that offers a provider of that name, unless none or several do."""
        found = self.providers.get(provider_name, [])
        return found[0] if len(found) == 1 else None

    def switched_off(self, name: str, group: str = PROVIDERS) -> PluginError | None:
        """The error for a plugin that is installed but not loaded, if `name` is one."""
        for plugin in self.installed:
            state = self.state(plugin)
            if (plugin.name, plugin.group) == (name, group) and state:
                return PluginError(
                    f"plugin {plugin} is installed, but not loaded: {state}",
                    advice=wording.remedy(state),
                )
        return None

    # What is imported.

    def provider(self, name: str) -> Provider:
        """Import the plugin that offers provider `name`, once, however many threads ask.

        Raises:
            UnknownProvider: none is installed.
            PluginError: it cannot be used, it is switched off, or two distributions offer it.
        """
        if name not in self.providers:
            raise self.switched_off(name) or unknown_provider(name, self.providers)
        plugin = the_only(self.providers[name])
        with self._turn_of(plugin):
            if name not in self._providers:
                self._providers[name] = self._loader.provider(plugin, self._groups(plugin))
        return self._providers[name]

    def command(self, name: str) -> object:
        """Import the command-line plugin of that name, which must be one of `commands`.

        Raises:
            PluginError: it cannot be imported, or two distributions offer it.
        """
        plugin = the_only(self.commands[name])
        with self._turn_of(plugin):
            return self._loader.named(plugin)

    def client(self, provider: Provider, model: str, settings: ProviderSettings) -> Client:
        """Have a provider, or an endpoint made of one, make a client; inside the guard too.

        Raises:
            CloudLLMError: whatever the provider raises; foreign errors become a `PluginError`.
        """
        made = self.have(
            provider,
            settings,
            "making a client",
            lambda: provider.client(model, settings),
            at_least=provider.client_deadline,
        )
        if not isinstance(made, Client):
            plugin = self._maker(provider)
            raise PluginError(f"plugin {plugin}: client() gave {type(made).__name__}, no Client")
        return made

    def have(
        self,
        provider: Provider,
        settings: ProviderSettings,
        what: str,
        call: Callable[[], Result],
        *,
        at_least: float | None = None,
    ) -> Result:
        """Have a provider, or an endpoint made of one, do something with the user's settings.

        The deadline is the settings', or `at_least` if that is later.

        Raises:
            CloudLLMError: whatever the provider raises; foreign errors become a `PluginError`.
        """
        if settings.api_key is not None:
            self._guard.hide(settings.api_key.get_secret_value())
        seconds = self._guard.deadline
        if seconds is not None and at_least is not None:
            seconds = max(seconds, at_least)
        passing = (CloudLLMError,)
        return self.guard(self._maker(provider), what, call, deadline=seconds, passing=passing)

    def load_sessions(self, only: str | None = None) -> None:
        """Import and register every plugin of the chat, one by one; blocks, and does it once.

        What is wrong with one of them is a notice, and costs the others nothing. `only` names the
        one that is wanted.
        """
        with self._loading_sessions:
            if self.sessions_loaded:
                return
            for name, plugins in self.sessions.items():
                if only not in (None, name):
                    continue
                try:
                    plugin = the_only(plugins)
                    registered = self._loader.hooks(plugin, self._groups(plugin))
                except PluginError as error:
                    self._guard.say(str(error))
                else:
                    self._registered[plugin] = registered
            self.sessions_loaded = True

    def implementations(self, hook: str) -> list[tuple[Plugin, Callable[..., object]]]:
        """The plugins of the chat that implement `hook`, in the order in which they are called.

        By name; `tryfirst` and `trylast` move a plugin. Call an implementation with every argument
        of the hook, by keyword: it gets those that it takes.
        """
        found: list[tuple[Plugin, Implementation]] = [
            (plugin, registered.hooks[hook])
            for plugin, registered in self._registered.items()
            if hook in registered.hooks
        ]
        return [*sorted(found, key=lambda each: (each[1].rank, each[0].name))]

    # What goes on.

    def guard(
        self,
        plugin: Plugin | str,
        what: str,
        call: Callable[[], Result],
        *,
        deadline: Seconds = "settings",
        passing: tuple[type[BaseException], ...] = (),
    ) -> Result:
        """Run code of a plugin in a thread of its own, and wait for it until the deadline.

        `what` is what it does, as in "loading" or "cloudllm_event". Errors of the classes `passing`
        are the plugin's own words for the user; they are raised as they are, but without secrets.
        Ctrl-C in the main thread ends the wait at once.

        Raises:
            PluginError: in one line: what it raised, `SystemExit` included, or that it hangs.
        """
        return self._guard.run(plugin, what, call, deadline=deadline, passing=passing)

    def broken(self, plugin: Plugin, what: str, error: Exception) -> CloudLLMError:
        """The error for code of a plugin that ran without the guard and raised; its story has it.

        It is no matter of configuration, as a `PluginError` is: a program ends with 1.
        """
        return self._guard.broken(plugin, what, error)

    def listen(self, callback: Callable[[str], object]) -> None:
        """Have each notice told to `callback`: those that wait at once, later ones from any thread."""
        self._guard.listen(callback)

    def notify(self, plugin: Plugin, line: str) -> None:
        """Tell the user one line about a plugin, and remember it in the plugin's story."""
        self._guard.notify(plugin, line)

    def story(self, plugin: Plugin) -> Story:
        """What became of the plugin when it ran last, in this process or another."""
        return self._stories.of(plugin)

    def announce_new(self) -> None:
        """Say which third-party plugins are seen for the first time, in one line; imports none."""
        third_party = (plugin for plugin in self.installed if not plugin.bundled)
        admitted = [plugin for plugin in third_party if self._admission.admits(plugin)]
        for line in wording.announced(self._stories.unseen(admitted), self.state):
            self._guard.say(line)

    def close(self) -> None:
        """Tell what was printed last, and keep the stories; called when a program ends."""
        self._guard.settle()
        self._stories.save()

    # How it is done.

    @cached_property
    def _states(self) -> dict[str, str]:
        return self._admission.states(self.installed)

    def _admitted(self, group: str) -> dict[str, list[Plugin]]:
        """A conflict stays in, so that it is an error and not an unknown name."""
        found: dict[str, list[Plugin]] = {}
        for plugin in self.installed:
            state = self.state(plugin)
            if plugin.group == group and (not state or state.startswith(CONFLICT)):
                found.setdefault(plugin.name, []).append(plugin)
        return found

    def _turn_of(self, plugin: Plugin) -> threading.Lock:
        """The lock that lets one thread at a time load this plugin."""
        with self._lock:
            return self._loading.setdefault(plugin.key, threading.Lock())

    def _groups(self, plugin: Plugin) -> set[str]:
        """Every group in which an entry point names what this plugin's names."""
        value = plugin.entry_point.value
        return {each.group for each in self.installed if each.entry_point.value == value}

    def _maker(self, provider: Provider) -> Plugin | str:
        """The plugin whose class made the provider, or its name where that is not certain."""
        if provider.name in self._providers:
            return self.plugin_of(provider.name) or provider.name
        alike = (n for n, known in self._providers.items() if type(known) is type(provider))
        makers = {maker.module: maker for maker in map(self.plugin_of, alike) if maker}
        return makers.popitem()[1] if len(makers) == 1 else provider.name


def unknown_provider(name: str, known: Collection[str]) -> UnknownProvider:
    """The error for a provider nobody offers, with what it may have been meant to be."""
    close = get_close_matches(name, list(known), n=3, cutoff=_ALIKE)
    advice = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known)}"
    return UnknownProvider(f"unknown provider {name!r}", advice=advice)
