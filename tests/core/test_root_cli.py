"""The root command: whose fault it is when a command breaks, and what it says of a mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm import paths

Install = Callable[..., str]

COMMAND = """
import click, sys
from cloudllm import CloudLLMError, Refused

@click.command()
@click.argument("how")
def zap(how):
    exec(how)
"""


@pytest.fixture
def zap(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `zap` of a third party, which runs what it is given as Python."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    install("zap", COMMAND, group="cloudllm.cli", value="{module}:zap")


def cloudllm(*arguments: str) -> tuple[int, str, str]:
    """Run `cloudllm ARGUMENTS`: the exit code, standard output, standard error."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "cloudllm", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("zap")
def test_G8_a_plugins_command_that_raises_is_named_in_one_line() -> None:
    code, out, err = cloudllm("zap", "{}['missing']")
    assert (code, out) == (1, "")
    assert err == (
        "cloudllm: plugin zap (cloudllm-zap 1.2): its command failed: KeyError: 'missing'."
        " cloudllm plugins show zap tells more\n"
    )
    stories = json.loads((paths.state_dir() / "plugins.json").read_text())["stories"]
    (story,) = (each for key, each in stories.items() if "zap" in key)
    assert "in zap" in story["failures"][-1]["traceback"]


@pytest.mark.usefixtures("zap")
@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("raise CloudLLMError('not now')", 1, "cloudllm: not now\n"),
        ("raise Refused('never')", 7, "cloudllm: never\n"),
        ("raise click.ClickException('odd')", 2, "cloudllm: odd. Try: cloudllm --help\n"),
        ("sys.exit(23)", 23, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('bye')", 1, "bye\n"),
        ("click.get_current_context().exit(24)", 24, ""),
        ("raise KeyboardInterrupt", 130, "\n"),
    ],
)
def test_what_a_plugins_command_says_itself_passes(how: str, code: int, said: str) -> None:
    assert cloudllm("zap", how) == (code, "", said)


@pytest.mark.parametrize("group", ["plugins", "config", "local", "sessions"])
def test_a_group_without_a_command_prints_its_help(group: str) -> None:
    code, out, err = cloudllm(group)
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: cloudllm {group} [OPTIONS] COMMAND")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plugins", "show"), "Missing argument 'NAME'. Try: cloudllm plugins show --help"),
        (("modles",), 'Did you mean models? Or, to ask: cloudllm ask "…". Try: cloudllm --help'),
        (("plugins", "new", "guard"), "there is a plugin named guard already"),
        (("ask", "-m", "nope/x", "hi"), "unknown provider 'nope'. Known: "),
        (("ask", "-m", "/x", "hi"), "the model id '/x' begins with a slash. Write PROVIDER/MODEL"),
        (
            ("ask", "-m", "echo", "-o", "providers.echo.taem=1", "hi"),
            "llm: -o providers.echo.taem: unk",
        ),
    ],
)
def test_a_mistake_is_said_plainly(arguments: tuple[str, ...], said: str) -> None:
    code, out, err = cloudllm(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "?." not in err


@pytest.mark.usefixtures("zap")
def test_no_plugins_is_named_as_the_cause(install: Install) -> None:
    install("acme", "")
    code, _, err = cloudllm("--no-plugins", "ask", "-m", "acme", "hi")
    assert code == 2
    assert err.endswith("switched off by --no-plugins. Leave out --no-plugins\n")


@pytest.mark.slow
def test_an_error_is_shown_while_a_plugin_is_still_at_work(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    source = """
import threading
from cloudllm import hookimpl

@hookimpl
def cloudllm_reply(reply):
    threading.Event().wait()
"""
    install("slow", source, group="cloudllm.plugins")
    file = tmp_path / "lines"
    file.write_bytes(b"hi\n\\end\n\xff\n")
    code, out, err = cloudllm("run", "-m", "echo", str(file))
    assert (code, out[:4]) == (2, "You ")
    assert "line 3: byte 0xff is not UTF-8" in err
