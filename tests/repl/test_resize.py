"""A terminal that changes its width in mid-stream: nothing is lost, and nothing is left behind."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloudllm.repl.resize import rewraps
from cloudllm.testing import Reply, WireServer
from tests.repl.conftest import Terminal, launch

WORDS = [f"w{number} " for number in range(120)]
SEND = "\r\\end\r"


def test_only_terminals_that_are_known_to_rewrap_are_taken_to() -> None:
    assert rewraps({"TMUX": "/run/tmux,1,0"})
    assert rewraps({"VTE_VERSION": "7600"})
    assert not rewraps({"TERM": "xterm-256color", "TMUX": ""})


def resize(t: Any, columns: int) -> None:
    t.screen.resize(t.screen.lines, columns)
    fcntl.ioctl(t.slave, termios.TIOCSWINSZ, struct.pack("HHHH", t.screen.lines, columns, 0, 0))
    os.kill(t.process.pid, signal.SIGWINCH)


@pytest.fixture(scope="module")
def running_server() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


@pytest.fixture
def server(running_server: WireServer) -> WireServer:
    """The provider behind the chat that all tests share."""
    running_server.forget()
    return running_server


@pytest.fixture(scope="module")
def running(
    running_server: WireServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    unknown = dict.fromkeys(("TMUX", "VTE_VERSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION"), "")
    home = str(tmp_path_factory.mktemp("home"))
    given = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": running_server.url}
    t = launch((), 24, 100, CLOUDLLM_HOME=home, **given, **unknown)
    t.wait("/help")
    yield t
    t.close()


@pytest.fixture
def wide(running: Terminal) -> Terminal:
    """A chat in 100 columns, on a terminal that is not known to rewrap, with a blank screen."""
    resize(running, 100)
    running.clear_screen()
    return running


@pytest.mark.slow
def test_a_resize_in_mid_stream_loses_nothing(wide: Any, server: WireServer) -> None:
    lines = [f"line {number} stands\n\n" for number in range(40)]
    server.replies(Reply(text=[*lines, *WORDS], delay=0.02))
    t = wide
    t.send("a message" + SEND + "a draft")
    t.wait("^line 10 stands")
    resize(t, 70)
    t.wait("^line 20 stands")
    resize(t, 110)
    t.wait("w10 ")
    resize(t, 60)
    t.wait(r"12 tokens")
    t.wait(r"^openai/gpt-6-luna · 12/")
    text = t.text()
    assert re.findall(r"line (\d+) stands", text) == [str(number) for number in range(40)]
    assert re.findall(r"\bw(\d+)\b", text) == [str(number) for number in range(120)]
    assert text.count("openai/gpt-6-luna · ") == 1
    assert t.editor() == "a draft"
    t.send("\x03")


@pytest.mark.slow
def test_what_is_live_takes_the_new_width_though_nothing_arrives(
    wide: Any, server: WireServer
) -> None:
    t = wide
    for indicator in ("true", "false"):
        server.replies(Reply(text=WORDS[:30], stall_after=30))
        t.send(f"/set repl.indicator {indicator}\r")
        t.wait(f"repl.indicator = {indicator}")
        t.send("a message" + SEND)
        t.wait(r"w24 w25 w26\nw27 w28 w29")
        resize(t, 60)
        t.wait(r"w15 w16\nw17 .*w29")
        t.send("\x03")
        t.wait("^Stopped")
        resize(t, 100)
        t.clear_screen()
    t.send("/set repl.indicator true\r")


@pytest.fixture
def tmux(tmp_path: Path, server: WireServer) -> Iterator[Callable[..., str]]:
    """Runs tmux commands, on a server of its own in which a chat is started."""
    socket = str(tmp_path / "tmux")
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url}
    environment.pop("TMUX", None)

    def run(*arguments: str) -> str:
        command = ["tmux", "-S", socket, "-f", os.devnull, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.stdout or done.stderr

    yield run
    with suppress(OSError):
        run("kill-server")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_terminal_that_rewraps_loses_nothing_and_piles_up_no_copies(
    tmux: Callable[..., str], server: WireServer
) -> None:
    # tmux tells of a resize late: a frame that comes in between may leave a copy, but one at most.
    copies = [_most_copies(tmux, server, name) for name in ("first", "second", "third")]
    assert max(copies) <= 2
    assert min(copies) == 1


def _most_copies(tmux: Callable[..., str], server: WireServer, name: str) -> int:
    """How often the same is seen after a chat whose full window got narrower, and wider, in time."""
    server.replies(Reply(text=["# w120\n\n", *WORDS], delay=0.03))

    def wait(pattern: str) -> str:
        end = time.monotonic() + 30
        while not re.search(
            pattern, shown := tmux("capture-pane", "-t", name, "-p", "-J", "-S", "-")
        ):
            assert time.monotonic() < end, f"{pattern!r} is not on the screen:\n{shown}"
            time.sleep(0.02)
        return shown

    chat = [sys.executable, "-m", "cloudllm"]
    began = tmux("new-session", "-d", "-s", name, "-x", "100", "-y", "30", *chat)
    assert not began
    tmux("set", "-g", "remain-on-exit", "on")
    wait("sends · Ctrl-C stops")
    tmux("send-keys", "-t", name, "/help", "Enter")
    wait("unfolds a long paste")
    tmux("send-keys", "-t", name, "go", "Enter", "\\end", "Enter")
    wait("w40 ")
    tmux("resize-window", "-t", name, "-x", "60")
    wait("w60 ")
    tmux("resize-window", "-t", name, "-x", "90")
    shown = wait("12 tokens")
    seen = Counter(re.findall(r"\bw(\d+)\b", shown))
    assert {*seen} == {str(number) for number in range(121)}
    tmux("send-keys", "-t", name, "C-d")
    return max(*seen.values(), shown.count("Receiving"))
