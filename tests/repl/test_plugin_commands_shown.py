"""Slash commands of plugins on a real terminal and in a pipe: what a person sees of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudllm import PluginError, paths
from cloudllm.testing import Reply, WireServer
from tests.chatplugins import write_plugin
from tests.repl.conftest import Terminal, launch

pytestmark = pytest.mark.slow

SEND = "\r\\end\r"

WORKING = """
def work(chat, argument):
    chat.say("at work on \\x1b]0;title\\x07" + argument)
    threading.Event().wait()

def double(chat, argument):
    first = chat.send("first")
    chat.send(f"second after {first.content}")
    return "done\\x1b[2J"

def crash(chat, argument):
    sys.exit(3)

@hookimpl
def cloudllm_commands():
    return [
        Command(name="/work", summary="work for ever", run=work, argument="[ON]",
                complete=lambda: ["metal", "meadow"]),
        Command(name="/double", summary="send twice", run=double),
        Command(name="/crash", summary="leave", run=crash),
    ]
"""


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Terminal, WireServer]]:
    """One chat with a plugin for all tests on the terminal."""
    folder = tmp_path_factory.mktemp("working")
    write_plugin(folder / "site", "working", WORKING)
    with WireServer() as server:
        variables = {
            "CLOUDLLM_HOME": str(folder / "home"),
            "PYTHONPATH": str(folder / "site"),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
        }
        terminal = launch((), 24, 80, **variables)
        terminal.wait(r"^>")
        yield terminal, server
        terminal.close()


@pytest.fixture
def chat(working: tuple[Terminal, WireServer]) -> Iterator[tuple[Terminal, WireServer]]:
    terminal, server = working
    server.requests.clear()
    server.default = Reply(text="Hello from the wire.")
    terminal.clear_screen()
    yield working
    terminal.send("x\x03/clear\r")
    terminal.wait("starts anew")


def test_G12_ctrl_c_ends_the_wait_for_a_command_that_hangs(chat: Any) -> None:
    terminal, server = chat
    terminal.send("/work metal\r")
    terminal.wait(r"at work on \W+title\W+metal|at work on .*metal")
    terminal.wait(r"Running /work… 1\.\d s")
    assert b"\x1b]0;title" not in terminal.raw
    terminal.send("\x03")
    terminal.wait("^Stopped.")
    terminal.wait_gone("Running /work")
    terminal.send("hi" + SEND)
    terminal.wait("Hello from the wire")
    assert len(server.requests) == 1


def test_a_command_shows_the_turns_it_sends(chat: Any) -> None:
    terminal, server = chat
    server.replies(Reply(text="one."), Reply(text="two."))
    terminal.send("/double\r")
    terminal.wait(r"(?s)Assistant:\none\..*12 tokens.*Assistant:\ntwo\..*12 tokens.*^done")
    assert [message["content"] for message in server.requests[1].body["messages"][1:]] == [
        "first", "one.", "second after one.",
    ]  # fmt: skip
    assert b"done\x1b[2J" not in terminal.raw


def test_G12_ctrl_c_stops_what_a_command_sends(chat: Any) -> None:
    terminal, server = chat
    server.replies(Reply(text=["begun ", *["x"] * 200], delay=0.1))
    terminal.send("/double\r")
    terminal.wait("^begun")
    terminal.send("\x03")
    terminal.wait("Stopped; what came is kept")
    assert len(server.requests) == 1


def test_G8_a_command_that_exits_is_one_line_and_the_chat_goes_on(chat: Any) -> None:
    terminal, _ = chat
    terminal.send("/crash\r")
    terminal.wait(r"Error: plugin working \(cloudllm-working 1\.2\): /crash failed: SystemExit: 3")
    terminal.send("/speed\r")
    terminal.wait("No reply yet|whole reply  tokens/s")


def test_they_are_completed_on_the_terminal(chat: Any) -> None:
    terminal, _ = chat
    terminal.send("/wo")
    terminal.wait("/work +work for ever")
    terminal.send("rk me")
    terminal.wait(r" metal$")
    terminal.send("ad")
    terminal.wait(r" meadow$")


def test_G3_what_the_guard_refuses_is_back_in_the_editor(chat: Any) -> None:
    terminal, server = chat
    terminal.send("look: ghp_0123456789abcdefghijABCDEFGHIJ012345" + SEND)
    terminal.wait(r"Error: guard: nothing was sent, since line 1 of the message holds a GitHub")
    terminal.wait(r"^> look: ghp_0123456789")
    assert server.requests == []


def test_what_the_guard_refuses_stays_in_no_file(server: WireServer) -> None:
    """Neither when it is sent, nor when it is given up, nor when it is left in the editor."""
    variables = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url}
    file = paths.state_dir() / "input-history"
    terminal = launch((), 24, 80, **variables)
    try:
        terminal.wait(r"^>")
        terminal.send("harmless" + SEND)
        terminal.wait("Hello from the wire|tokens")
        for leaving in ("and more\x03", "and more"):
            terminal.send("look: ghp_0123456789abcdefghijABCDEFGHIJ012345" + SEND)
            terminal.wait(r"Error: guard: nothing was sent")
            terminal.wait(r"^> look: ghp_0123456789")
            terminal.send(leaving)
            terminal.settle()
            assert "ghp_" not in file.read_text()
            terminal.clear_screen()
        terminal.process.terminate()
        terminal.leave()
        terminal = launch((), 24, 80, **variables)
        terminal.wait(r"^>")
        terminal.send("\x1b[A")
        terminal.wait(r"^> harmless")
        assert "+harmless\n" in file.read_text()
        assert "ghp_" not in file.read_text()
        assert len(server.requests) == 1
    finally:
        terminal.close()


def test_an_unknown_command_waits_for_the_plugins(server: WireServer, tmp_path: Path) -> None:
    write_plugin(tmp_path / "site", "late", f"time.sleep(2)\n{WORKING}")
    variables = {
        "PYTHONPATH": str(tmp_path / "site"),
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": server.url,
    }
    terminal = launch((), 24, 80, **variables)
    try:
        terminal.send("/double\r")
        terminal.wait("Hello from the wire")
        terminal.wait("^done")
        assert "unknown command" not in terminal.text()
    finally:
        terminal.close()


@pytest.fixture
def piped(server: WireServer, tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a conversation from a pipe, with the plugin."""
    write_plugin(tmp_path / "site", "working", WORKING)
    variables = {
        "PYTHONPATH": str(tmp_path / "site"),
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": server.url,
    }

    def run(typed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cloudllm", "run", "-"],
            input=typed,
            capture_output=True,
            text=True,
            env={**os.environ, **variables},
            check=False,
            timeout=60,
        )

    return run


def test_they_work_in_a_pipe(
    piped: Callable[[str], subprocess.CompletedProcess[str]], server: WireServer
) -> None:
    done = piped("/double\n/help work\n")
    assert (done.returncode, done.stdout) == (0, "Hello from the wire.\n" * 2)
    assert "done" in done.stderr
    assert "/work [ON]  work for ever" in done.stderr
    assert "\x1b" not in done.stderr


def test_G8_one_that_fails_ends_a_pipe_with_its_exit_code(
    piped: Callable[[str], subprocess.CompletedProcess[str]], server: WireServer
) -> None:
    done = piped("/crash\nhello\n\\end\n")
    assert (done.returncode, done.stdout) == (PluginError.exit_code, "")
    assert "/crash failed: SystemExit: 3" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.requests == []
