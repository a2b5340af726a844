"""Where a key is found, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from cloudllm import keys
from cloudllm.errors import ConfigurationError
from cloudllm.provider import Provider

OPENAI = Provider(
    name="openai",
    label="OpenAI",
    key_env=("OPENAI_API_KEY", "OPEN_AI_SECRET"),
    key_url="https://openai.example/keys",
)
BARE = Provider(name="my-ai", label="My AI")
SECRET = "sk-THIS-MUST-NOT-BE-SHOWN"


def find(
    table: Mapping[str, object], environ: Mapping[str, str], where: str = "c.toml:3"
) -> tuple[str, str] | None:
    found = keys.find_key(OPENAI, table, environ=environ, origin_of=lambda _: where)
    return (found.secret.get_secret_value(), found.origin) if found else None


BLANK = ("", " ", "\n")
OURS = "CLOUDLLM_PROVIDERS__OPENAI__API_KEY"
FILE = "c.toml:3"
VARIABLES = {
    "OPENAI_API_KEY": ("k3", "k3\n", *BLANK),
    "OPEN_AI_SECRET": ("k4", *BLANK),
    "WORK_KEY": ("k2", " k2 ", *BLANK),
}


@given(
    environ=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(texts) for name, texts in VARIABLES.items()}
    ),
    setting=st.sampled_from([None, "k1", *BLANK]),
    where=st.sampled_from([OURS, FILE]),
    named=st.booleans(),
)
def test_the_first_place_with_a_key_wins(
    environ: dict[str, str], setting: str | None, where: str, *, named: bool
) -> None:
    table: dict[str, object] = {"api_key_env": "WORK_KEY"} if named else {}
    if setting is not None:
        table["api_key"] = SecretStr(setting)
    variables = ["WORK_KEY"] if named else ["OPENAI_API_KEY", "OPEN_AI_SECRET"]
    places = [(environ.get(name, ""), name) for name in variables]
    if where == OURS:
        places.insert(0, (setting or "", OURS))
    else:
        places.append((setting or "", f"{FILE} providers.openai.api_key"))
    expected = next(((text.strip(), place) for text, place in places if text.strip()), None)
    assert find(table, environ, where) == expected


@pytest.mark.parametrize(
    ("where", "origin"),
    [
        ("/a b/config.toml:12", "/a b/config.toml:12 providers.openai.api_key"),
        ("CLOUDLLM_PROVIDERS__OPENAI__API_KEY", "CLOUDLLM_PROVIDERS__OPENAI__API_KEY"),
    ],
)
def test_the_origin_names_the_variable_or_the_line_and_the_setting(where: str, origin: str) -> None:
    assert find({"api_key": SecretStr("k")}, {}, where) == ("k", origin)


@pytest.mark.parametrize("bad", ["sk 1", "sk-é", "sk\n1", "sk\x001", "“sk”", "sk\u200b"])
def test_G7_what_cannot_be_a_key_is_refused_by_its_place_alone(bad: str) -> None:
    text = f"{SECRET}{bad}{SECRET}"
    with pytest.raises(ConfigurationError) as caught:
        find({}, {"OPENAI_API_KEY": text})
    assert str(caught.value).startswith("OPENAI_API_KEY: this is no key: ")
    assert SECRET not in repr(caught.value)
    with pytest.raises(ConfigurationError, match=r"^c\.toml:3 providers\.openai\.api_key: "):
        find({"api_key": SecretStr(text)}, {})


def test_a_key_given_by_a_program_is_checked_too() -> None:
    found = keys.given_key(" k\n")
    assert (found.secret.get_secret_value(), found.origin) == ("k", "argument")
    with pytest.raises(ConfigurationError, match=r"^argument: this is no key"):
        keys.given_key(" ")


def test_G7_a_found_key_does_not_show_itself() -> None:
    assert SECRET not in f"{keys.given_key(SECRET)!r}{keys.given_key(SECRET)}"


def test_only_a_line_of_a_file_is_a_file_origin() -> None:
    assert keys.is_file_origin("/a/config.toml:3")
    for other in ("CLOUDLLM_MODEL", "--model", "-o a.b", "default", "argument"):
        assert not keys.is_file_origin(other)


@pytest.mark.parametrize(
    ("environ", "notices"),
    [
        ({"OPENAI_API_KEY": "a", "OPEN_AI_SECRET": "b"}, True),
        ({"OPENAI_API_KEY": "a", "OPEN_AI_SECRET": " a "}, False),
        ({"OPENAI_API_KEY": " ", "OPEN_AI_SECRET": "b"}, False),
        ({"OPENAI_API_KEY": "a"}, False),
        ({}, False),
    ],
)
def test_different_keys_in_a_providers_variables_are_noticed(
    environ: dict[str, str], notices: bool
) -> None:
    line = "OPENAI_API_KEY and OPEN_AI_SECRET hold different keys; OPENAI_API_KEY is used"
    assert keys.key_notices(OPENAI, {}, environ) == ([line] if notices else [])


def test_a_key_named_in_the_settings_settles_it_without_a_notice() -> None:
    environ = {"OPENAI_API_KEY": "a", "OPEN_AI_SECRET": "b", "WORK": "c"}
    assert keys.key_notices(OPENAI, {"api_key": SecretStr("x")}, environ) == []
    assert keys.key_notices(OPENAI, {"api_key_env": "WORK"}, environ) == []
    assert keys.key_notices(OPENAI, {}, environ) != []


TRY = "or try without a key: cloudllm -m a/b or cloudllm -m c/d"
PLACE = "Set it (get a key at https://openai.example/keys)"


@pytest.mark.parametrize(
    ("provider", "table", "environ", "line"),
    [
        (OPENAI, {}, {}, f"No key for OpenAI: OPENAI_API_KEY is not set. {PLACE}, {TRY}"),
        (
            OPENAI,
            {},
            {"OPENAI_API_KEY": " "},
            f"No key for OpenAI: OPENAI_API_KEY is set but empty. {PLACE}, {TRY}",
        ),
        (
            OPENAI,
            {"api_key_env": "WORK_KEY"},
            {},
            f"No key for OpenAI: WORK_KEY is not set. {PLACE}, {TRY}",
        ),
        (
            BARE,
            {},
            {},
            f"No key for My AI: CLOUDLLM_PROVIDERS__MY_AI__API_KEY is not set. Set it, {TRY}",
        ),
        (
            BARE,
            {},
            {"CLOUDLLM_PROVIDERS__MY_AI__API_KEY": ""},
            f"No key for My AI: CLOUDLLM_PROVIDERS__MY_AI__API_KEY is set but empty. Set it, {TRY}",
        ),
    ],
)
def test_a_missing_key_is_one_line_with_variable_place_and_way_out(
    provider: Provider, table: dict[str, object], environ: dict[str, str], line: str
) -> None:
    error = keys.missing_key(provider, table, environ=environ, without_key=["a/b", "c/d"])
    assert str(error) == line
    assert error.exit_code == 3


def test_without_a_model_to_try_none_is_offered() -> None:
    line = f"No key for OpenAI: OPENAI_API_KEY is not set. {PLACE}"
    assert str(keys.missing_key(OPENAI, {}, environ={})) == line


def test_a_withheld_variable_is_passed_over_and_named_only_if_it_is_set() -> None:
    withheld = {"OPENAI_API_KEY": "openai"}
    environ = {"OPENAI_API_KEY": "k1", "OPEN_AI_SECRET": "k2"}
    found = keys.find_key(OPENAI, {}, environ=environ, origin_of=lambda _: FILE, withheld=withheld)
    assert found is not None
    assert found.origin == "OPEN_AI_SECRET"
    assert keys.key_notices(OPENAI, {}, environ, withheld) == []
    unset = keys.missing_key(OPENAI, {}, environ={}, withheld=withheld)
    assert str(unset) == f"No key for OpenAI: OPEN_AI_SECRET is not set. {PLACE}"
    other = keys.missing_key(OPENAI, {}, environ={"OPENAI_API_KEY": "k"}, withheld=withheld)
    assert str(other) == (
        "No key for OpenAI: OPEN_AI_SECRET is not set, and OPENAI_API_KEY is the key of openai. "
        f'{PLACE}, or let openai have the other one: api_key_env = "OPENAI_API_KEY" in '
        "[providers.openai]"
    )
