"""What is read before the first key agrees with the settings model, and never raises."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import paths
from cloudllm.errors import ConfigurationError
from cloudllm.repl import early_settings
from cloudllm.repl.early_settings import EarlySettings
from cloudllm.settings import Settings
from cloudllm.settings.text import toml_value

SENTINELS = st.sampled_from(["\\end", ".", "EOF", "a b", "ü", "none"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4
)
VALUES = {
    "submit": st.sampled_from(["sentinel", "enter", "", "Enter", " enter", "none"]),
    "sentinel": SENTINELS,
    "editing_mode": st.sampled_from(["emacs", "vi", "", "vim"]),
}
CHOICES = st.fixed_dictionaries({}, optional=VALUES)
FILE_CHOICES = st.fixed_dictionaries(
    {}, optional={name: values | st.integers() | st.booleans() for name, values in VALUES.items()}
)


def _both(environ: dict[str, str], text: str) -> tuple[EarlySettings, Settings | None]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.toml")
        file.write_text(text, encoding="utf-8")
        try:
            settings = Settings.load(environ=environ, config_file=file)
        except ConfigurationError:
            settings = None
        return early_settings.read(environ, file), settings


@given(
    variables=CHOICES, table=FILE_CHOICES, spelling=st.sampled_from(["table", "dotted", "inline"])
)
def test_G13_early_settings_agree_with_the_settings_model(
    variables: dict[str, str], table: dict[str, object], spelling: str
) -> None:
    environ = {f"CLOUDLLM_REPL__{name.upper()}": value for name, value in variables.items()}
    lines = [f"{name} = {toml_value(value)}" for name, value in table.items()]
    text = {
        "table": "[repl]\n" + "\n".join(lines),
        "dotted": "\n".join(f"repl.{line}" for line in lines),
        "inline": f"repl = {{{', '.join(lines)}}}",
    }[spelling]
    early, settings = _both(environ, text)
    if settings is not None:
        assert early == (
            settings.repl.submit,
            settings.repl.sentinel,
            settings.repl.editing_mode,
        )


@given(variables=CHOICES, table=FILE_CHOICES)
def test_a_wrong_value_gives_the_default_of_that_key_alone(
    variables: dict[str, str], table: dict[str, object]
) -> None:
    environ = {f"CLOUDLLM_REPL__{name.upper()}": value for name, value in variables.items()}
    lines = [f"{name} = {toml_value(value)}\n" for name, value in table.items()]
    early, _ = _both(environ, "[repl]\n" + "".join(lines))
    Settings.load(
        environ={}, flags={f"repl.{name}": value for name, value in early._asdict().items()}
    )


@pytest.mark.parametrize(
    "data",
    [
        b"=",
        b"\xff",
        b"repl = 3",
        b"[repl]\nsubmit = [1]",
        b"a = " + b"[" * 20_000,
        b"a = " + b"9" * 5000,
    ],
)
def test_a_broken_file_gives_the_defaults(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(data)
    assert early_settings.read({}, file) == EarlySettings()


@pytest.mark.parametrize("path", ["", "a\0b", "."])
def test_a_path_that_is_no_file_gives_the_defaults(path: str) -> None:
    assert early_settings.read({}, path or "/none/config.toml") == EarlySettings()


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b'\xef\xbb\xbf[repl]\r\nsubmit = "enter"\r\n')
    assert early_settings.read({}, file).submit == "enter"
    assert Settings.load(environ={}, config_file=file).repl.submit == "enter"


@pytest.mark.parametrize("base", [None, "", "/x/config", "/x/config/", "relative", " "])
@pytest.mark.parametrize(
    "user_home", ["/home/someone", "/home/some one/", "/", "relative", "", None]
)
def test_the_folders_are_where_platformdirs_has_them(
    monkeypatch: pytest.MonkeyPatch, base: str | None, user_home: str | None
) -> None:
    names = [f"XDG_{kind}_HOME" for kind in ("CONFIG", "DATA", "STATE")]
    for name, value in (*((name, base) for name in names), ("HOME", user_home)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("CLOUDLLM_HOME", raising=False)
    folders = platformdirs.PlatformDirs("cloudllm", appauthor=False)
    assert paths.config_file() == Path(folders.user_config_dir, "config.toml")
    assert paths.data_dir() == Path(folders.user_data_dir)
    assert paths.state_dir() == Path(folders.user_state_dir)
    assert Path(paths.history_text()) == Path(folders.user_state_dir, "input-history")


@pytest.mark.parametrize("moved", ["/moved", "~/moved", "moved/"])
def test_one_variable_moves_all_of_them(moved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLLM_HOME", moved)
    folder = Path(moved).expanduser()
    assert paths.data_dir() == paths.state_dir() == paths.config_file().parent == folder
    assert Path(paths.config_text()) == folder / "config.toml"


PROBE = """
import os, sys
before = set(sys.modules)
from cloudllm.repl.early_settings import read
print(read(os.environ))
import json
print(json.dumps(sorted(set(sys.modules) - before - {"json"})))
"""


def test_G1_reading_early_imports_tomllib_and_nothing_else(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('repl.submit = "enter"', encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    early, modules = done.stdout.splitlines()
    assert "submit='enter'" in early
    heavy = {"pydantic", "platformdirs", "pathlib", "tomlkit", "prompt_toolkit", "click"}
    assert not heavy & set(json.loads(modules))
    assert "tomllib" in json.loads(modules)
