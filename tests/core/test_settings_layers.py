"""The order of the sources, and that every value knows its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm.settings import Settings
from cloudllm.settings.layers import option, variable
from cloudllm.settings.model import leaf_fields
from cloudllm.settings.text import dotted, toml_value

# Three values for each key, so that it shows which source won.
VALUES: Mapping[str, tuple[Any, Any, Any]] = {
    "model": ("a/1", "b/2", "c/3"),
    "system_prompt": ("one", "two", "three"),
    "temperature": (0.1, 0.2, 0.3),
    "max_output_tokens": (10, 20, 30),
    "context.limit": (100, 200, 300),
    "context.reserve": (1, 2, 3),
    "timeout.connect": (1.5, 2.5, 3.5),
    "timeout.first_token": (7.0, "auto", "none"),
    "timeout.total": (100.0, "none", 300.0),
    "repl.sentinel": (".", "\\end", "EOF"),
    "repl.markdown": (True, False, True),
    "repl.colors": ({"link": "red"}, {"code": "bold blue"}, {"rule": "dim", "url": "#ff8800"}),
    "plugins.deny": (["a"], ["b", "c"], []),
    "providers.work.api_base": ("https://a", "https://b", "https://c"),
    "providers.work.extends": ("openai", "anthropic", "echo"),
}
SOURCES = ("flag", "variable", "file")


def _as_text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(value) or "[]"
        case dict():
            return ",".join(f"{name}={text}" for name, text in value.items())
        case _:
            return str(value)


def _stored(value: object) -> object:
    return None if value == "none" else value


def _value(settings: Settings, key: str) -> object:
    value: Any = settings
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@given(
    st.dictionaries(
        st.sampled_from(sorted(VALUES)), st.sets(st.sampled_from(SOURCES), min_size=1), max_size=8
    )
)
def test_the_highest_source_wins_and_the_origin_says_so(given_in: dict[str, set[str]]) -> None:
    flags: dict[str, object] = {}
    environ: dict[str, str] = {}
    lines: list[str] = []
    expected: dict[str, tuple[object, str]] = {}
    for key, sources in sorted(given_in.items(), reverse=True):
        from_flag, from_variable, from_file = VALUES[key]
        if "file" in sources:
            lines += ["# a comment", f"{key} = {toml_value(from_file)}"]
            expected[key] = (_stored(from_file), f"FILE:{len(lines)}")
        if "variable" in sources:
            name = variable(tuple(key.split(".")))
            environ[name] = _as_text(from_variable)
            expected[key] = (_stored(from_variable), name)
        if "flag" in sources:
            flags[key] = _as_text(from_flag)
            expected[key] = (_stored(from_flag), option(key))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.toml")
        file.write_text("\n".join(lines), encoding="utf-8")
        settings = Settings.load(flags=flags, environ=environ, config_file=file)
    for key, (value, origin) in expected.items():
        assert _value(settings, key) == value
        assert settings.origin(key) == origin.replace("FILE", str(file))
    for key in set(map(dotted, leaf_fields())) - set(expected):
        assert _value(settings, key) == _value(Settings(), key)
        assert settings.origin(key) == "default"


def test_every_setting_has_its_own_variable() -> None:
    names = [variable(key) for key in leaf_fields()]
    assert len(names) == len(set(names))
    assert variable(("timeout", "first_token")) == "CLOUDLLM_TIMEOUT__FIRST_TOKEN"


def test_the_file_is_found_through_cloudllm_home(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('model = "a/b"', encoding="utf-8")
    assert Settings.load().model == "a/b"
    assert Settings.load(environ={"CLOUDLLM_HOME": str(home)}).model == "a/b"


def test_no_env_file_is_read_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    home.mkdir()
    for folder in (tmp_path, home):
        (folder / ".env").write_text("CLOUDLLM_MODEL=a/b\nMODEL=a/b\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    assert Settings.load() == Settings()
    assert dict(os.environ) == before


def test_a_flag_that_was_not_given_says_nothing() -> None:
    assert Settings.load(flags={"model": None}, environ={}).origin("model") == "default"


def test_an_empty_variable_counts_as_not_set() -> None:
    environ = {"CLOUDLLM_MODEL": "", "CLOUDLLM_PROVIDERS__A__API_KEY": " "}
    settings = Settings.load(environ=environ)
    assert settings == Settings()
    assert settings.providers == {}


def test_variables_that_are_no_settings_are_left_alone() -> None:
    environ = {"CLOUDLLM_HOME": "x", "CLOUDLLMX": "z"}
    assert Settings.load(environ=environ) == Settings()


def test_lists_in_variables_are_written_with_commas_or_as_json() -> None:
    environ = {"CLOUDLLM_PLUGINS__DENY": " a, b ,", "CLOUDLLM_PLUGINS__ALLOW": '["c,d"]'}
    plugins = Settings.load(environ=environ).plugins
    assert (plugins.deny, plugins.allow) == (["a", "b"], ["c,d"])


def test_provider_tables_of_all_sources_are_merged_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[providers.my-ai]\nextends = "openai"\nretries = 2\n[providers.my-ai.headers]\nx = "1"\n',
        encoding="utf-8",
    )
    environ = {
        "CLOUDLLM_PROVIDERS__MY_AI__API_BASE": "https://a",
        "CLOUDLLM_PROVIDERS__MY_AI__HEADERS__Y": "2",
        "CLOUDLLM_PROVIDERS__MY_AI__LIST": '["3"]',
        "CLOUDLLM_PROVIDERS__MY_AI__ODD": "[4",
    }
    flags = {"providers.my-ai.retries": "5"}
    settings = Settings.load(flags=flags, environ=environ, config_file=file)
    assert settings.providers == {
        "my-ai": {
            "extends": "openai",
            "retries": "5",
            "headers": {"x": "1", "y": "2"},
            "api_base": "https://a",
            "list": ["3"],
            "odd": "[4",
        }
    }
    assert settings.origin("providers.my-ai.headers.x") == f"{file}:5"
    assert settings.origin("providers.my-ai.headers.y") == "CLOUDLLM_PROVIDERS__MY_AI__HEADERS__Y"
    assert settings.origin("providers.my-ai.retries") == "-o providers.my-ai.retries"
    assert settings.origin("providers.my-ai.unset") == "default"
    assert settings.origin("providers.my-ai") == "-o providers.my-ai.retries"


def test_an_underscore_in_a_variable_means_what_the_file_has(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    environ = {"CLOUDLLM_PROVIDERS__MY_AI__LABEL": "x"}
    assert set(Settings.load(environ=environ, config_file=file).providers) == {"my_ai"}
    file.write_text("[providers.My-AI]\n[providers.my_ai]\n", encoding="utf-8")
    providers = Settings.load(environ=environ, config_file=file).providers
    assert providers == {"My-AI": {}, "my_ai": {"label": "x"}}


def test_the_origin_of_a_table_is_where_it_begins(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('\n[providers.work]\n\nextends = "openai"\n', encoding="utf-8")
    settings = Settings.load(environ={}, config_file=file)
    assert settings.origin("providers.work") == f"{file}:2"


def test_a_value_in_place_of_a_table_loses_to_a_higher_table(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('providers.work.headers = "x"\n', encoding="utf-8")
    environ = {"CLOUDLLM_PROVIDERS__WORK__HEADERS__A": "1"}
    settings = Settings.load(environ=environ, config_file=file)
    assert settings.providers == {"work": {"headers": {"a": "1"}}}
    file.write_text("[providers.work.headers.a]\nb = 1\n", encoding="utf-8")
    settings = Settings.load(environ=environ, config_file=file)
    assert settings.providers == {"work": {"headers": {"a": "1"}}}
