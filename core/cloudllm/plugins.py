"""Plugins over pluggy: found by entry point, loaded one by one, each inside its own guard."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

import pluggy

from cloudllm import hookspecs
from cloudllm.errors import CloudLLMError, PluginError, UnknownProvider
from cloudllm.provider import Client, Provider, ProviderSettings

PROVIDERS = "cloudllm.providers"
COMMANDS = "cloudllm.cli"
_OURSELVES = "cloudllm"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point as the metadata declares it; nothing of it is imported yet."""

    name: str
    distribution: str
    version: str
    entry_point: EntryPoint

    @property
    def bundled(self) -> bool:
        """Does it ship with cloudllm itself?"""
        return self.distribution == _OURSELVES

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})"


class Plugins:
    """Every installed plugin by group and name.

    `allow` and `deny` hold names of plugins or of their distributions and, like `enabled`, concern
    third-party plugins only; what ships with cloudllm is always there.
    """

    def __init__(
        self,
        *,
        allow: Collection[str] | None = None,
        deny: Collection[str] = (),
        enabled: bool = True,
    ) -> None:
        self._allow = allow
        self._deny = deny
        self._enabled = enabled
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._loaded: dict[str, Provider] = {}

    @cached_property
    def providers(self) -> dict[str, list[Plugin]]:
        """Installed provider plugins by name; more than one of a name is a conflict."""
        return self._discover(PROVIDERS)

    @cached_property
    def commands(self) -> dict[str, list[Plugin]]:
        """Installed command-line plugins by the name of their command."""
        return self._discover(COMMANDS)

    def provider(self, name: str) -> Provider:
        """Import the plugin that offers provider `name`, once.

        Raises:
            UnknownProvider: none is installed.
            PluginError: it cannot be used, or two distributions offer it.
        """
        if name not in self._loaded:
            if name not in self.providers:
                raise unknown_provider(name, self.providers)
            plugin = _only(self.providers[name])
            self._loaded[name] = self._offered(plugin, self.load(plugin))
        return self._loaded[name]

    def command(self, name: str) -> object:
        """Import the command-line plugin of that name, which must exist."""
        return self.load(_only(self.commands[name]))

    def load(self, plugin: Plugin) -> object:
        """Import one plugin inside its guard; whatever it raises becomes a `PluginError`."""
        return self._guarded(plugin, "cannot be loaded", plugin.entry_point.load)

    def _guarded(self, plugin: Plugin | str, what: str, call: Callable[[], Result]) -> Result:
        """Run a plugin's code; what it prints is swallowed, what it raises is one line."""
        try:
            with _silenced():
                return call()
        except (CloudLLMError, KeyboardInterrupt):
            raise
        except ModuleNotFoundError as error:
            raise _missing_module(plugin, what, error) from error
        except BaseException as error:  # G8: SystemExit and all, it stops here
            raise _broken(plugin, what, error) from error

    def client(self, provider: Provider, model: str, settings: ProviderSettings) -> Client:
        """Have a provider, or an endpoint made of one, make a client; inside the guard too.

        Raises:
            CloudLLMError: whatever the provider raises; foreign errors become a `PluginError`.
        """
        plugin = self._plugin_of(provider)
        made = self._guarded(
            plugin, "cannot make a client", lambda: provider.client(model, settings)
        )
        if not isinstance(made, Client):
            raise PluginError(f"plugin {plugin}: client() gave {type(made).__name__}, no Client")
        return made

    def _plugin_of(self, provider: Provider) -> Plugin | str:
        """The plugin whose class made the provider, or its name where that is not certain."""
        names = [name for name, known in self._loaded.items() if type(known) is type(provider)]
        own = [provider.name] if provider.name in self._loaded else names
        return _only(self.providers[own[0]]) if len(own) == 1 else provider.name

    def _offered(self, plugin: Plugin, module: object) -> Provider:
        """Register `module` and find the provider that bears the entry point's name."""

        def register() -> list[object]:
            self._manager.register(module, name=f"{PROVIDERS}:{plugin.name}")
            others = [other for other in self._manager.get_plugins() if other is not module]
            caller = self._manager.subset_hook_caller("cloudllm_providers", others)
            return [provider for result in caller() for provider in result]

        offered = self._guarded(plugin, "failed to register", register)
        for provider in offered:
            if isinstance(provider, Provider) and provider.name == plugin.name:
                return provider
        names = ", ".join(str(getattr(offer, "name", offer)) for offer in offered) or "none"
        raise PluginError(
            f"plugin {plugin}: cloudllm_providers() offers no provider named {plugin.name!r}"
            f" (it offers: {names})",
            advice="The entry point must be named like the provider",
        )

    def _discover(self, group: str) -> dict[str, list[Plugin]]:
        found: dict[str, list[Plugin]] = {}
        for entry_point in sorted(entry_points(group=group), key=lambda found: found.name):
            plugin = _described(entry_point)
            if plugin.bundled or self._admits(plugin):
                found.setdefault(plugin.name, []).append(plugin)
        return {name: _bundled_first(plugins) for name, plugins in found.items()}

    def _admits(self, plugin: Plugin) -> bool:
        names = {plugin.name, plugin.distribution}
        allowed = self._allow is None or not names.isdisjoint(self._allow)
        return self._enabled and allowed and names.isdisjoint(self._deny)


def unknown_provider(name: str, known: Collection[str]) -> UnknownProvider:
    """The error for a provider nobody offers, with what it may have been meant to be."""
    close = get_close_matches(name, list(known), n=3)
    advice = f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known)}"
    return UnknownProvider(f"unknown provider {name!r}", advice=advice)


def _described(entry_point: EntryPoint) -> Plugin:
    distribution = entry_point.dist
    return Plugin(
        name=entry_point.name,
        distribution=distribution.name if distribution else "unknown distribution",
        version=distribution.version if distribution else "",
        entry_point=entry_point,
    )


def _bundled_first(plugins: list[Plugin]) -> list[Plugin]:
    """A bundled name can't be taken: where one of them is ours, ours is the only one."""
    ours = [plugin for plugin in plugins if plugin.bundled]
    return ours[:1] or plugins


def _only(plugins: list[Plugin]) -> Plugin:
    if len(plugins) == 1:
        return plugins[0]
    named = " and ".join(f"{plugin.distribution} {plugin.version}" for plugin in plugins)
    raise PluginError(
        f"plugin {plugins[0].name}: {named} both offer it, so neither is loaded",
        advice=f'Put one of them into plugins.deny, as in plugins.deny = ["'
        f'{plugins[-1].distribution}"]',
    )


def _missing_module(plugin: Plugin | str, what: str, error: ModuleNotFoundError) -> PluginError:
    own = plugin.entry_point.module.partition(".")[0] if isinstance(plugin, Plugin) else None
    if error.name is None or error.name.partition(".")[0] == own:
        return _broken(plugin, what, error)
    return PluginError(
        f"plugin {plugin} needs the package {error.name!r}, which is not installed",
        advice=f"pip install {error.name.partition('.')[0]}",
    )


def _broken(plugin: Plugin | str, what: str, error: BaseException) -> PluginError:
    distribution = plugin.distribution if isinstance(plugin, Plugin) else "its plugin"
    reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    return PluginError(
        f"plugin {plugin} {what}: {reason[:300]}",
        advice=f"Update or uninstall {distribution}, or choose another provider",
    )


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """What a plugin prints while it loads must not land between a reply and the prompt."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
