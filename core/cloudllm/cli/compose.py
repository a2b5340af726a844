"""Puts a chat together: settings under the given options, and the registry over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudllm.early import EarlyTerminal
from cloudllm.repl.chat import Program


@dataclass(frozen=True, slots=True)
class Options:
    """What the options shared by all commands say."""

    flags: Mapping[str, object] = field(default_factory=dict)
    plain: bool = False
    plugins: bool = True
    terminal: EarlyTerminal | None = None

    def compose(self, flags: Mapping[str, object]) -> Program:
        """Read the settings under `flags` and make the registry; raises `ConfigurationError`."""
        from cloudllm.plugins import Plugins  # noqa: PLC0415 - after the first prompt
        from cloudllm.registry import Registry  # noqa: PLC0415 - after the first prompt
        from cloudllm.settings import Settings  # noqa: PLC0415 - after the first prompt

        settings = Settings.load(flags=flags)
        plugins = Plugins(
            allow=settings.plugins.allow, deny=settings.plugins.deny, enabled=self.plugins
        )
        return Program(settings, Registry(settings, plugins=plugins))
