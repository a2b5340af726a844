"""The stories of plugins: kept between runs, bounded, private, and never in the way."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudllm.errors import PluginError
from cloudllm.plugins import COMMANDS, SESSIONS, Plugin, Plugins, Story
from cloudllm.plugins.story import Stories

Install = Callable[..., str]

PROVIDER = """
from cloudllm import Provider, hookimpl

@hookimpl
def cloudllm_providers():
    return [Provider(name="acme", label="Test", litellm_route="openai")]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "plugins.json"


def _plugin(plugins: Plugins, name: str = "acme") -> Plugin:
    return next(plugin for plugin in plugins.installed if plugin.name == name)


def _announced(file: Path, **options: object) -> list[str]:
    """What a new process says of plugins that it sees for the first time."""
    said: list[str] = []
    plugins = Plugins(state_file=file, **options)  # type: ignore[arg-type]
    plugins.listen(said.append)
    plugins.announce_new()
    return said


def test_another_process_can_tell_the_story(install: Install, file: Path) -> None:
    install("acme", PROVIDER)
    install("sick", "def cause():\n    raise RuntimeError('boom')\n\ncause()", group=SESSIONS)
    plugins = Plugins(state_file=file, deny=["cloudllm"])
    assert plugins.story(_plugin(plugins)) == Story()
    plugins.provider("acme")
    plugins.load_sessions()
    other = Plugins(state_file=file)
    good, bad = (other.story(_plugin(other, name)) for name in ("acme", "sick"))
    assert (good.version, good.hooks, good.failures) == ("1.2", ("cloudllm_providers",), ())
    assert good.seconds is not None
    assert bad.failures[0].line.endswith("(cloudllm-sick 1.2): loading failed: RuntimeError: boom")
    assert "in cause" in bad.failures[0].traceback
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in file.parent.iterdir()} == {file.name, "plugins.lock"}


def test_the_story_of_an_older_version_is_over(
    install: Install, file: Path, tmp_path: Path
) -> None:
    install("acme", "raise RuntimeError")
    plugins = Plugins(state_file=file)
    with pytest.raises(PluginError):
        plugins.provider("acme")
    (tmp_path / "site" / "cloudllm_acme-1.2.dist-info" / "METADATA").write_text(
        "Name: cloudllm-acme\nVersion: 1.3\n"
    )
    newer = Plugins(state_file=file)
    assert newer.story(_plugin(newer)) == Story()


def test_a_story_is_bounded(install: Install, file: Path) -> None:
    install("acme", f"raise RuntimeError({'x' * 100_000!r})")
    plugins = Plugins(state_file=file)
    for _ in range(20):
        with pytest.raises(PluginError):
            plugins.provider("acme")
    stories, plugin = Stories(file), _plugin(plugins)
    stories.printed(plugin, "y" * 1_000_000, 1_000_000)
    stories.printed(plugin, "z", 5)
    stories.save()
    assert (stories.of(plugin).printed, len(stories.of(plugin).failures)) == (1_000_005, 5)
    assert file.stat().st_size < 100_000


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", '{"format": 99}', '{"format": 1, "seen": 3, "stories": {}}',
     '{"format": 1, "seen": [], "stories": {"cloudllm.providers:acme:cloudllm-acme": 7}}',
     '{"format": 1, "seen": [], "stories": {"a": {"seconds": "soon"}}}', "[" * 100_000,
     '{"format": 1, "seen": [], "stories": {"a": {"printed": Infinity}}}'],
)  # fmt: skip
def test_a_file_that_is_damaged_counts_as_empty(text: str, install: Install, file: Path) -> None:
    install("acme", PROVIDER)
    file.parent.mkdir()
    file.write_text(text)
    plugins = Plugins(state_file=file)
    assert plugins.story(_plugin(plugins)) == Story()
    assert len(_announced(file)) == 1
    assert plugins.provider("acme").name == "acme"
    assert json.loads(file.read_text())["format"] == 1


def test_a_disk_that_takes_nothing_is_no_trouble(install: Install, tmp_path: Path) -> None:
    install("acme", PROVIDER)
    (tmp_path / "file").write_text("in the way")
    plugins = Plugins(state_file=tmp_path / "file" / "plugins.json")
    assert plugins.provider("acme").name == "acme"
    plugins.announce_new()
    plugins.close()
    assert plugins.story(_plugin(plugins)).hooks == ("cloudllm_providers",)


def test_two_processes_keep_each_others_stories(install: Install, file: Path) -> None:
    install("acme", PROVIDER)
    install("sick", "raise RuntimeError", group=SESSIONS)
    one, two = (Plugins(state_file=file, deny=["cloudllm"]) for _ in range(2))
    one.provider("acme")
    two.load_sessions()
    one.announce_new()
    last = Plugins(state_file=file)
    assert last.story(_plugin(last)).hooks
    assert last.story(_plugin(last, "sick")).failures


def test_a_third_party_plugin_is_announced_once(install: Install, file: Path) -> None:
    assert _announced(file) == []
    assert not file.exists()
    install("acme", None)
    assert _announced(file) == ["New plugin acme (cloudllm-acme 1.2), a provider."]
    assert _announced(file) == []
    install("acme", None, group=COMMANDS)
    assert _announced(file) == ["New plugin acme (cloudllm-acme 1.2), a command."]
    install("acme", None, distribution="other", group=SESSIONS)
    assert _announced(file) == ["New plugin acme (other 1.2), a plugin for the chat."]


def test_of_many_processes_one_announces_it(install: Install, file: Path) -> None:
    install("acme", PROVIDER)
    plugin = _plugin(Plugins())
    for _ in range(5):
        file.unlink(missing_ok=True)
        with ThreadPoolExecutor(8) as threads:  # each opens the files anew, as a process does
            seen = [*threads.map(lambda _: Stories(file).unseen([plugin]), range(8))]
        assert sorted(map(len, seen)) == [0] * 7 + [1]


def test_a_new_version_is_no_new_plugin(install: Install, file: Path, tmp_path: Path) -> None:
    install("acme", None)
    _announced(file)
    (tmp_path / "site" / "cloudllm_acme-1.2.dist-info").rename(
        tmp_path / "site" / "cloudllm_acme-2.0.dist-info"
    )
    assert _announced(file) == []


def test_many_new_plugins_are_one_line(install: Install, file: Path) -> None:
    for number in range(20):
        install(f"p{number:02}", None)
    (line,) = _announced(file)
    assert line.startswith("20 new plugins: p00 (cloudllm-p00 1.2), p01 (cloudllm-p01 1.2), ")
    assert line.endswith(" and 15 more. cloudllm plugins list shows them all.")


def test_a_plugin_is_announced_when_it_first_may_run(install: Install, file: Path) -> None:
    install("acme", None)
    assert _announced(file, deny=["acme"]) == []
    assert _announced(file, enabled=False) == []
    assert len(_announced(file)) == 1


def test_a_taken_name_is_said_once(install: Install, file: Path) -> None:
    install("openai", None, distribution="evil-openai")
    assert _announced(file) == [
        (
            "New plugin openai (evil-openai 1.2), a provider; it is not loaded: the name openai is"
            " taken: it belongs to cloudllm."
        )
    ]
    assert _announced(file) == []
