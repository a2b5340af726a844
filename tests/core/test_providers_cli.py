"""`cloudllm providers`: who there is, where keys come from, and all that a provider declares."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cloudllm.cli.compose import Options
from cloudllm.cli.providers import providers
from cloudllm.errors import PluginError, UnknownProvider

KEY = "sk-providers-canary"


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(providers, arguments, obj=Options())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert KEY not in result.stdout + result.stderr
    return result


def told(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(run(name, "--json").stdout)
    return facts


@pytest.fixture
def config(home: Path) -> Callable[[str], None]:
    def write(text: str) -> None:
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(text)
        (home / "config.toml").chmod(0o600)

    return write


@pytest.mark.parametrize(
    ("toml", "environ", "expected"),
    [
        ("", {}, ("OPENAI_API_KEY not set", False)),
        ("", {"OPENAI_API_KEY": ""}, ("OPENAI_API_KEY set but empty", False)),
        ("", {"OPENAI_API_KEY": KEY}, ("OPENAI_API_KEY set", True)),
        ("", {"OPEN_AI_SECRET": KEY}, ("OPEN_AI_SECRET set", True)),
        ("", {"OPENAI_BASE_URL": "http://localhost:1/v1"}, ("no key needed", True)),
        (f'[providers.openai]\napi_key = "{KEY}"\n', {}, ("config.toml:2 set", True)),
        ('[providers.openai]\napi_key_env = "MY_KEY"\n', {}, ("MY_KEY not set", False)),
        ('[providers.openai]\napi_key_env = "MY_KEY"\n', {"MY_KEY": KEY}, ("MY_KEY set", True)),
    ],
)
def test_G7_it_says_where_a_key_comes_from_and_never_shows_it(
    toml: str,
    environ: dict[str, str],
    expected: tuple[str, bool],
    config: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config(toml)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    facts = told("openai")
    assert (facts["key"], facts["ready"]) == expected
    line = next(line for line in run().stdout.splitlines() if line.startswith("openai "))
    assert f"  {expected[0]}  " in line


def test_what_can_be_no_key_is_said_and_the_rest_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY} with blanks")
    assert told("openai")["key"].startswith("OPENAI_API_KEY: this is no key")
    assert "anthropic" in run().stdout


def test_every_provider_has_a_row_endpoints_too(config: Callable[[str], None]) -> None:
    config('[providers.work]\nextends = "openai"\nlabel = "Work"\napi_base = "https://w.example"\n')
    header, *rows = run().stdout.splitlines()
    assert header.split() == ["NAME", "PROVIDER", "KEY", "DEFAULT", "MODEL"]
    assert {"echo", "openai", "work"} <= {row.split()[0] for row in rows}
    work = told("work")
    assert (work["label"], work["key"]) == ("Work", "no key needed")
    assert (work["api_base"], work["distribution"]) == ("https://w.example", "cloudllm")
    assert (work["key_variables"], work["successors"]) == ([], {})


DECLARED = """
from datetime import date
from pydantic import BaseModel
from cloudllm import KnownGap, ModelInfo, Provider, hookimpl

class Own(BaseModel):
    region: str = "eu"

@hookimpl
def cloudllm_providers():
    return [Provider(
        name="acme", label="Acme\\x1b[2J", litellm_route="openai", api_base="https://acme.example/v1",
        key_env=("ACME_KEY", "ACME_OLD_KEY"), base_env=("ACME_URL",), key_url="https://acme.example",
        default_model="a-1", models=(ModelInfo(name="a-1", vision=True, tools=False),),
        model_list="models", hosts=("cdn.acme.example",), aliases={"best": "a-1"},
        successors={"a-0": "a-1"}, settings_model=Own, settings_env={"region": ("ACME_REGION",)},
        requires={"json": "acme-json>=2"},
        known_gaps=(KnownGap(item="usage", reason="sends none", since=date(2026, 11, 1)),),
    )]
"""


def test_all_that_a_provider_declares_is_told(install: Callable[..., str]) -> None:
    install("acme", DECLARED)
    facts = told("acme")
    assert facts | {"label": ""} == {
        "name": "acme",
        "label": "",
        "key": "ACME_KEY not set",
        "ready": False,
        "key_variables": ["ACME_KEY", "ACME_OLD_KEY"],
        "key_optional": False,
        "key_url": "https://acme.example",
        "default_model": "a-1",
        "abilities": {"reasoning": None, "vision": True, "tools": False},
        "models_known_offline": 1,
        "model_list": "models",
        "api_base": "https://acme.example/v1",
        "address_variables": ["ACME_URL"],
        "hosts": ["cdn.acme.example"],
        "aliases": {"best": "a-1"},
        "successors": {"a-0": "a-1"},
        "settings": ["region"],
        "settings_variables": {"region": ["ACME_REGION"]},
        "requires": {"json": "acme-json>=2"},
        "known_gaps": [{"item": "usage", "reason": "sends none", "since": "2026-11-01"}],
        "distribution": "cloudllm-acme",
        "version": "1.2",
    }
    lines = run("acme").stdout.splitlines()
    assert all(len(line) <= 80 for line in lines)
    for text in ("ACME_KEY, ACME_OLD_KEY", "best = a-1", "a-0 -> a-1", "cloudllm-acme 1.2"):
        assert any(line.endswith(f"  {text}") for line in lines), text


def test_a_plugin_that_cannot_be_loaded_is_a_line_and_the_rest_is_listed(
    install: Callable[..., str],
) -> None:
    install("broken", "raise SystemExit(3)")
    result = run()
    assert "openai " in result.stdout
    assert result.stderr.startswith("plugin broken (cloudllm-broken 1.2)")
    assert result.stderr.count("\n") == 1
    with pytest.raises(PluginError):
        run("broken")


def test_a_mistyped_name_is_suggested() -> None:
    with pytest.raises(UnknownProvider, match="Did you mean openai"):
        run("opnai")


def test_it_fits_80_columns_and_foreign_text_cannot_act(
    install: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("acme", DECLARED)
    monkeypatch.setattr("cloudllm.cli.listing.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    shown = run().stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "\x1b" not in shown + run("acme").stdout


@pytest.mark.parametrize("columns", [30, 40, 50, 60, 79])
def test_it_fits_a_narrow_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudllm.cli.listing.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = run().stdout.splitlines()
    assert max(map(len, lines)) <= columns
    stacked = ["ollama", "  PROVIDER       Ollama"]
    assert (lines[lines.index("ollama") :][:2] == stacked) if columns < 50 else "NAME" in lines[0]


def test_G7_a_password_in_an_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://me:{KEY}@h.example:1/v1?token={KEY}")
    assert told("openai")["api_base"] == "https://h.example:1/v1"
    assert "h.example:1/v1" in run("openai").stdout


def test_who_finds_credentials_itself_says_so() -> None:
    for name in ("vertex", "bedrock"):
        assert told(name)["key"] == "credentials of its own"
