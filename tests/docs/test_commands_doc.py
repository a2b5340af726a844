"""docs/commands.md: what it calls a command is one, or is cut short as it says."""

from __future__ import annotations

import re
from pathlib import Path

from cloudllm.repl.commands import COMMANDS

_CUT_SHORT = {"/mod", "/hst"}
_OF_PLUGINS = {"/speed"}


def test_every_command_that_the_page_names_exists() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    words = {word for each in COMMANDS.values() for word in (each.name, *each.aliases)}
    named = set(re.findall(r"`(/[a-z?]+)", page))
    assert named - words == _CUT_SHORT | _OF_PLUGINS
    assert words <= named
