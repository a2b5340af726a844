"""docs/budgets.md: its settings are sound, and its JSON fields are the real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from cloudllm.cli.root import root
from cloudllm.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "budgets.md").read_text(encoding="utf-8")


def documented(title: str) -> list[str]:
    """The fields in the first column of the table under this heading."""
    rows = PAGE.partition(f"\n| {title} | meaning |\n")[2].partition("\n\n")[0]
    return [name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_the_settings_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(PAGE.partition("```toml\n")[2].partition("```")[0])
    settings = Settings.load(environ={}, config_file=file)
    assert settings.notices == ()
    assert settings.budget.day == 2.0


def test_the_fields_are_those_of_the_json() -> None:
    printed = json.loads(CliRunner().invoke(root, ["usage", "--json"]).stdout)
    assert documented("field") == list(printed)
    assert documented("field of a row") == list(printed["total"])
