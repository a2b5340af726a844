"""How a chat on a terminal begins and ends."""

from __future__ import annotations

import re
import signal
import stat
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer

Start = Callable[..., Any]
SEND = "\r\\end\r"


def test_G1_what_is_typed_at_the_early_prompt_counts_once(
    terminal: Start, server: WireServer
) -> None:
    t = terminal()
    t.wait("^>")
    t.send("typed\rahead" + SEND)
    t.wait("Hello from the wire")
    assert server.requests[0].body["messages"][-1]["content"] == "typed\nahead"
    assert t.text().count("typed") == 1


def test_what_is_typed_before_the_program_runs_counts_too(
    terminal: Start, server: WireServer
) -> None:
    t = terminal()
    t.send("typed\rahead" + SEND)
    t.wait("Hello from the wire")
    assert server.requests[0].body["messages"][-1]["content"] == "typed\nahead"


def test_G13_with_submit_enter_meta_enter_is_a_new_line(
    terminal: Start, server: WireServer
) -> None:
    t = terminal("-o", "repl.submit=enter")
    t.wait(r"^>")
    t.send("one\x1b\rtwo\nthree\r")
    t.wait("Hello from the wire")
    assert server.requests[0].body["messages"][-1]["content"] == "one\ntwo\nthree"
    t.send("four\x1b\r\\end\r")
    t.wait(r"(?s)wire\..*wire\.")
    assert server.requests[1].body["messages"][-1]["content"] == "four"


def test_G12_ctrl_c_twice_on_an_empty_editor_leaves(terminal: Start) -> None:
    t = terminal()
    t.wait("/help")
    t.send("\x03")
    t.wait("Press Ctrl-C again")
    t.send("\x03")
    assert t.leave() == 0
    assert termios.tcgetattr(t.slave) == t.modes_before


def test_ctrl_d_leaves_only_an_empty_editor(terminal: Start) -> None:
    t = terminal()
    t.wait("/help")
    t.send("text\x04")
    t.wait("text")
    assert t.process.poll() is None
    t.send("\x03\x04")
    assert t.leave() == 0


def test_without_a_key_one_line_says_so_and_the_chat_can_go_on(terminal: Start) -> None:
    t = terminal(key="", OPENAI_BASE_URL="")
    t.wait(r"No key for OpenAI: OPENAI_API_KEY")
    t.send("/model echo/echo\r")
    t.wait("The next message goes to echo/echo")
    t.send("hello" + SEND)
    t.wait("You said: hello")
    t.send("/quit\r")
    assert t.leave() == 0


def test_an_unknown_provider_is_said_with_a_suggestion(terminal: Start) -> None:
    t = terminal("-m", "opnai/gpt")
    t.wait(r"unknown provider 'opnai'\. Did you mean openai")


def test_a_server_that_is_not_there_is_named_and_the_text_is_back(terminal: Start) -> None:
    t = terminal(OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    t.wait("^>")
    t.send("question" + SEND)
    t.wait(r"^Error: .*127\.0\.0\.1:9")
    t.settle()
    assert t.editor() == "question"


def test_malformed_toml_ends_with_one_line_and_keeps_the_draft(terminal: Start, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text('model = "openai/gpt-6-luna"\ntimeout = [\n')
    t = terminal()
    t.wait("^>")
    t.send("typed meanwhile\r")
    assert t.leave() == 2
    assert re.search(r"^cloudllm: .*config\.toml:\d+: ", t.text().replace("\n", "")) or re.search(
        r"^cloudllm: ", t.text(), re.MULTILINE
    )
    assert "Traceback" not in t.text()
    assert "typed meanwhile" in (home / "input-history").read_text()


def test_the_input_history_is_private_and_comes_back(terminal: Start, home: Path) -> None:
    t = terminal("-m", "echo/echo")
    t.wait(r"^>")
    t.send("remember\rme" + SEND)
    t.wait("You said")
    t.send("/quit\r")
    t.leave()
    assert stat.S_IMODE((home / "input-history").stat().st_mode) == 0o600
    t = terminal("-m", "echo/echo")
    t.wait("/help")
    t.send("\x1b[A\x1b[A")
    t.wait(r"> remember\n  me")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminal_modes_come_back_when_a_signal_ends_the_program(
    number: signal.Signals, terminal: Start
) -> None:
    t = terminal()
    t.wait("/help")
    t.process.send_signal(number)
    assert t.leave() == 128 + number
    assert termios.tcgetattr(t.slave) == t.modes_before


def test_terminal_modes_come_back_after_ctrl_c_during_the_start(terminal: Start) -> None:
    t = terminal()
    t.wait("^>")
    t.send("\x03")
    while t.process.poll() is None:
        t.settle(0.05)
        if "Press Ctrl-C again" in t.text():  # the prompt was quicker: then it is a key
            t.send("\x03")
    assert t.process.returncode in (0, 130)
    assert "Traceback" not in t.text()
    assert termios.tcgetattr(t.slave) == t.modes_before


def test_a_small_terminal_shows_the_whole_reply(terminal: Start, server: WireServer) -> None:
    server.replies(Reply(text="word " * 100))
    t = terminal(rows=10, columns=30)
    t.wait(r"^>")
    t.send("go" + SEND)
    t.wait("12 tokens")
    assert t.text().count("word") == 100
