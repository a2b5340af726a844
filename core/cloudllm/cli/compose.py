"""Puts a chat together: settings under the given options, and the registry over them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cloudllm.early import EarlyTerminal
from cloudllm.repl.chat import Program


@dataclass(frozen=True, slots=True)
class Options:
    """What the options shared by all commands say."""

    flags: Mapping[str, object] = field(default_factory=dict)
    plain: bool = False
    plugins: bool = True
    env_file: Path | None = None
    terminal: EarlyTerminal | None = None

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment; what is exported stands above the file, as everywhere."""
        if self.env_file is None:
            return os.environ
        from cloudllm.settings import read_env_file  # noqa: PLC0415 - rarely needed

        return {**read_env_file(self.env_file), **os.environ}

    def compose(self, flags: Mapping[str, object]) -> Program:
        """Read the settings under `flags` and make the registry; raises `ConfigurationError`."""
        from cloudllm.plugins import Plugins  # noqa: PLC0415 - after the first prompt
        from cloudllm.registry import Registry  # noqa: PLC0415 - after the first prompt
        from cloudllm.settings import Settings  # noqa: PLC0415 - after the first prompt

        environ = self.environ
        settings = Settings.load(flags=flags, environ=environ)
        plugins = Plugins(
            allow=settings.plugins.allow, deny=settings.plugins.deny, enabled=self.plugins
        )
        return Program(settings, Registry(settings, plugins=plugins, environ=environ))
