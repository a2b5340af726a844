"""G7: a third-party provider gets another provider's variables only if the settings say so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from cloudllm.errors import ConfigurationError, MissingKey
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry
from cloudllm.settings import Settings

CANARY = "sk-of-somebody-else"
BASE = "https://elsewhere.example/v1"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with providers on the path, as pip would; `declared` are its fields."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def install(*names: str, distribution: str = "", declared: str = "") -> None:
        distribution = (distribution or f"cloudllm_{names[0]}").replace("-", "_")
        module = f"plugin_{uuid4().hex}"  # modules are cached by name
        folder = site / f"{distribution}-1.2.dist-info"
        folder.mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        (folder / "METADATA").write_text(metadata)
        points = "".join(f"{name} = {module}\n" for name in names)
        (folder / "entry_points.txt").write_text(f"[cloudllm.providers]\n{points}")
        (site / f"{module}.py").write_text(
            "from cloudllm import Provider, hookimpl\n"
            "from pydantic import BaseModel\n"
            "class Own(BaseModel):\n"
            "    token: str = 'none'\n"
            "@hookimpl\n"
            "def cloudllm_providers():\n"
            f"    return [Provider(name=name, label=name.title(), litellm_route='openai',\n"
            f"                     default_model='m', {declared}) for name in {names!r}]\n"
        )

    return install


def _registry(toml: str = "", **environ: str) -> Registry:
    file = Path("config.toml")
    file.write_text(toml)
    return Registry(Settings.load(environ=environ, config_file=file), environ=environ)


def _key(registry: Registry, model: str = "acme/m") -> str | None:
    key = registry.client(model).api_key
    return key.get_secret_value() if key else None


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OPEN_AI_SECRET", "CLAUDE_API_KEY"])
def test_G7_a_bundled_providers_variable_is_not_given_away(install: Install, variable: str) -> None:
    install("acme", declared=f"api_base='{BASE}', key_env=('{variable}',)")
    with pytest.raises(MissingKey) as caught:
        _registry(**{variable: CANARY}).client("acme/m")
    line = str(caught.value)
    assert f'api_key_env = "{variable}" in [providers.acme]' in line
    assert CANARY not in line
    assert "\n" not in line


def test_G7_the_user_may_give_it_away(install: Install) -> None:
    install("acme", declared=f"api_base='{BASE}', key_env=('OPENAI_API_KEY',)")
    toml = '[providers.acme]\napi_key_env = "OPENAI_API_KEY"\n'
    assert _key(_registry(toml, OPENAI_API_KEY=CANARY)) == CANARY
    own = {"CLOUDLLM_PROVIDERS__ACME__API_KEY": "own", "OPENAI_API_KEY": CANARY}
    assert _key(_registry(**own)) == "own"


def test_a_provider_gets_its_own_variables(install: Install) -> None:
    install("acme", declared=f"api_base='{BASE}', key_env=('OPENAI_API_KEY', 'ACME_KEY', 'XY')")
    assert _key(_registry(OPENAI_API_KEY=CANARY, ACME_KEY="own")) == "own"
    assert _key(_registry(XY="nobody's")) == "nobody's"


def test_G7_a_variable_named_after_another_distributions_provider_is_that_ones(
    install: Install,
) -> None:
    install("foo")
    install("foo-bar")
    install("acme", declared=f"api_base='{BASE}', key_env=('FOO_BAR_KEY', 'FOOTBALL_KEY')")
    with pytest.raises(MissingKey, match="FOO_BAR_KEY is the key of foo-bar"):
        _registry(FOO_BAR_KEY=CANARY).client("acme/m")
    assert _key(_registry(FOO_BAR_KEY=CANARY, FOOTBALL_KEY="own")) == "own"


def test_a_provider_that_is_switched_off_keeps_its_variables(install: Install) -> None:
    install("foo")
    install("acme", declared=f"api_base='{BASE}', key_env=['FOO_KEY', 'ACME_KEY']")
    install("acme", distribution="cloudllm_other_acme")
    settings = '[plugins]\ndeny = ["foo", "cloudllm_other_acme"]\n'
    Path("config.toml").write_text(settings)
    environ = {"FOO_KEY": CANARY, "ACME_KEY": "own"}
    loaded = Settings.load(environ=environ, config_file=Path("config.toml"))
    plugins = Plugins(allow=loaded.plugins.allow, deny=loaded.plugins.deny)
    assert _key(Registry(loaded, plugins=plugins, environ=environ)) == "own"


def test_providers_of_one_distribution_share_their_variables(install: Install) -> None:
    install("acme-eu", "acme", declared=f"api_base='{BASE}', key_env=('ACME_API_KEY',)")
    assert _key(_registry(ACME_API_KEY="own"), "acme-eu/m") == "own"


def test_G7_an_endpoint_made_of_such_a_provider_gets_no_more(install: Install) -> None:
    install("acme", declared=f"api_base='{BASE}', key_env=('OPENAI_API_KEY',)")
    toml = '[providers.work]\nextends = "acme"\n'
    with pytest.raises(MissingKey):
        _registry(toml, OPENAI_API_KEY=CANARY).client("work/m")
    mine = '[providers.mine]\nextends = "openai"\n'
    assert _key(_registry(mine, OPENAI_API_KEY="own"), "mine/m") == "own"


def test_addresses_and_settings_of_others_are_withheld_too(install: Install) -> None:
    declared = (
        f"api_base='{BASE}', base_env=('OPENAI_BASE_URL', 'ACME_BASE'), "
        "settings_model=Own, settings_env={'token': ('AWS_BEARER_TOKEN_BEDROCK', 'ACME_TOKEN')}"
    )
    install("acme", declared=declared)
    environ = {"OPENAI_BASE_URL": "https://openai.example", "AWS_BEARER_TOKEN_BEDROCK": CANARY}
    registry = _registry(**environ)
    assert registry.client("acme/m").api_base == BASE
    options = registry._sources._options(registry.provider("acme"), {})
    assert CANARY not in repr(options)
    own = _registry(**environ, ACME_BASE="https://acme.example", ACME_TOKEN="own")
    assert own.client("acme/m").api_base == "https://acme.example"
    assert "own" in repr(own._sources._options(own.provider("acme"), {}))


def test_a_missing_module_is_one_line_with_what_to_install(install: Install) -> None:
    for number, module in enumerate(("no_such_module", "no_such.module", "cloudllm..x")):
        name = f"acme{number}"
        install(name, declared=f"requires={{'{module}': 'cloudllm-acme[all]'}}")
        registry = _registry()
        with pytest.raises(ConfigurationError) as caught:
            registry.client(f"{name}/m")
        assert str(caught.value) == (
            f"{name} needs {module}, which is not installed. "
            'Install it: pip install "cloudllm-acme[all]"'
        )
        with pytest.raises(ConfigurationError):
            registry.check(name)
