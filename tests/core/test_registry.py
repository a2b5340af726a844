"""Model ids, providers and endpoints by name, and the clients made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudllm import client
from cloudllm.errors import ConfigurationError, MissingKey, UnknownProvider
from cloudllm.registry import Registry
from cloudllm.settings import Settings

KEY = "sk-registry-canary"


def _registry(toml: str = "", **environ: str) -> Registry:
    file = Path("config.toml")
    file.write_text(toml)
    settings = Settings.load(environ=environ, config_file=file)
    return Registry(settings, environ=environ)


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("openai/gpt-6-luna", ("openai", "gpt-6-luna")),
        ("openrouter/meta/llama", ("openrouter", "meta/llama")),
        ("gpt-4.1-nano", ("openai", "gpt-4.1-nano")),
        ("echo", ("echo", "")),
        ("work", ("work", "")),
        ("anthropic/", ("anthropic", "")),
    ],
)
def test_a_model_id_is_split_at_its_first_slash(model_id: str, expected: tuple[str, str]) -> None:
    registry = _registry('[providers.work]\nextends = "openai"\n')
    assert registry.split(model_id) == expected


def test_a_bare_model_belongs_to_the_default_provider() -> None:
    assert _registry('model = "echo/echo"').split("x") == ("echo", "x")


def test_a_provider_alone_means_its_default_model() -> None:
    assert _registry(OPENAI_API_KEY=KEY).client("openai").id == "openai/gpt-6-luna"
    toml = '[providers.openai]\ndefault_model = "big"\n'
    assert _registry(toml, OPENAI_API_KEY=KEY).client("openai").id == "openai/big"


def test_no_key_is_an_error_but_not_for_a_chosen_server_on_this_machine() -> None:
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        _registry().client("openai")
    here = _registry(OPENAI_BASE_URL="http://localhost:8080/v1").client("openai/x")
    assert (here.api_base, here.api_key) == ("http://localhost:8080/v1", None)
    with pytest.raises(MissingKey):
        _registry(OPENAI_BASE_URL="https://elsewhere.example/v1").client("openai/x")


def test_the_order_of_addresses() -> None:
    toml = '[providers.openai]\napi_base = "http://file/v1"\n'
    environ = {"OPENAI_API_KEY": KEY}
    assert _registry(toml, **environ).client("openai").api_base == "http://file/v1"
    environ["OPENAI_BASE_URL"] = "http://variable/v1"
    assert _registry(toml, **environ).client("openai").api_base == "http://variable/v1"
    environ["CLOUDLLM_PROVIDERS__OPENAI__API_BASE"] = "http://ours/v1"
    assert _registry(toml, **environ).client("openai").api_base == "http://ours/v1"


def test_G7_a_key_goes_only_with_the_scope_that_declared_it() -> None:
    toml = '[providers.work]\nextends = "openai"\napi_base = "https://work.example/v1"\n'
    work = _registry(toml, OPENAI_API_KEY=KEY).client("work/x")
    assert work.api_key is None
    assert work.hosts == {"work.example"}
    assert KEY not in repr(_registry(OPENAI_API_KEY=KEY).client("openai"))


def test_an_endpoint_without_an_address_inherits_everything() -> None:
    toml = '[providers.mine]\nextends = "openai"\nlabel = "Mine"\n'
    mine = _registry(toml, OPENAI_API_KEY=KEY).client("mine/gpt-6-luna")
    assert mine.api_key is not None
    assert (mine.label, mine.api_base) == ("Mine", "https://api.openai.com/v1")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('extends = "opnai"', "config.toml:2: providers.work.extends: unknown provider 'opnai'"),
        ('extends = "work"', "leads back to 'work'"),
        ('label = "x"', 'no such provider is installed; add extends = "openai"'),
        ('extends = "echo"\ndelya = 1', "did you mean delay?"),
        ('extends = "echo"\ndelay = "long"', "config.toml:3: providers.work.delay: "),
    ],
)
def test_a_wrong_table_is_named_with_file_line_and_key(toml: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _registry(f"[providers.work]\n{toml}\n").client("work/echo")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_installed_provider_cannot_extend_another() -> None:
    with pytest.raises(ConfigurationError, match="cannot extend another"):
        _registry('[providers.openai]\nextends = "echo"\n').client("openai/x")


def test_an_unknown_provider_is_suggested_from_endpoints_too() -> None:
    registry = _registry('[providers.work]\nextends = "openai"\n')
    with pytest.raises(UnknownProvider, match="Did you mean work"):
        registry.client("wrok/x")


def test_client_reads_variables_and_no_file(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("this is not TOML")
    monkeypatch.setenv("OPEN_AI_SECRET", KEY)
    made = client("openai/gpt-6-luna")
    assert made.api_key is not None
    assert made.api_key.get_secret_value() == KEY
    given = client("openai/gpt-6-luna", api_key="sk-other", api_base="http://127.0.0.1:1/v1")
    assert given.api_key is not None
    assert given.api_key.get_secret_value() == "sk-other"
    assert given.api_base == "http://127.0.0.1:1/v1"


def test_a_key_goes_over_plain_http_only_where_the_settings_say_so() -> None:
    toml = '[providers.openai]\napi_base = "http://file/v1"\nallow_plain_http = true\n'
    assert _registry(toml, OPENAI_API_KEY=KEY).client("openai").allow_plain_http
    registry = _registry(toml.replace("true", "false"), OPENAI_API_KEY=KEY)
    assert not registry.client("openai").allow_plain_http
    with pytest.raises(ConfigurationError, match="unencrypted to file"):
        registry.live_models("openai")
