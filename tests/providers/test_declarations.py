"""What every bundled provider declares, checked against litellm's own list of models."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from datetime import date, timedelta
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloudllm import Provider
from cloudllm.keys import bundled
from cloudllm.plugins import Plugins
from cloudllm.testing.conformance import ITEMS

_DECLARED = date(2026, 11, 22)  # when the models were chosen, by the litellm that is pinned
_LONGEST = 100  # lines of a module
_LOCAL = {"ollama", "lm-studio", "llama-cpp", "vllm", "litellm-proxy"}
# Known to no list: OpenRouter's own choice of a model, and what runs in this process.
_NOT_LISTED = {"openrouter/auto", "smollm2", "echo"}
PROVIDERS = {provider.name: provider for provider in bundled(Plugins())}

every_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


@cache
def _metadata() -> dict[str, dict[str, Any]]:
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).with_name("model_prices_and_context_window_backup.json")
    entries: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return entries


def _entry(provider: Provider, model: str) -> dict[str, Any] | None:
    service = provider.metadata_name
    for key in (f"{service}/{model}", model):
        entry = _metadata().get(key)
        if entry and str(entry["litellm_provider"]).startswith(service):
            return entry
    return None


def _end(provider: Provider, model: str) -> date | None:
    entry = _entry(provider, model)
    assert entry is not None, f"{provider.name}/{model} is in no list"
    assert entry["mode"] in ("chat", "responses")
    day = entry.get("deprecation_date")
    return date.fromisoformat(day) if day else None


def test_the_bundled_providers_are_these() -> None:
    points = entry_points(group="cloudllm.providers")
    ours = {point.name for point in points if point.dist and point.dist.name == "cloudllm"}
    assert set(PROVIDERS) == ours
    assert ours == {
        "anthropic", "azure", "bedrock", "deepseek", "echo", "gemini", "groq", "litellm-proxy",
        "llama-cpp", "lm-studio", "local", "mistral", "ollama", "openai", "openrouter",
        "perplexity", "together", "vertex", "vllm", "xai",
    }  # fmt: skip


@every_provider
def test_a_module_is_small_and_says_what_it_is(provider: Provider) -> None:
    module = importlib.import_module(f"cloudllm_providers.{provider.name.replace('-', '_')}")
    assert module.__doc__
    assert module.__file__
    if provider.name != "local":  # a package with an engine in it
        assert len(Path(module.__file__).read_text().splitlines()) <= _LONGEST


@every_provider
def test_addresses_are_secure_or_on_this_machine(provider: Provider) -> None:
    if provider.api_base:
        parts = urlsplit(provider.api_base)
        here = parts.hostname == "127.0.0.1"
        assert parts.scheme == ("http" if here else "https")
        assert not provider.api_base.endswith("/")
        assert here == (provider.name in _LOCAL)
    if provider.key_url:
        assert urlsplit(provider.key_url).scheme == "https"
    if provider.model_list:
        assert "://" not in provider.model_list


@every_provider
def test_who_needs_a_key_says_where_to_get_one(provider: Provider) -> None:
    if provider.key_env and provider.name not in _LOCAL:
        assert provider.key_url
    if provider.offline:
        assert not provider.key_env
    for variable in (*provider.key_env, *provider.base_env):
        assert variable == variable.upper()


@every_provider
def test_a_server_of_ones_own_needs_no_key_and_says_how_to_start_it(provider: Provider) -> None:
    local = provider.name in _LOCAL
    assert bool(provider.start_hint) == local
    if local:
        assert provider.key_optional
        assert provider.base_env
        assert provider.model_list
        assert provider.default_model is None


@every_provider
def test_models_are_known_and_will_live(provider: Provider) -> None:
    names = [info.name for info in provider.models]
    assert not provider.default_model or names[0] == provider.default_model
    assert len(set(names)) == len(names)
    for name in names:
        if name not in _NOT_LISTED:
            end = _end(provider, name)
            assert end is None or end > _DECLARED + timedelta(days=180), name


@every_provider
def test_aliases_lead_to_models(provider: Provider) -> None:
    assert set(provider.aliases.values()) <= {info.name for info in provider.models}


@every_provider
def test_the_retired_have_living_successors(provider: Provider) -> None:
    for old, new in provider.successors.items():
        retired, end = _end(provider, old), _end(provider, new)
        assert retired is not None, f"{old} does not retire"
        assert retired < _DECLARED + timedelta(days=30)
        assert end is None or end > _DECLARED + timedelta(days=180), new
        assert new not in provider.successors


@every_provider
def test_settings_from_variables_exist(provider: Provider) -> None:
    fields = provider.settings_model.model_fields if provider.settings_model else {}
    assert set(provider.settings_env) <= set(fields)


def test_no_variable_serves_two_providers() -> None:
    count = Counter(
        variable
        for provider in PROVIDERS.values()
        for variable in (
            *provider.key_env, *provider.base_env, *sum(provider.settings_env.values(), ())
        )
    )  # fmt: skip
    assert [variable for variable, times in count.items() if times > 1] == []


@pytest.mark.parametrize(
    ("provider", "variables"),
    [
        ("openai", {"OPEN_AI_SECRET", "OPENAI_API_KEY", "OPENAI_KEY"}),
        ("anthropic", {"ANTHROPIC_KEY", "ANTHROPIC_API_KEY", "CLAUDE_API_KEY"}),
        ("gemini", {"GEMINI_KEY", "GEMINI_API_KEY"}),
        ("xai", {"XAI_KEY", "XAI_API_KEY", "GROK_API_KEY"}),
        ("openrouter", {"OPENROUTER_API_KEY"}),
    ],
)
def test_the_rust_crates_variables_are_accepted(provider: str, variables: set[str]) -> None:
    assert variables <= set(PROVIDERS[provider].key_env)


@every_provider
def test_a_known_gap_names_an_item_of_the_kit_and_has_its_date(provider: Provider) -> None:
    for gap in provider.known_gaps:
        assert gap.item in {item.name for item in ITEMS}
        assert gap.reason
        assert gap.since >= _DECLARED
