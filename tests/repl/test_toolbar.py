"""`cloudllm_toolbar`: what plugins show in the status row, and how little harm they can do by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudllm import Plugins
from cloudllm.plugins import Plugin
from cloudllm.repl.toolbar import Toolbar
from tests.chatplugins import write_plugin

Start = Callable[..., Any]
Make = Callable[..., Toolbar]


@pytest.fixture
def lines() -> list[str]:
    """What is told of plugins."""
    return []


@pytest.fixture
def toolbar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> Make:
    """Installs plugins, each by its name and what its hook does, and asks them and no other."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(deadline: float | None = 10.0, **bodies: str) -> Toolbar:
        for name, body in bodies.items():
            source = f"""
                asked = []

                @hookimpl
                def cloudllm_toolbar():
                    asked.append(1)
                    {body}
            """
            write_plugin(tmp_path, name, source)
        plugins = Plugins(deny=["guard", "speed"], deadline=deadline)
        plugins.listen(lines.append)
        plugins.load_sessions()
        lines.clear()  # that they are new

        async def settle(_plugin: Plugin) -> None:
            return

        return Toolbar(plugins, settle)

    return make


async def test_plugins_are_asked_by_name_each_time(toolbar: Make) -> None:
    bar = toolbar(beta="return [f'b{len(asked)}']", alpha="return ('a', 'aa')")
    assert await bar.texts() == ["a", "aa", "b1"]
    assert await bar.texts() == ["a", "aa", "b2"]


async def test_what_is_long_is_cut_and_what_is_blank_left_out(toolbar: Make) -> None:
    bar = toolbar(many="return ['x' * 31, ' ', 'two\\n lines', 'a fourth']")
    assert await bar.texts() == ["x" * 29 + "…", "two lines"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 'text'", "gave str, no list of texts"),
        ("return None", "gave None, no list of texts"),
        ("return [1]", "gave int among its texts"),
        ("raise SystemExit", "SystemExit"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise Refused('not today')", "not today"),
        ("return (1 / 0 for _ in '?')", "ZeroDivisionError"),
    ],
)
async def test_G8_what_fails_is_named_and_off_after_three_times(
    body: str, words: str, toolbar: Make, lines: list[str]
) -> None:
    bar = toolbar(bad=body, good="return ['fine']")
    for _ in range(5):
        assert await bar.texts() == ["fine"]
    assert len(lines) == 3
    assert all("bad" in line and words in line for line in lines)
    assert "cloudllm_toolbar is off for the rest of this session" in lines[2]
    assert "off" not in lines[1]


async def test_G8_what_hangs_is_off_at_once(toolbar: Make, lines: list[str]) -> None:
    bar = toolbar(0.2, bad="threading.Event().wait(20)", good="return ['fine']")
    assert await bar.texts() == ["fine"]
    assert await bar.texts() == ["fine"]
    assert len(lines) == 1
    assert "did not end within 0.2 s" in lines[0]
    assert "off for the rest" in lines[0]


COUNTS = """
    seen = []

    @hookimpl
    def cloudllm_reply(reply, turn):
        time.sleep(0.2)
        seen.append(reply)

    @hookimpl
    def cloudllm_toolbar():
        log({log!r}, "asked")
        return [f"replies {{len(seen)}}", "\\x1b[31;5;77mred"]
"""


@pytest.mark.slow
def test_it_is_asked_after_each_turn_and_never_at_a_key(terminal: Start, tmp_path: Path) -> None:
    log = tmp_path / "log"
    write_plugin(tmp_path / "site", "counts", COUNTS.format(log=str(log)))
    t = terminal("-m", "echo/echo", columns=120, PYTHONPATH=str(tmp_path / "site"))
    t.wait(r"^echo/echo · .* · replies 0 · ␛?\[31;5;77mred")
    t.send("hello\r\\end\r")
    t.wait(r"^echo/echo · .* · replies 1 · ")
    asked = log.read_text()
    t.send("some keys are typed, and the row stays as it is")
    t.wait("stays as it is")
    assert log.read_text() == asked
    assert b"\x1b[31;5;77m" not in t.raw
    t.send("\x03/set repl.status model,hint\r")
    t.wait(r"^echo/echo  \\end or Alt-Enter sends")
