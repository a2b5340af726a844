"""The catalogue: litellm's shipped data on models, read without litellm, whatever becomes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from cloudllm import Client, LongPrice, ModelInfo, Provider
from cloudllm.gateway import catalogue, metadata
from cloudllm.registry import Registry
from cloudllm.settings import Settings

NANO = ModelInfo(
    name="gpt-4.1-nano",
    context_limit=1_047_576,
    output_limit=32_768,
    vision=True,
    tools=True,
    input_price=0.1,
    output_price=0.4,
    cached_price=0.025,
    retires=date(2026, 10, 23),
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    catalogue._read.cache_clear()
    catalogue.service.cache_clear()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts another file in the place of litellm's."""

    def put(text: str) -> None:
        (tmp_path / "data.json").write_text(text)
        monkeypatch.setattr(catalogue, "_path", lambda: tmp_path / "data.json")
        catalogue._read.cache_clear()
        catalogue.service.cache_clear()

    return put


def test_it_is_read_without_importing_litellm() -> None:
    program = (
        "import sys; from cloudllm.gateway import catalogue;"
        "assert catalogue.service('openai').models['gpt-4.1-nano'].context_limit == 1047576;"
        "print([name for name in ('litellm', 'openai', 'httpx', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_model_has_limits_prices_abilities_and_its_end() -> None:
    assert catalogue.service("openai").models["gpt-4.1-nano"] == NANO


@pytest.mark.parametrize(
    ("service", "there", "elsewhere"),
    [
        ("openai", "gpt-6-luna", "text-embedding-3-small"),
        ("gemini", "gemini-3.8-flash", "gemini/gemini-3.8-flash"),
        ("together_ai", "openai/gpt-oss-120b", "together-ai-4.1b-8b"),
        ("vertex_ai", "gemini-3.8-flash", "vertex_ai/gemini-3.8-flash"),
        ("vertex_ai", "claude-haiku-5-5", "imagen-4.0-generate-001"),
        ("vertex_ai", "gemini-2.5-pro", "vertex_ai/gemini-2.5-pro"),
        ("openai", "gpt-6.1-sol", "container"),
        ("openai", "gpt-4o", "ft:gpt-4o-2024-08-06"),
    ],
)
def test_a_service_lists_its_models_that_chat_under_their_own_names(
    service: str, there: str, elsewhere: str
) -> None:
    names = catalogue.service(service).models
    assert there in names
    assert elsewhere not in names


def test_a_model_has_prices_of_a_cache_and_of_long_calls_and_may_go_on_with_an_answer() -> None:
    haiku = catalogue.service("anthropic").models["claude-haiku-5-5"]
    assert (haiku.cached_price, haiku.stored_price, haiku.prefill) == (0.01, 0.125, False)
    assert haiku.long_prices == (
        LongPrice(
            above=100_000, input_price=0.5, output_price=2.5, cached_price=0.05, stored_price=0.625
        ),
    )
    assert catalogue.service("anthropic").models["claude-sonnet-4-5"].prefill is True


def test_a_price_that_does_not_rise_with_the_input_stays(data: Callable[[str], None]) -> None:
    entry = {
        "litellm_provider": "acme", "mode": "chat",
        "input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6,
        "cache_read_input_token_cost_above_1hr_above_5k_tokens": 1,
        "output_cost_per_token_above_200k_tokens": 8e-6,
        "input_cost_per_token_above_128k_tokens": 2e-6,
        "input_cost_per_token_above_128k_tokens_batches": 1e-6,
    }  # fmt: skip
    data(json.dumps({"m": entry}))
    assert catalogue.service("acme").models["m"].long_prices == (
        LongPrice(above=128_000, input_price=2.0, output_price=4.0),
        LongPrice(above=200_000, input_price=1.0, output_price=8.0),
    )


def test_prices_of_two_sources_are_not_mixed() -> None:
    known = ModelInfo(name="m", input_price=1.0, output_price=2.0, cached_price=0.1, vision=True)
    own = ModelInfo(name="m", input_price=3.0)
    assert catalogue.filled(own, known) == replace(own, vision=True)
    same = ModelInfo(name="m", input_price=1.0)
    assert catalogue.filled(same, known) == known


def test_what_does_not_chat_is_known_as_such() -> None:
    assert "text-embedding-3-small" in catalogue.service("openai").others
    assert not catalogue.service("nobody").models
    assert not catalogue.service("").models


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "form"),
        ("no JSON", "form"),
        ("[1, 2]", "form"),
        ('{"a": 1}', "form"),
        ("{}", "form"),
        ('{"a": {}', "form"),
        ('{"a": {} "b": {}}', "form"),
        ('{"a": {"mode": "other"}}', "form"),
        ("[" * 100_000, "form"),
    ],
)
def test_a_file_that_has_changed_is_one_line_and_no_models(
    text: str, problem: str, data: Callable[[str], None]
) -> None:
    data(text)
    found = catalogue.read()
    assert found.problem is not None
    assert problem in found.problem
    assert "\n" not in found.problem
    assert not catalogue.service("openai").models


