"""Aliases: a person's own names for models, from every source, and where each may stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cloudllm.cli.config import config
from cloudllm.errors import ConfigurationError, UnknownProvider
from cloudllm.registry import Registry
from cloudllm.settings import Settings, set_value

ALIASES = '[aliases]\nfast = "openai/gpt-6-luna"\nmy-own = "echo"\nbare = "gpt-6-luna"\n'


def _registry(toml: str, tmp_path: Path, **environ: str) -> Registry:
    file = tmp_path / "config.toml"
    file.write_text(toml)
    settings = Settings.load(environ=environ, config_file=file)
    return Registry(settings, environ=environ)


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("fast", ("openai", "gpt-6-luna")),
        (" fast ", ("openai", "gpt-6-luna")),
        ("my-own", ("echo", "")),
        ("bare", ("openai", "gpt-6-luna")),
        ("fast/x", ("fast", "x")),
        ("echo", ("echo", "")),
        ("another-model", ("openai", "another-model")),
    ],
)
def test_a_bare_name_is_an_alias_then_a_provider_then_a_model(
    name: str, means: tuple[str, str], tmp_path: Path
) -> None:
    assert _registry(ALIASES, tmp_path).split(name) == means


def test_an_alias_may_be_the_model_and_so_name_the_default_provider(tmp_path: Path) -> None:
    registry = _registry('model = "fast"\n[aliases]\nfast = "echo/echo"\n', tmp_path)
    assert registry.client("fast").id == "echo/echo"
    assert registry.split("large-1") == ("echo", "large-1")


def test_a_mistyped_alias_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(UnknownProvider, match=r"'fats' is no provider.* Did you mean fast\?"):
        _registry(ALIASES, tmp_path).split("fats")


def test_an_alias_stands_above_a_plugin_that_is_installed_later(
    install: object, tmp_path: Path
) -> None:
    assert callable(install)
    install("fast", None)
    registry = _registry(ALIASES, tmp_path)
    assert "fast" in registry.names()
    assert registry.split("fast") == ("openai", "gpt-6-luna")
    assert registry.split("fast/x") == ("fast", "x")


def test_every_source_can_set_one_and_the_highest_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(ALIASES)
    environ = {"CLOUDLLM_ALIASES__FAST": "echo/echo", "CLOUDLLM_ALIASES__MY_OWN": "local/smollm2"}
    settings = Settings.load(
        flags={"aliases.gpt-4.1": "openai/gpt-4.1"}, environ=environ, config_file=file
    )
    assert settings.aliases == {
        "fast": "echo/echo",
        "my-own": "local/smollm2",
        "bare": "gpt-6-luna",
        "gpt-4.1": "openai/gpt-4.1",
    }
    assert settings.origin("aliases.fast") == "CLOUDLLM_ALIASES__FAST"
    assert settings.origin("aliases.bare") == f"{file}:4"
    assert dict(settings.items())["aliases.fast"] == "echo/echo"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('"a b" = "openai/x"', 'aliases."a b": expected a name without blanks and slashes'),
        ('"a/b" = "openai/x"', 'aliases."a/b": expected a name without blanks and slashes'),
        ('"" = "openai/x"', 'aliases."": expected a name without blanks and slashes'),
        ('openai = "echo/x"', "aliases.openai: 'openai' is a provider; choose another name"),
        ('work = "echo/x"', "aliases.work: 'work' is a provider; choose another name"),
        ('a = "/x"', "aliases.a: name a model, as in openai/gpt-6-luna"),
        ('a = "a"', "aliases.a: 'a' is an alias too; name a model"),
        ("a = 1", "aliases.a: expected a model id such as openai/gpt-6-luna"),
        ('a = " "', "aliases.a: expected a model id such as openai/gpt-6-luna"),
        ("a = { b = 1 }", "aliases.a: expected a model id such as openai/gpt-6-luna"),
    ],
)
def test_a_wrong_alias_is_one_line_with_file_and_line(line: str, what: str, tmp_path: Path) -> None:
    toml = f'[providers.work]\nextends = "openai"\n[aliases]\n{line}\n'
    with pytest.raises(ConfigurationError) as caught:
        _registry(toml, tmp_path)
    assert str(caught.value) == f"{tmp_path / 'config.toml'}:4: {what}"


def test_blanks_around_what_an_alias_means_are_none_of_it(tmp_path: Path) -> None:
    registry = _registry('[aliases]\na = " openai/x "\n', tmp_path)
    assert registry.split("a") == ("openai", "x")


def test_a_chain_of_aliases_is_refused_whatever_source_closes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CLOUDLLM_ALIASES__B: 'fast' is an alias too"):
        _registry(ALIASES, tmp_path, CLOUDLLM_ALIASES__B="fast")


def test_the_table_itself_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r":1: aliases: expected a table"):
        _registry('aliases = "x"\n', tmp_path)


def test_config_set_writes_an_alias_and_refuses_a_wrong_one(home: Path) -> None:
    file = home / "config.toml"
    set_value(file, "aliases.fast", "openai/gpt-6-luna")
    set_value(file, 'aliases."gpt-4.1"', "openai/gpt-4.1")
    before = file.read_text()
    assert Settings.load().aliases == {"fast": "openai/gpt-6-luna", "gpt-4.1": "openai/gpt-4.1"}
    for key, value in (("aliases.openai", "x"), ("aliases.b", "fast"), ("aliases", "x")):
        with pytest.raises(ConfigurationError, match=r"aliases"):
            set_value(file, key, value)
    assert file.read_text() == before
    shown = CliRunner().invoke(config, ["get", "aliases.fast"])
    assert shown.stdout == "openai/gpt-6-luna\n"
