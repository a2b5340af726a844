"""`cloudllm models`: what it lists offline and live, for a person and for a program."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cloudllm.cli.compose import Options
from cloudllm.cli.models import models
from cloudllm.errors import (
    ConfigurationError,
    MissingKey,
    NetworkError,
    UnknownProvider,
    UsageError,
)
from cloudllm.gateway import catalogue
from cloudllm.registry import Registry
from cloudllm.testing import WireServer

FIELDS = [
    "id", "provider", "model", "aliases", "default", "context_limit", "output_limit",
    "input_price", "output_price", "reasoning", "vision", "tools", "retires", "retired",
]  # fmt: skip


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(models, arguments, obj=Options())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def listed(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json").stdout)
    return found


def ids(*arguments: str) -> list[str]:
    return [each["id"] for each in listed(*arguments)]


@pytest.fixture
def config(home: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(text)

    return write


def test_every_installed_provider_is_listed_with_what_is_known() -> None:
    found = listed()
    assert list(found[0]) == FIELDS
    assert {"anthropic", "echo", "gemini", "openai"} <= {each["provider"] for each in found}
    luna = next(each for each in found if each["id"] == "openai/gpt-6-luna")
    assert (luna["context_limit"], luna["input_price"]) == (922_000, 0.1)
    assert (luna["reasoning"], luna["default"], luna["retires"]) == (True, True, None)
    echo = next(each for each in found if each["id"] == "echo/echo")
    assert echo["context_limit"] is echo["input_price"] is echo["vision"] is None


def test_retired_models_are_hidden_and_marked() -> None:
    retired = "openai/gpt-4.1-nano"
    assert retired not in ids("-p", "openai")
    shown = {each["id"]: each for each in listed("-p", "openai", "--all")}
    assert shown[retired]["retired"] is True
    assert shown[retired]["retires"] == "2026-10-23"
    line = next(line for line in run("--all", retired).stdout.splitlines() if f"{retired} " in line)
    assert line.endswith("retired 2026-10-23")


def test_all_words_must_be_in_a_name() -> None:
    found = ids("GPT", "luna")
    assert "openai/gpt-6-luna" in found
    assert all("gpt" in each and "luna" in each for each in found)
    assert ids("gpt luna") == found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "openai", "gtp-6-luna"], "matches 'gtp-6-luna'. Did you mean openai/gpt-6-luna"),
        (["zzzzzz"], "no model matches 'zzzzzz'. cloudllm models lists all"),
        (["openai/gpt-4.1-nano-2025-04-14"], "the one that matches is retired. --all lists them"),
        (["-p", "ollama"], "known offline. Ask for them: cloudllm models -p ollama --live"),
    ],
)
def test_an_empty_list_says_what_to_do_and_ends_with_2(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(*arguments)
    assert words in str(caught.value)
    assert listed(*arguments) == []


def test_a_mistyped_provider_is_suggested() -> None:
    with pytest.raises(UnknownProvider, match="Did you mean openai"):
        run("-p", "opnai")


def test_aliases_are_listed_with_what_they_mean(config: Callable[[str], None]) -> None:
    config('[aliases]\nfast = "openai/gpt-6-luna"\nown = "openrouter/me/mine"\nbad = "nobody/x"\n')
    result = run()
    first, second = result.stdout.splitlines()[1:3]
    assert first.split()[:4] == ["fast", "=", "openai/gpt-6-luna", "922k"]
    assert second.split()[:4] == ["own", "=", "openrouter/me/mine", "?"]
    assert result.stderr.startswith("alias bad: unknown provider 'nobody'. Known: ")
    assert listed("fast", "-p", "openai")[0]["aliases"] == ["fast"]
    assert "anthropic/sonnet = anthropic/claude-sonnet-5-5 " in result.stdout


def test_a_plugin_that_cannot_be_loaded_is_a_line_and_the_rest_is_listed(
    install: Callable[..., str],
) -> None:
    install("broken", "raise RuntimeError('boom')")
    bad = "from cloudllm import *\n@hookimpl\ndef cloudllm_providers():\n    return [Provider("
    install("junk", f"{bad}name='junk', label='J', models=('no info',))]\n")
    result = run()
    assert "openai/gpt-6-luna" in result.stdout
    lines = result.stderr.splitlines()
    assert [line.split(" (")[0] for line in lines] == ["plugin broken", "plugin junk"]
    assert "RuntimeError: boom" in lines[0]
    with pytest.raises(ConfigurationError):
        run("-p", "broken")


def test_a_foreign_name_cannot_act_on_a_terminal(
    install: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        "evil",
        "from cloudllm import *\n@hookimpl\ndef cloudllm_providers():\n"
        "    return [Provider(name='evil', label='E', models=(ModelInfo(name='a\\x1b[2J'),))]\n",
    )
    monkeypatch.setattr("cloudllm.cli.listing.on_terminal", lambda: True)
    shown = run("-p", "evil").stdout
    assert "\x1b" not in shown
    assert "evil/a␛[2J" in shown
    assert "\\u001b" in run("-p", "evil", "--json").stdout


def test_missing_data_of_litellm_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(catalogue, "_path", lambda: tmp_path / "none")
    catalogue._read.cache_clear()
    catalogue.service.cache_clear()
    try:
        result = run("-p", "openai")
    finally:
        monkeypatch.undo()
        catalogue._read.cache_clear()
        catalogue.service.cache_clear()
    assert result.stderr.startswith("litellm's data on models cannot be read")
    assert "openai/gpt-6-luna" in result.stdout


# Live.


def _endpoint(server: WireServer, name: str = "here", more: str = "") -> str:
    return f'[providers.{name}]\nextends = "openai"\napi_base = "{server.url}"\n{more}'


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leaves these providers, since a server of another one may run on this machine."""
    return lambda *names: monkeypatch.setattr(Registry, "names", lambda _self: list(names))


