"""`keys.toml`: the keys that are kept, below all other sources, for their owner alone."""

from __future__ import annotations

import stat
import sys
import tomllib
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner

from cloudllm import paths
from cloudllm.cli.config import config
from cloudllm.cli.providers import providers
from cloudllm.errors import ConfigurationError
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry
from cloudllm.settings import Settings
from cloudllm.settings.keyfile import key_layer, store_key

SECRET = "sk-THIS-MUST-NOT-BE-SHOWN"
SOURCES = ("CLOUDLLM_PROVIDERS__OPENAI__API_KEY", "OPENAI_API_KEY", "config.toml", "keys.toml")


@pytest.fixture
def path(home: Path) -> Path:
    return home / "keys.toml"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def problem(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load()
    assert SECRET not in repr(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def key(environ: dict[str, str]) -> str:
    made = Registry(Settings.load(environ=environ), environ=environ).client("openai/m")
    assert made.api_key is not None
    return made.api_key.get_secret_value()


@pytest.mark.parametrize(
    "given", [some for count in range(1, 5) for some in combinations(SOURCES, count)], ids=" ".join
)
def test_a_kept_key_is_the_last_source(given: tuple[str, ...], home: Path) -> None:
    home.mkdir()
    environ = {name: f"k-{name}" for name in SOURCES[:2] if name in given}
    environ["CLOUDLLM_HOME"] = str(home)
    if "config.toml" in given:
        (home / "config.toml").write_text('[providers.openai]\napi_key = "k-config.toml"\n')
    if "keys.toml" in given:
        store_key(home / "keys.toml", "openai", "k-keys.toml")
    assert key(environ) == f"k-{next(name for name in SOURCES if name in given)}"


def test_it_is_beside_the_configuration(home: Path, tmp_path: Path) -> None:
    assert paths.keys_file() == home / "keys.toml"
    store_key(tmp_path / "keys.toml", "openai", SECRET)
    settings = Settings.load(environ={}, config_file=tmp_path / "config.toml")
    assert settings.origin("providers.openai.api_key") == f"{tmp_path / 'keys.toml'}:2"


def test_only_the_owner_can_read_what_is_kept(path: Path) -> None:
    store_key(path, "openai", SECRET)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    store_key(path, "acme-1", "k")
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert tomllib.loads(path.read_text()) == {"openai": SECRET, "acme-1": "k"}


def test_what_stands_there_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('# mine\nacme = "k" # of work\nopenai = "old"\n')
    store_key(path, "openai", 'new"')
    assert path.read_text() == '# mine\nacme = "k" # of work\nopenai = "new\\""\n'


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o602, 0o666])
def test_a_file_that_others_can_reach_is_mended_with_one_line(path: Path, bits: int) -> None:
    store_key(path, "openai", SECRET)
    path.chmod(bits)
    line = f"{path}: others could read it; now only you can (mode 600)"
    assert Settings.load().notices == (line,)
    assert mode(path) == 0o600
    assert Settings.load().notices == ()


def test_a_file_that_cannot_be_mended_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    store_key(path, "openai", SECRET)
    path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", denied)
    assert key_layer(path).problems == [f"{path}: others can read it; run: chmod 600 {path}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'openai = "{SECRET}', "FILE:1: is not valid TOML"),
        (f"\n{SECRET}\n", "FILE:2: is not valid TOML"),
        (f'a = "1"\na = "{SECRET}"', "FILE:2: is not valid TOML"),
        (f'[openai]\napi_key = "{SECRET}"', 'FILE:1: expected PROVIDER = "KEY"'),
        ("acme = 3", 'FILE:1: expected PROVIDER = "KEY"'),
        (f'# order\n{SECRET}-{"0" * 20} = "openai"', 'FILE:2: expected PROVIDER = "KEY"'),
    ],
)
def test_G7_a_broken_file_is_one_line_without_what_it_holds(
    path: Path, text: str, line: str
) -> None:
    assert problem(path, text) == line
    with pytest.raises(ConfigurationError, match=r"keys\.toml:\d: "):
        store_key(path, "openai", "k")
    assert path.read_text() == text


def test_G7_a_text_that_is_no_key_is_named_by_its_place(path: Path) -> None:
    store_key(path, "openai", f"{SECRET} {SECRET}")
    with pytest.raises(ConfigurationError, match=r"keys\.toml:2 .*this is no key") as caught:
        Registry(Settings.load(), plugins=Plugins()).client("openai/m")
    assert SECRET not in repr(caught.value)


def test_G7_config_show_says_where_the_key_is_and_never_what(path: Path) -> None:
    store_key(path, "openai", SECRET)
    shown = CliRunner().invoke(config, ["show", "--origin"])
    assert f'providers.openai.api_key = "********"  # {path}:2' in shown.output
    assert SECRET not in shown.output
    assert "keys.toml:2 set" in CliRunner().invoke(providers).output


def test_a_name_that_could_be_a_key_is_not_taken(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too long a name"):
        store_key(path, "a" * 32, "k")
    assert not path.exists()


def test_a_chmod_that_changes_nothing_is_not_called_a_mend(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_key(path, "openai", SECRET)
    path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as on a file system without modes
    layer = key_layer(path)
    assert layer.problems == [f"{path}: others can read it; run: chmod 600 {path}"]
    assert layer.notices == []


def test_behind_a_link_the_file_is_private_and_its_folder_is_left_alone(
    path: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    path.parent.mkdir(mode=0o755)
    path.symlink_to(elsewhere / "real.toml")
    store_key(path, "openai", SECRET)
    assert path.is_symlink()
    assert (mode(path), mode(path.parent), mode(elsewhere)) == (0o600, 0o700, 0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_G5_on_a_full_disk_the_old_keys_stay(path: Path) -> None:
    import resource  # noqa: PLC0415 - not everywhere

    store_key(path, "openai", SECRET)
    before, limits = path.read_text(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))
    try:
        with pytest.raises(ConfigurationError, match="cannot be written") as caught:
            store_key(path, "xai", "k" * len(before))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert SECRET not in repr(caught.value)
    assert {each.name: each.read_text() for each in path.parent.iterdir()} == {path.name: before}
