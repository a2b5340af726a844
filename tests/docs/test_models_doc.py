"""docs/models.md: its commands run, its JSON fields and its line on retirement are the real ones."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloudllm.cli.root import root
from cloudllm.gateway import catalogue
from cloudllm.registry import Registry
from cloudllm.repl.retirement import retirement_notice

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True)[1:] for line in PAGE.split("```")[1].splitlines()[1:]]


OFFLINE = [arguments for arguments in COMMANDS if "--live" not in arguments]


@pytest.mark.parametrize("arguments", OFFLINE, ids=" ".join)
def test_every_command_that_asks_nobody_runs(arguments: list[str]) -> None:
    result = CliRunner().invoke(root, arguments)
    assert result.exit_code == 0, result.exception
    assert len(result.stdout.splitlines()) > 1


def test_the_fields_are_those_of_the_json() -> None:
    names = re.search(r"`null` is unknown:\n\n(.*?)\n\n", PAGE, re.DOTALL)
    assert names is not None
    printed = CliRunner().invoke(root, ["models", "-p", "echo", "--json"]).stdout
    assert re.findall(r"`(\w+)`", names[1]) == list(json.loads(printed)[0])


def test_the_line_on_a_retired_model_is_the_real_one() -> None:
    info = catalogue.service("openai").models["gpt-4.1-nano"]
    successor = Registry().provider("openai").successors[info.name]
    assert f"\n{retirement_notice(info, 'openai', successor)}\n" in PAGE