def test_live_lists_what_the_service_says(
    config: Callable[[str], None], only: Callable[..., None]
) -> None:
    only("echo", "here", "openai")
    with WireServer() as server:
        server.models = ["b-1", "a-1"]
        config(_endpoint(server))
        assert ids("--live", "-p", "here") == ["here/b-1", "here/a-1"]
        assert ids("--live", "-p", "here", "A") == ["here/a-1"]
        assert ids("--live") == ["here/b-1", "here/a-1"]


def test_live_asks_all_with_a_key_and_a_failure_is_a_line(
    config: Callable[[str], None], only: Callable[..., None]
) -> None:
    only("gone", "here", "openai")
    with WireServer() as server:
        server.models = ["m"]
        gone = _endpoint(server, "gone", 'api_key = "sk-gone"\n')
        gone = gone.replace(server.url, "http://127.0.0.1:1/v1")
        config(_endpoint(server) + gone)
        result = run("--live")
    assert "here/m" in result.stdout
    assert "gone: nothing answers at 127.0.0.1:1\n" in result.stderr
    assert "sk-gone" not in result.stdout + result.stderr


def test_live_tells_every_failure_if_all_fail(
    config: Callable[[str], None], only: Callable[..., None]
) -> None:
    only("openai", "w1", "w2", "w3")
    table = (
        '[providers.w{0}]\nextends = "openai"\n'
        'api_base = "http://127.0.0.1:{0}/v1"\napi_key = "sk-gone"\n'
    )
    config("".join(table.format(number) for number in (1, 2, 3)))
    result = CliRunner().invoke(models, ["--live"], obj=Options())
    told = f"{result.stderr}{result.exception}"
    assert isinstance(result.exception, NetworkError), told
    assert [f"w{number}: nothing answers" in told for number in (1, 2, 3)] == [True] * 3


def test_an_alias_for_what_can_be_no_model_is_a_line(config: Callable[[str], None]) -> None:
    config('[aliases]\na = "openai/gpt 4"\n')
    result = run("-p", "openai")
    assert "alias a: 'gpt 4' cannot be a model: it holds a blank" in result.stderr
    assert "gpt 4" not in result.stdout


def test_live_of_a_named_provider_fails_as_it_does() -> None:
    with pytest.raises(MissingKey):
        run("--live", "-p", "openai")
    with pytest.raises(ConfigurationError, match="echo has no list"):
        run("--live", "-p", "echo")


def test_live_without_anybody_to_ask_says_so(
    monkeypatch: pytest.MonkeyPatch, only: Callable[..., None]
) -> None:
    only("openai", "echo", "ollama")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="no provider has a key"):
        run("--live")


# The whole program.


def test_G1_a_list_imports_neither_litellm_nor_the_prompt() -> None:
    program = (
        "import json, sys; from cloudllm.cli.models import models;"
        "models.main(['-p', 'openai'], standalone_mode=False);"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert not imported & {"litellm", "openai", "httpx", "aiohttp", "prompt_toolkit"}


@pytest.mark.parametrize("arguments", [["--all"], ["-p", "bedrock", "--all"]])
def test_a_terminal_of_80_columns_is_not_exceeded(arguments: list[str]) -> None:
    master, slave = pty.openpty()
    environ = {**os.environ, "COLUMNS": "80"}
    child = subprocess.Popen(
        [sys.executable, "-m", "cloudllm", "models", *arguments],
        stdout=slave, stderr=slave, stdin=slave, env=environ,
    )  # fmt: skip
    os.close(slave)
    text = b""
    while True:
        try:
            piece = os.read(master, 65_536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    assert child.wait() == 0
    lines = text.decode().replace("\r\n", "\n").splitlines()
    ids_too_long = [line for line in lines if len(line) > 80 and " " in line]
    assert not ids_too_long
    assert lines[0].split() == ["MODEL", "WINDOW", "IN", "OUT", "CAN", "RETIRES"]
    assert lines[-1].startswith("IN, OUT: $ per million tokens")
    edges = {line.index("  r") for line in lines[1:-1] if "  rvt" in line}
    assert len(edges) == 1


def test_a_pipe_gets_whole_ids_and_may_be_left_early() -> None:
    done = subprocess.run(
        f"{sys.executable} -m cloudllm models | head -n 2",
        shell=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.count("\n") == 2
    long = max(ids("-p", "bedrock"), key=len)
    assert f"{long} " in run("-p", "bedrock").stdout


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_a_narrow_terminal_breaks_nothing_but_names(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudllm.cli.listing.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run("-p", "bedrock", "--all").stdout.splitlines()
    assert not [line for line in lines if len(line) > columns and " " in line]
    listed = [line for line in lines if line.startswith("bedrock/")]
    assert all("…" not in line for line in listed)
    assert listed