def test_a_file_that_is_missing_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue._read.cache_clear()
    monkeypatch.setattr(catalogue, "_path", lambda: tmp_path / "none.json")
    problem = catalogue.read().problem
    assert problem == (
        "litellm's data on models cannot be read: no such file or directory; reinstall litellm"
    )


def test_what_an_entry_says_wrongly_is_unknown(data: Callable[[str], None]) -> None:
    wrong = {
        "litellm_provider": "acme", "mode": "chat", "max_input_tokens": "many",
        "max_output_tokens": -1, "input_cost_per_token": None, "output_cost_per_token": "1",
        "supports_vision": "yes", "deprecation_date": "soon",
        "cache_read_input_token_cost": [], "supports_assistant_prefill": 1,
        "input_cost_per_token_above_many_tokens": 1, "input_cost_per_token_above_k_tokens": 1,
    }  # fmt: skip
    data(json.dumps({"m": wrong}))
    assert catalogue.read().problem is None
    assert catalogue.service("acme").models == {"m": ModelInfo(name="m")}


def test_a_providers_own_word_stands_first() -> None:
    own = ModelInfo(name="gpt-4.1-nano", context_limit=5, vision=False)
    offered = catalogue.offered(Provider(name="openai", label="OpenAI", models=(own,)))
    assert offered[0] == replace(NANO, context_limit=5, vision=False)
    assert [info.name for info in offered].count("gpt-4.1-nano") == 1
    assert len(offered) > 50


def test_a_provider_takes_no_data_that_is_not_its_own() -> None:
    acme = Provider(name="acme", label="Acme", litellm_route="openai")
    assert catalogue.offered(acme) == []
    assert catalogue.offered(replace(acme, metadata="openai"))
    assert catalogue.offered(Provider(name="ollama", label="Ollama", metadata="")) == []


def _client(tmp_path: Path, toml: str, model: str, **environ: str) -> Client:
    file = tmp_path / "config.toml"
    file.write_text(toml)
    environ = {"OPENAI_API_KEY": "sk-x", **environ}
    settings = Settings.load(environ=environ, config_file=file)
    return Registry(settings, environ=environ).client(model)


def test_a_client_of_the_service_itself_has_prices_and_an_end(tmp_path: Path) -> None:
    assert metadata.complete(_client(tmp_path, "", "openai/gpt-4.1-nano")) == NANO
    mine = _client(tmp_path, '[providers.mine]\nextends = "openai"\n', "mine/gpt-4.1-nano")
    assert metadata.complete(mine) == NANO


def test_another_service_inherits_neither_prices_nor_an_end(tmp_path: Path) -> None:
    limits = replace(NANO, input_price=None, output_price=None, cached_price=None, retires=None)
    toml = '[providers.work]\nextends = "openai"\napi_base = "http://127.0.0.1:1/v1"\n'
    work = _client(tmp_path, toml, "work/gpt-4.1-nano")
    assert metadata.complete(work) == limits
    moved = _client(tmp_path, "", "openai/gpt-4.1-nano", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert metadata.complete(moved) == limits
