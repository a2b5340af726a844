"""Plugins over pluggy: found by entry point, loaded one by one, each inside its own guard."""

from __future__ import annotations

from cloudllm.plugins.discovery import COMMANDS, PROVIDERS, SESSIONS, Plugin
from cloudllm.plugins.manager import Plugins, unknown_provider
from cloudllm.plugins.story import Failure, Story

__all__ = (
    "COMMANDS",
    "PROVIDERS",
    "SESSIONS",
    "Failure",
    "Plugin",
    "Plugins",
    "Story",
    "unknown_provider",
)
