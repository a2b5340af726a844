"""Which of the installed plugins may be loaded: the user's lists, then whose name it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cloudllm.errors import PluginError
from cloudllm.plugins.discovery import COMMANDS, SESSIONS, Plugin, canonical

CONFLICT = "conflict: "
"""How the state of a plugin begins whose name another distribution offers too."""


SWITCHED_OFF = "switched off by --no-plugins"
"""The state of every third-party plugin when none may be loaded."""


class Admission:
    """Decides by `plugins.allow`, `plugins.deny` and `--no-plugins`.

    The lists hold names of plugins or of their distributions. What ships with cloudllm is always
    there, but for plugins of the chat that `deny` names. `own_commands` are taken, too.
    """

    def __init__(
        self,
        allow: Collection[str] | None,
        deny: Collection[str],
        *,
        enabled: bool,
        own_commands: Collection[str] = (),
    ) -> None:
        self._allow = None if allow is None else _names(allow)
        self._deny = _names(deny)
        self._enabled = enabled
        self._own_commands = own_commands

    def states(self, installed: Iterable[Plugin]) -> dict[str, str]:
        """For each plugin, by its key, why it is not loaded; nothing if it is."""
        named: dict[tuple[str, str], list[Plugin]] = {}
        for plugin in installed:
            named.setdefault((plugin.group, plugin.name), []).append(plugin)
        return {
            plugin.key: self._refused(plugin) or self._taken(plugin, rivals)
            for rivals in named.values()
            for plugin in rivals
        }

    def admits(self, plugin: Plugin) -> bool:
        """Do the user's lists let it through, whatever others of its name are installed?"""
        return not self._refused(plugin)

    def _refused(self, plugin: Plugin) -> str:
        if plugin.bundled and plugin.group != SESSIONS:
            return ""
        names = {plugin.name, plugin.home}
        if not names.isdisjoint(self._deny):
            return "denied by plugins.deny"
        if plugin.bundled:
            return ""
        if not self._enabled:
            return SWITCHED_OFF
        if self._allow is not None and names.isdisjoint(self._allow):
            return "not in plugins.allow"
        return ""

    def _taken(self, plugin: Plugin, rivals: list[Plugin]) -> str:
        if plugin.bundled:
            return ""
        is_own = plugin.group == COMMANDS and plugin.name in self._own_commands
        if is_own or any(rival.bundled for rival in rivals):
            return f"the name {plugin.label} is taken: it belongs to cloudllm"
        admitted = [rival for rival in rivals if self.admits(rival)]
        return f"{CONFLICT}{_all_of(admitted)} offer it" if len(admitted) > 1 else ""


def the_only(plugins: list[Plugin]) -> Plugin:
    """The plugin, if only one offers the name; raises `PluginError` if several do."""
    if len(plugins) == 1:
        return plugins[0]
    all_of_them, none = ("both", "neither") if len(plugins) == 2 else ("all", "none")  # noqa: PLR2004
    raise PluginError(
        f"plugin {plugins[0].label}: {_all_of(plugins)} {all_of_them} offer it, so {none} is loaded",
        advice=f'Put one of them into plugins.deny, as in plugins.deny = ["'
        f'{plugins[-1].distribution}"]',
    )


def _all_of(plugins: list[Plugin]) -> str:
    return " and ".join(f"{each.distribution} {each.version}" for each in plugins)


def _names(names: Collection[str]) -> frozenset[str]:
    """As written, for plugins, and normalized, for distributions."""
    return frozenset({*names, *map(canonical, names)})
