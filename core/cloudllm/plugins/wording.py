"""What is said of plugins, in one line each."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

from cloudllm.errors import PluginError
from cloudllm.plugins.admission import SWITCHED_OFF
from cloudllm.plugins.discovery import Plugin
from cloudllm.words import one_line

_LISTED = 5


class Hangs(PluginError):
    """A plugin's code did not end within its deadline."""


def hangs(plugin: Plugin | str, what: str, seconds: float) -> Hangs:
    """The error for code that does not come back."""
    return Hangs(
        f"plugin {plugin}: {what} did not end within {seconds:g} s (plugins.deadline)",
        advice=more(plugin),
    )


def broken(plugin: Plugin | str, what: str, error: BaseException) -> PluginError:
    """The error for code that raised anything."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and isinstance(plugin, Plugin):
        package = one_line(missing.partition(".")[0], 60)
        if package != plugin.module.partition(".")[0]:
            return PluginError(
                f"plugin {plugin} needs the package {package!r}, which is not installed",
                advice=f"pip install {package}",
            )
        if missing == plugin.module or plugin.module.startswith(f"{missing}."):
            return PluginError(
                f"plugin {plugin}: its entry point names the module {one_line(plugin.module)!r},"
                " which is not installed",
                advice=f"Reinstall {plugin.distribution}",
            )
    reason = one_line(f"{type(error).__name__}: {_text(error)}").rstrip(": ")
    return PluginError(f"plugin {plugin}: {what} failed: {reason}", advice=more(plugin))


def more(plugin: Plugin | str) -> str:
    """Where the whole story is told; nothing, where there is no plugin to name."""
    return f"cloudllm plugins show {plugin.label} tells more" if isinstance(plugin, Plugin) else ""


def remedy(state: str) -> str:
    """What to do about a plugin that is not loaded for this reason."""
    if state == SWITCHED_OFF:
        return "Leave out --no-plugins"
    return "cloudllm config show --origin says where plugins.allow and plugins.deny are set"


def traceback_of(error: BaseException) -> str:
    """The traceback as Python shows it, without values of variables."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception as other:  # noqa: BLE001 - the plugin's exception may raise when it is shown
        return f"{type(error).__name__} (its text cannot be shown: {type(other).__name__})"


def announced(new: list[Plugin], state: Callable[[Plugin], str]) -> Iterable[str]:
    """A line for plugins seen for the first time, if there are any."""
    if len(new) == 1:
        why = f"; it is not loaded: {state(new[0])}" if state(new[0]) else ""
        yield f"New plugin {new[0]}, {new[0].kind}{why}."
    elif new:
        named = ", ".join(map(str, new[:_LISTED]))
        others = f" and {len(new) - _LISTED} more" if len(new) > _LISTED else ""
        yield f"{len(new)} new plugins: {named}{others}. cloudllm plugins list shows them all."


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - see above
        return ""
