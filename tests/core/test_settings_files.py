"""Line numbers in TOML, `--env-file`, and changing `config.toml` in place."""

from __future__ import annotations

import os
import stat
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudllm.errors import ConfigurationError
from cloudllm.settings import Settings, read_env_file, set_value
from cloudllm.settings.layers import flattened
from cloudllm.settings.positions import line_numbers
from cloudllm.settings.text import MASK, dotted, masked, quoted, toml_value

NAMES = st.sampled_from(["a", "b-c", "d_e", "1", "f.g", "h i", "ü", 'q"q'])
SCALARS = (
    st.text(max_size=8, alphabet=st.characters(exclude_categories=["Cs"]))
    | st.integers(-9, 9)
    | st.booleans()
    | st.floats(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


@given(VALUES)
def test_what_is_shown_is_toml_on_one_line(value: object) -> None:
    line = f"x = {toml_value(value)}"
    assert line.isprintable()
    assert tomllib.loads(line) == {"x": value}


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_dotted_key_is_read_back_the_same(parts: list[str]) -> None:
    data = tomllib.loads(f"{dotted(tuple(parts))} = 1")
    assert [(tuple(parts), 1)] == list(flattened((), data))


# Each a way to write one value over one or more lines.
SPELLINGS = st.sampled_from(
    [
        '"plain"', "'[x]'", "3", "1.5", "true", '"""\n[a]\nb = 1\n"""', "'''\n[a]\n'''", '"\\"#"',
        "[1, 2]", "[\n  1, # [a]\n  2,\n]", '[["a"], {x = 1, "y.z" = {}}]', "{}", '""""q""""',
        "1979-05-27T07:32:00Z", "{x = [{y = 1}, {z = 2}], w = 3}", '""',
    ]
)  # fmt: skip


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(NAMES, min_size=1, max_size=3), SPELLINGS), max_size=8
    )
)
def test_every_key_is_found_on_its_line(statements: list[tuple[bool, list[str], str]]) -> None:
    text, expected = "", {}
    table: tuple[str, ...] = ()
    for is_table, parts, value in statements:
        text += "\n# [not] = a table\n"
        line = text.count("\n") + 1
        if is_table:
            table = tuple(parts)
            text += f"[ {dotted(table)} ] # comment\n"
            expected[table] = line
        else:
            expected[(*table, *parts)] = line
            text += f"{dotted(tuple(parts))}\t= {value}\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        assume(False)
    found = line_numbers(text)
    # A key whose table was opened by an earlier line is first seen there.
    assert {key: found[key] for key in expected} == {
        key: min(at for other, at in expected.items() if other[: len(key)] == key)
        for key in expected
    }


def test_keys_inside_inline_tables_are_found() -> None:
    text = "a = {b = 1, c = {d = [{e = 1}]}}\n[[list]]\nf = 1\n"
    found = line_numbers(text)
    assert found["a", "c", "d"] == 1
    assert found["list", "f"] == 3


def test_an_env_file_is_read_without_touching_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "my.env"
    file.write_text(
        "# comment\n\nexport OPENAI_API_KEY='a b'\nA=1 # x\nB=\"x\\ny\"\nC=${HOME}\nD=\r\nE=é\n",
        encoding="utf-8-sig",
    )
    before = dict(os.environ)
    assert read_env_file(file) == {
        "OPENAI_API_KEY": "a b", "A": "1", "B": "x\ny", "C": "${HOME}", "D": "", "E": "é",
    }  # fmt: skip
    assert dict(os.environ) == before


def test_G7_a_broken_line_of_an_env_file_is_told_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "my.env"
    file.write_text("A=1\n\nsk-secret\nB='open\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_env_file(file)
    assert str(caught.value) == f"{file}:3: expected KEY=VALUE\n{file}:4: expected KEY=VALUE"


def test_an_env_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.env: no such file$"):
        read_env_file(tmp_path / "none.env")


@pytest.mark.parametrize(
    ("key", "text", "line"),
    [
        ("model", "a/b", 'model = "a/b"'),
        ("temperature", "0.5", "temperature = 0.5"),
        ("temperature", "None", 'temperature = "none"'),
        ("timeout.first_token", "20", "first_token = 20.0"),
        ("plugins.deny", "a, b", 'deny = ["a", "b"]'),
        ("plugins.allow", "ALL", 'allow = "all"'),
        ("repl.markdown", "no", "markdown = false"),
        ("repl.sentinel", "\\end", 'sentinel = "\\\\end"'),
        ("max_output_tokens", "100", "max_output_tokens = 100"),
        ("providers.work.label", "3", 'label = "3"'),
        ("providers.work.retries", "3", "retries = 3"),
        ("providers.work.region", "eu west", 'region = "eu west"'),
        ('providers."a.b".extends', "openai", 'extends = "openai"'),
    ],
)
def test_a_new_value_is_written_as_its_type(home: Path, key: str, text: str, line: str) -> None:
    file = home / "config.toml"
    set_value(file, key, text)
    assert line in file.read_text(encoding="utf-8").splitlines()
    assert Settings.load().origin(key).startswith(f"{file}:")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [each.name for each in home.iterdir()] == ["config.toml"]


def test_comments_and_order_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        "# mine\n[timeout] # waits\ngap = 1 # short\n\n[providers.work]\nextends = 'openai'\n",
        encoding="utf-8",
    )
    set_value(file, "timeout.gap", "2")
    set_value(file, "model", "a/b")
    set_value(file, "providers.other.extends", "openai")
    text = file.read_text(encoding="utf-8")
    for kept in ("# mine", "[timeout] # waits", "gap = 2.0 # short", "extends = 'openai'"):
        assert kept in text
    settings = Settings.load(environ={}, config_file=file)
    assert (settings.model, settings.timeout.gap) == ("a/b", 2)
    assert set(settings.providers) == {"work", "other"}


