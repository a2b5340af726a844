"""The bundled providers that data alone cannot describe, and the addresses of local servers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cloudllm import Client, Provider, ProviderSettings
from cloudllm.errors import ConfigurationError, MissingKey
from cloudllm.keys import bundled
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry
from cloudllm.settings import Settings

KEY = "sk-client-canary"
AZURE = "https://team.openai.azure.com"


def _registry(toml: str = "", **environ: str) -> Registry:
    file = Path("config.toml")
    file.write_text(toml)
    return Registry(Settings.load(environ=environ, config_file=file), environ=environ)


def _client(model: str, toml: str = "", **environ: str) -> Client:
    return _registry(toml, **environ).client(model)


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "provider",
    [each for each in bundled(Plugins()) if each.key_env and not each.key_optional],
    ids=lambda provider: provider.name,
)
def test_each_variable_holds_the_key_and_the_first_one_wins(provider: Provider) -> None:
    more = {"AZURE_OPENAI_ENDPOINT": AZURE} if provider.name == "azure" else {}
    for variable in provider.key_env:
        key = _client(f"{provider.name}/m", **more, **{variable: KEY}).api_key
        assert key is not None
        assert key.get_secret_value() == KEY
    environ = {variable: f"key-{variable}" for variable in provider.key_env}
    registry = _registry(**more, **environ)
    first = registry.client(f"{provider.name}/m").api_key
    assert first is not None
    assert first.get_secret_value() == f"key-{provider.key_env[0]}"
    assert len(registry.notices(f"{provider.name}/m")) == (len(provider.key_env) > 1)
    with pytest.raises(MissingKey, match=f"{provider.key_env[0]} is set but empty"):
        _client(f"{provider.name}/m", **{provider.key_env[0]: " "})


def test_a_first_timer_is_shown_what_works_without_a_key() -> None:
    with pytest.raises(MissingKey) as caught:
        _client("openai")
    assert str(caught.value) == (
        "No key for OpenAI: OPENAI_API_KEY is not set. "
        "Set it (get a key at https://platform.openai.com/api-keys), "
        "or try without a key: cloudllm -m echo/echo or cloudllm -m local/smollm2"
    )


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("192.168.1.5", "http://192.168.1.5:11434"),
        ("192.168.1.5:1234", "http://192.168.1.5:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:99", "http://127.0.0.1:99"),
        ("http://0.0.0.0:99", "http://127.0.0.1:99"),
        ("[::]:99", "http://[::1]:99"),
        ("http://gpu.example:11434/", "http://gpu.example:11434"),
        ("https://gpu.example", "https://gpu.example"),
        ("https://gpu.example/ollama/", "https://gpu.example/ollama"),
        ("", "http://127.0.0.1:11434"),
    ],
)
def test_ollama_answers_where_OLLAMA_HOST_says_and_needs_no_key(value: str, address: str) -> None:
    made = _client("ollama/qwen3", OLLAMA_HOST=value)
    assert (made.api_base, made.api_key) == (address, None)
    assert made.start_hint == "ollama serve"
    keyed = _client("ollama/qwen3", OLLAMA_HOST=value, OLLAMA_API_KEY=KEY)
    assert keyed.api_key is not None


@pytest.mark.parametrize("wrong", ["ftp://x", "host:port", "http://", "[::1", "user:pw@host"])
def test_what_is_no_address_is_one_line(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address to reach a model at") as caught:
        _client("ollama/qwen3", OLLAMA_HOST=wrong)
    assert "pw" not in str(caught.value)


def test_a_local_preset_completes_the_path_and_other_providers_nothing() -> None:
    made = _client("lm-studio/m", LM_STUDIO_API_BASE="desk.example")
    assert made.api_base == "http://desk.example:1234/v1"
    assert made.hosts == {"desk.example"}
    with pytest.raises(ConfigurationError, match="no address"):
        _client("openai/m", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="desk.example")


@pytest.mark.parametrize(
    "variable", ["CLOUDLLM_PROVIDERS__LM_STUDIO__API_KEY", "LM_API_TOKEN", "LM_STUDIO_API_KEY"]
)
def test_a_dash_in_a_providers_name_is_an_underscore_in_its_variables(variable: str) -> None:
    key = _client("lm-studio/m", **{variable: KEY}).api_key
    assert key is not None
    assert key.get_secret_value() == KEY


def test_openai_is_told_who_pays_but_nobody_else_is() -> None:
    environ = {"OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "proj-1"}
    sent = {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-1"}
    assert _client("openai/m", **environ).params == {"extra_headers": sent}
    toml = '[providers.openai]\nproject = "proj-2"\n'
    only = _client("openai/m", toml, OPENAI_API_KEY=KEY)
    assert only.params == {"extra_headers": {"OpenAI-Project": "proj-2"}}
    work = '[providers.work]\nextends = "openai"\napi_base = "https://work.example/v1"\n'
    assert _client("work/m", work, **environ).params == {}


def test_azure_finds_the_deployment_of_a_model() -> None:
    toml = '[providers.azure.deployments]\n"gpt-6-luna" = "chat-eu"\n'
    environ = {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": f"{AZURE}/"}
    made = _client("azure/gpt-6-luna", toml, **environ, AZURE_API_VERSION="2030-01-01")
    assert (made.model, made.route, made.api_base) == ("chat-eu", "azure", AZURE)
    assert made.info is not None
    assert made.info.name == "gpt-6-luna"
    assert made.params == {"api_version": "2030-01-01"}
    assert made.hosts == {"team.openai.azure.com"}
    assert _client("azure/other", toml, **environ).model == "other"


def test_azures_newer_address_is_that_of_openais_format() -> None:
    environ = {"AZURE_API_KEY": KEY, "AZURE_API_BASE": f"{AZURE}/openai/v1/"}
    made = _client("azure/gpt-6-luna", **environ)
    assert (made.route, made.params) == ("openai", {})
    assert made.api_base == f"{AZURE}/openai/v1"


def test_azure_without_an_address_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="Set AZURE_OPENAI_ENDPOINT to https://"):
        _client("azure", AZURE_API_KEY=KEY)


def test_bedrock_answers_in_its_region_with_a_key_or_without() -> None:
    made = _client("bedrock", AWS_REGION="eu-west-1", AWS_PROFILE="team")
    assert made.api_base == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert made.hosts == {"bedrock-runtime.eu-west-1.amazonaws.com"}
    assert made.own_credentials
    assert made.params == {"aws_region_name": "eu-west-1", "aws_profile_name": "team"}
    keyed = _client("bedrock", AWS_DEFAULT_REGION="cn-north-1", AWS_BEARER_TOKEN_BEDROCK=KEY)
    assert not keyed.own_credentials
    assert keyed.api_base == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    here = _client(
        "bedrock/m", AWS_REGION="us-east-1", AWS_ENDPOINT_URL_BEDROCK_RUNTIME="http://h:1"
    )
    assert (here.api_base, here.hosts) == ("http://h:1", frozenset({"h"}))


@pytest.mark.parametrize("region", ["evil.example/#", "us east", "Ü", "us-east-1\n.evil"])
def test_G7_a_region_cannot_lead_to_another_host(region: str) -> None:
    with pytest.raises(ConfigurationError, match="bedrock needs a region, not 'x") as caught:
        _client("bedrock/m", AWS_REGION=f"x{region}")
    assert "\n" not in str(caught.value)


def test_bedrock_without_a_region_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match=r"needs a region, not ''\. Set AWS_REGION"):
        _client("bedrock/m")


def test_a_variable_comes_before_the_file_and_after_our_own() -> None:
    toml = '[providers.bedrock]\nregion = "file-1"\n'
    assert _client("bedrock/m", toml).params["aws_region_name"] == "file-1"
    environ = {"AWS_REGION": "variable-1"}
    assert _client("bedrock/m", toml, **environ).params["aws_region_name"] == "variable-1"
    environ["CLOUDLLM_PROVIDERS__BEDROCK__REGION"] = "ours-1"
    assert _client("bedrock/m", toml, **environ).params["aws_region_name"] == "ours-1"


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ],
)
def test_vertex_answers_in_its_location(location: str, host: str) -> None:
    vertex = Plugins().provider("vertex")
    assert vertex.settings_model is not None
    options = vertex.settings_model(project="team", location=location)
    made = vertex.client("m", ProviderSettings(options=options))
    assert (made.api_base, made.hosts) == (f"https://{host}", frozenset({host}))
    assert made.own_credentials
    assert made.params == {"vertex_location": location, "vertex_project": "team"}
    elsewhere = ProviderSettings(options=options, api_base="http://127.0.0.1:1")
    assert vertex.client("m", elsewhere).hosts == {"127.0.0.1"}


def test_G7_a_location_cannot_lead_to_another_host() -> None:
    vertex = Plugins().provider("vertex")
    assert vertex.settings_model is not None
    options = vertex.settings_model(location="evil.example/#")
    with pytest.raises(ConfigurationError, match="has no location"):
        vertex.client("m", ProviderSettings(options=options))


def test_vertex_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)  # as if it were not there
    with pytest.raises(ConfigurationError) as caught:
        _client("vertex")
    assert str(caught.value) == (
        "vertex needs google.auth, which is not installed. "
        'Install it: pip install "cloudllm[vertex]"'
    )


@pytest.mark.parametrize("base", ["bedrock", "vertex"])
def test_G7_credentials_of_this_machine_go_to_no_address_of_an_endpoint(base: str) -> None:
    endpoint = f'[providers.evil]\nextends = "{base}"\napi_base = "https://evil.example"\n'
    endpoint += 'region = "us-east-1"\n' if base == "bedrock" else ""
    with pytest.raises(MissingKey, match="No key for evil"):
        _client("evil/m", endpoint)
    assert not _registry(endpoint).access("evil").ready
    made = _client("evil/m", endpoint + 'api_key_env = "EVIL_KEY"\n', EVIL_KEY=KEY)
    assert made.api_key is not None
    assert not made.own_credentials


def test_a_key_named_by_an_endpoint_is_that_of_what_extends_it() -> None:
    toml = (
        '[providers.a]\nextends = "openai"\napi_base = "https://a.example/v1"\n'
        'api_key_env = "A_KEY"\n[providers.b]\nextends = "a"\n'
    )
    made = _client("b/m", toml, A_KEY=KEY)
    assert made.api_key is not None
    assert made.api_key.get_secret_value() == KEY
    with pytest.raises(MissingKey, match="A_KEY is not set"):
        _client("b/m", toml)
    own = toml + 'api_base = "http://b.example/v1"\n'
    assert _client("b/m", own, A_KEY=KEY).api_key is None


def test_a_password_in_the_address_does_not_take_the_keys_place() -> None:
    with pytest.raises(ConfigurationError, match="in place of the key") as caught:
        _client("openai", OPENAI_BASE_URL="https://me:secret@h.example/v1", OPENAI_API_KEY=KEY)
    assert "secret" not in str(caught.value)


def test_a_provider_without_address_and_hosts_is_refused() -> None:
    registry = _registry(OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    acme = Provider(name="acme", label="Acme", litellm_route="openai", key_optional=True)
    registry.plugins.provider = lambda name: acme  # type: ignore[method-assign]
    registry.plugins.providers["acme"] = []
    with pytest.raises(ConfigurationError, match="acme declares neither api_base nor hosts"):
        registry.client("acme/m")


@pytest.mark.parametrize(
    "model",
    ["ollama/m", "lm-studio/m", "llama-cpp/m", "vllm/m", "echo/echo", "mine/m", "box/m"],
)
def test_G10_what_runs_on_this_machine_is_free(model: str) -> None:
    toml = (
        '[providers.mine]\nextends = "ollama"\n'
        '[providers.box]\nextends = "vllm"\napi_base = "http://localhost:9000/v1"\n'
    )
    assert _client(model, toml).free


@pytest.mark.parametrize(
    ("model", "environ"),
    [
        ("ollama/m", {"OLLAMA_HOST": "192.168.1.5"}),
        ("ollama/gpt-oss:120b-cloud", {}),
        ("ollama/minimax-m2:cloud", {}),
        ("vllm/m", {"HOSTED_VLLM_API_BASE": "https://gpu.example/v1"}),
        ("far/m", {}),
        ("litellm-proxy/m", {}),
        ("openai/gpt-6-luna", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}),
    ],
)
def test_G10_what_may_cost_something_is_not_free(model: str, environ: dict[str, str]) -> None:
    toml = '[providers.far]\nextends = "vllm"\napi_base = "https://gpu.example/v1"\n'
    assert not _client(model, toml, **environ).free


def test_localhost_is_this_machine_too() -> None:
    assert _client("ollama/m", OLLAMA_HOST="localhost:11434").free
