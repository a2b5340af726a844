"""`cloudllm config`: what it prints, what it writes, and what it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloudllm.cli.compose import Options
from cloudllm.cli.config import config
from cloudllm.errors import CloudLLMError, ConfigurationError, UsageError
from cloudllm.settings import Settings

SECRET = "sk-THIS-MUST-NOT-BE-SHOWN"
TEXT = f"""\
model = "work/x"
[timeout]
gap = 7
[providers.work]
extends = "openai"
api_base = "https://llm.example/v1"
api_key = "{SECRET}"
"""


def run(*arguments: str, options: Options | None = None) -> Result:
    result = CliRunner().invoke(config, arguments, obj=options)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: str) -> CloudLLMError:
    with pytest.raises(CloudLLMError) as caught:
        run(*arguments)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir()
    path = home / "config.toml"
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_show_prints_toml_that_gives_the_same_settings(file: Path, tmp_path: Path) -> None:
    shown = run("show").stdout
    again = tmp_path / "again.toml"
    again.write_text(shown, encoding="utf-8")
    settings, first = Settings.load(environ={}, config_file=again), Settings.load()
    assert settings.model_dump(exclude={"providers"}) == first.model_dump(exclude={"providers"})
    assert shown.splitlines()[:2] == [
        'model = "work/x"',
        'system_prompt = "You are a helpful assistant. Answer clearly and concisely."',
    ]


def test_show_origin_says_where_each_value_comes_from(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDLLM_REPL__SUBMIT", "enter")
    options = Options(flags={"system_prompt": "Be brief."})
    shown = run("show", "--origin", options=options).stdout
    lines = shown.splitlines()
    assert f'model = "work/x"  # {file}:1' in lines
    assert f"timeout.gap = 7.0  # {file}:3" in lines
    assert 'repl.submit = "enter"  # CLOUDLLM_REPL__SUBMIT' in lines
    assert 'system_prompt = "Be brief."  # --system' in lines
    assert 'timeout.total = "none"  # default' in lines
    assert f'providers.work.api_key = "********"  # {file}:7' in lines
    assert tomllib.loads(shown)["timeout"]["gap"] == 7


def test_G7_no_command_shows_a_key(file: Path) -> None:
    file.chmod(0o644)
    for arguments in (["show"], ["show", "--origin"], ["get", "providers.work.api_key"], ["check"]):
        assert SECRET not in run(*arguments).output
    assert run("get", "providers.work.api_key").stdout == "********\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "work/x"),
        ("timeout.gap", "7.0"),
        ("timeout.total", "none"),
        ("plugins.allow", "all"),
        ("plugins.deny", "[]"),
        ("repl.markdown", "true"),
        ("repl.sentinel", "\\end"),
        ("providers.work.extends", "openai"),
    ],
)
def test_get_prints_the_bare_value(file: Path, key: str, value: str) -> None:
    assert run("get", key).stdout == f"{value}\n"


def test_get_suggests_a_key() -> None:
    error = refused("get", "timeout.gpa")
    assert isinstance(error, UsageError)
    assert str(error) == "timeout.gpa: unknown setting; did you mean timeout.gap?"


def test_path_prints_the_place_even_of_a_broken_or_missing_file(home: Path) -> None:
    assert run("path").stdout == f"{home / 'config.toml'}\n"
    home.mkdir()
    (home / "config.toml").write_text("=", encoding="utf-8")
    assert run("path").stdout == f"{home / 'config.toml'}\n"


def test_an_env_file_stands_below_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / "my.env"
    env_file.write_text("CLOUDLLM_MODEL=a/b\nCLOUDLLM_TIMEOUT__GAP=3\n", encoding="utf-8")
    monkeypatch.setenv("CLOUDLLM_MODEL", "c/d")
    monkeypatch.delenv(
        "CLOUDLLM_TIMEOUT__GAP", raising=False
    )  # so that it is taken back at the end
    named = ("--env-file", str(env_file))
    assert run("get", *named, "model").stdout == "c/d\n"
    assert run("get", *named, "timeout.gap").stdout == "3.0\n"
    monkeypatch.delenv("CLOUDLLM_TIMEOUT__GAP")


def test_set_writes_and_says_nothing(file: Path) -> None:
    assert run("set", "timeout.gap", "9").output == ""
    assert run("get", "timeout.gap").stdout == "9.0\n"
    assert SECRET in file.read_text(encoding="utf-8")


def test_G7_set_takes_no_key(file: Path) -> None:
    error = refused("set", "providers.openai.api_key", SECRET)
    assert SECRET not in repr(error)
    assert "CLOUDLLM_PROVIDERS__OPENAI__API_KEY" in str(error)
    assert file.read_text(encoding="utf-8") == TEXT


def test_check_says_ok(file: Path) -> None:
    result = run("check")
    assert (result.stdout, result.stderr) == ("ok\n", "")


def test_check_prints_notices_on_standard_error(file: Path) -> None:
    file.write_text('[providers.openai]\napi_key = "sk-x"\n', encoding="utf-8")
    file.chmod(0o644)
    result = run("check")
    assert result.stdout == "ok\n"
    assert result.stderr.endswith(f"others can read it; run: chmod 600 {file}\n")


def test_check_finds_every_mistake_and_every_broken_provider(file: Path) -> None:
    file.write_text("modle = 1\ntimeout.gap = true\n", encoding="utf-8")
    error = refused("check")
    assert isinstance(error, ConfigurationError)
    assert [line.split(" ")[0] for line in str(error).split("\n")] == [f"{file}:1:", f"{file}:2:"]
    file.write_text('[providers.a]\n[providers.b]\nextends = "opnai"\n', encoding="utf-8")
    lines = str(refused("check")).split("\n")
    assert lines[0].startswith(f"{file}:1: providers.a: ")
    assert lines[1].startswith(f"{file}:3: providers.b.extends: ")


PROBE = """
import json, sys
from cloudllm.cli.config import config
config.main(sys.argv[1:], standalone_mode=False)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("arguments", [["show"], ["show", "--origin"], ["get", "model"], ["path"]])
def test_G1_reading_the_configuration_imports_nothing_heavy(
    file: Path, arguments: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    forbidden = {"litellm", "openai", "httpx", "prompt_toolkit", "cloudllm_providers"}
    assert not imported & {*forbidden, "cloudllm_plugins", "tomlkit", "xllamacpp"}


def test_check_lists_every_mistake(home: Path) -> None:
    home.mkdir()
    path = home / "config.toml"
    path.write_text(
        """\
model = "nowhere/x"
[providers.openai]
taem = 1
[aliases]
fast = "acne/small"
own = "echo/echo"
""",
        encoding="utf-8",
    )
    lines = str(refused("check")).splitlines()
    assert [line.partition(" setting")[0].partition(" provider ")[0] for line in lines] == [
        f"{path}:3: providers.openai.taem: unknown",
        f"{path}:1: model: unknown",
        f"{path}:5: aliases.fast: unknown",
    ]


def test_check_knows_the_plugins_that_are_switched_off(home: Path) -> None:
    home.mkdir()
    path = home / "config.toml"
    path.write_text('[plugins]\ndeny = ["nosuch", "guard", "cloudllm"]\n', encoding="utf-8")
    done = run("check")
    assert done.stdout == "ok\n"
    assert done.stderr == f'{path}:2: plugins.deny: no plugin is called "nosuch"\n'