@given(
    st.lists(
        st.sampled_from(
            [
                ("model", "a/b"), ("timeout.gap", "3"), ("timeout.total", "none"),
                ("repl.submit", "enter"), ("providers.a.label", "x"), ("providers.b.y.z", "1"),
                ("plugins.deny", "p"), ("temperature", "0.5"),
            ]
        )
    ),
    st.sampled_from(
        [
            "", "# c", "timeout.gap = 1\n[repl]\n", "timeout = {gap = 1}\n", "[providers]\n",
            "[providers.a]\n[repl]\n[providers.b.y]\n", "providers.a = {}\nproviders.b.c = 1\n",
            'model = "x"\n\n[plugins]\n\n\n[timeout]',
        ]
    ),
)  # fmt: skip
def test_what_is_set_is_there_whatever_the_file_looks_like(
    changes: list[tuple[str, str]], text: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.toml")
        file.write_text(text, encoding="utf-8")
        before = dict(Settings.load(environ={}, config_file=file).items())
        for key, value in changes:
            set_value(file, key, value)
        after = Settings.load(environ={}, config_file=file)
    for key, value in changes:
        assert str(dict(after.items())[key]).removesuffix(".0") in (value, f"['{value}']")
    for key in before.keys() - dict(changes):
        assert dict(after.items()).get(key, {}) == before[key] or before[key] == {}


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("modle", "a/b", "modle: unknown setting; did you mean model?"),
        ("timeout", "3", "timeout: is a table; name one of its keys"),
        ("", "3", ": unknown setting"),
        ("model = 1 #", "3", "model = 1 #: unknown setting"),
        ("model\n", "3", '"model\\n": unknown setting; did you mean model?'),
        ("providers.work", "3", "providers.work: expected providers.NAME.KEY"),
        ("temperature", "warm", 'temperature: expected a number from 0 up, or "none"'),
        (
            "providers.my-ai.api_key",
            "sk-1",
            (
                "providers.my-ai.api_key: other users can read the command line. Set "
                "CLOUDLLM_PROVIDERS__MY_AI__API_KEY, or put the name of the variable that holds the "
                "key into providers.my-ai.api_key_env"
            ),
        ),
        (
            "providers.work.api_key_env",
            "sk-1",
            "FILE:2: providers.work.api_key_env: expected the name of a variable, in capitals",
        ),
    ],
)
def test_a_wrong_change_is_refused_and_nothing_is_written(
    tmp_path: Path, key: str, text: str, problem: str
) -> None:
    file = tmp_path / "new" / "config.toml"
    with pytest.raises(ConfigurationError) as caught:
        set_value(file, key, text)
    assert str(caught.value).replace(str(file), "FILE") == problem
    assert not file.parent.exists()


def test_a_change_mends_its_own_key_but_no_other_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('temperature = "warm"\n', encoding="utf-8")
    set_value(file, "temperature", "1")
    assert file.read_text(encoding="utf-8") == "temperature = 1.0\n"
    for broken in ("modle = 1\n", "model =\n"):
        file.write_text(broken, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=r"config\.toml:1: "):
            set_value(file, "temperature", "1")
        assert file.read_text(encoding="utf-8") == broken


def test_a_value_is_not_turned_into_a_table(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("providers.a.b = 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        set_value(file, "providers.a.b.c", "1")
    assert str(caught.value) == "providers.a.b.c: providers.a.b is no table"


def test_a_change_that_cannot_be_proved_right_is_left_to_the_user(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    # A number that is not equal to itself makes the proof fail.
    file.write_text("providers.a.b = nan\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        set_value(file, "model", "a/b")
    assert str(caught.value) == f'{file}: add this line yourself: model = "a/b"'


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.touch()
    link.symlink_to(real)
    set_value(link, "model", "a/b")
    assert link.is_symlink()
    assert real.read_text(encoding="utf-8") == 'model = "a/b"\n'


def test_a_change_that_cannot_be_written_leaves_the_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('model = "a/b"\n', encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError) as caught:
        set_value(file, "model", "c/d")
    assert str(caught.value) == f"{file}: cannot be written: no space left on device"
    assert file.read_text(encoding="utf-8") == 'model = "a/b"\n'
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be read: not a directory"):
        set_value(tmp_path / "file" / "config.toml", "model", "a/b")
    with pytest.raises(ConfigurationError, match="cannot be written: "):
        set_value(Path("/proc/none/config.toml"), "model", "a/b")


def test_quoting_escapes_what_a_terminal_would_obey() -> None:
    assert quoted('a"\\\n\t\r\x1b\x9b\U000e0001') == '"a\\"\\\\\\n\\t\\r\\u001b\\u009b\\U000e0001"'


@given(VALUES)
def test_G7_masking_hides_what_a_secret_key_holds(value: object) -> None:
    assert masked(("providers", "a", "api_key"), value) == MASK
    assert masked(("providers", "a", "x"), {"client_secret": value}) == {"client_secret": MASK}
    assert masked(("providers", "a", "api_key_env"), "NAME") == "NAME"
