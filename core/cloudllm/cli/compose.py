"""Puts a chat together: settings under the given options, and the registry over them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from cloudllm import paths, streams
from cloudllm.early import EarlyTerminal
from cloudllm.repl.configured import Program
from cloudllm.repl.opening import Opening
from cloudllm.repl.render.sanitize import clean

if TYPE_CHECKING:
    from cloudllm.plugins import Plugins
    from cloudllm.settings import Settings

OWN_COMMANDS = {
    "ask": "Ask one question; standard input is appended to it.",
    "config": "Show, check or change the configuration.",
    "models": "List the models: window, prices, abilities.",
    "plugins": "List, show, write or check plugins.",
    "providers": "List the providers and where their keys come from.",
    "run": "Run a conversation from a file or pipe.",
    "sessions": "List, search, show, export, import or remove conversations.",
    "usage": "Show what was used, what it cost and what is left.",
}
"""The commands of the program itself, each with its summary; their modules bear their names."""

_NONE: Mapping[str, object] = MappingProxyType({})
_OPENING = Opening()

STORIES = "plugins.json"
"""The file of the plugins' stories, in the state folder."""


class Options:
    """What the options shared by all commands say.

    No dataclass: its module and its making take milliseconds that the first key would wait for.
    """

    def __init__(
        self,
        *,
        flags: Mapping[str, object] = _NONE,
        plain: bool = False,
        plugins: bool = True,
        terminal: EarlyTerminal | None = None,
        opening: Opening = _OPENING,
    ) -> None:
        self.flags = flags
        self.plain = plain
        self.plugins = plugins
        self.terminal = terminal
        self.opening = opening
        self._made: list[Plugins] = []

    def compose(self, flags: Mapping[str, object]) -> Program:
        """Read the settings under `flags` and make the registry; raises `ConfigurationError`.

        The plugins stay those of the first time, with all that they have loaded.
        """
        from cloudllm.registry import Registry  # noqa: PLC0415 - after the first prompt
        from cloudllm.settings import Settings  # noqa: PLC0415 - after the first prompt

        settings = Settings.load(flags=flags)
        if not self._made:
            self._made.append(load_plugins(settings, enabled=self.plugins))
        return Program(settings, Registry(settings, plugins=self._made[0]))


def load_plugins(settings: Settings, *, enabled: bool) -> Plugins:
    """The plugins as the settings want them, with the stories of earlier runs; imports none."""
    from cloudllm.plugins import Plugins  # noqa: PLC0415 - after the first prompt

    plugins = Plugins(
        allow=settings.plugins.allow,
        deny=settings.plugins.deny,
        enabled=enabled,
        deadline=settings.plugins.deadline,
        state_file=paths.state_dir() / STORIES,
        own_commands=OWN_COMMANDS,
        contain=True,
    )
    plugins.listen(_say)
    return plugins


def _say(line: str) -> None:
    """Show a notice, until a chat does so in its own way."""
    err = streams.err()
    if err is not None:
        with suppress(OSError):
            err.write(f"{clean(line, one_line=True)}\n")
            err.flush()
