"""How a chat on a terminal begins and ends."""

from __future__ import annotations

import re
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer

pytestmark = pytest.mark.slow

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
    t.send("still here")
    t.wait("textstill here")
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
    t = terminal(columns=200)
    t.wait("^>")
    t.send("typed meanwhile\r")
    assert t.leave() == 2
    assert re.search(r"^cloudllm: .*config\.toml:\d+: ", t.text(), re.MULTILINE)
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
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


@pytest.mark.parametrize("way", ["signal", "quit"])
def test_a_draft_outlives_the_program(way: str, terminal: Start, home: Path) -> None:
    t = terminal("-m", "echo/echo", CLOUDLLM_PROVIDERS__ECHO__DELAY="0.3")
    t.wait("/help")
    if way == "signal":
        t.send("an unsent draft")
        t.wait("an unsent draft")
        t.process.send_signal(signal.SIGTERM)
    else:
        t.send("go on" + SEND)
        t.wait("^You")
        t.send("/quit\r")
        t.wait("queued 1: /quit")
        t.send("an unsent draft")
    t.leave()
    assert "an unsent draft" in (home / "input-history").read_text()
    assert re.search("is in the input history|is there again next time", t.text())


def test_G14_no_color_leaves_no_colour(terminal: Start, server: WireServer) -> None:
    server.replies(Reply.error(500, "out of order"))
    t = terminal(NO_COLOR="1")
    t.wait("/help")
    t.send("go" + SEND)
    t.wait("out of order")
    styles = {part for code in re.findall(rb"\x1b\[([\d;]*)m", t.raw) for part in code.split(b";")}
    colours = {style for style in styles if re.fullmatch(rb"[34]\d|9\d|10\d", style)}
    assert not colours


def test_G7_a_key_typed_into_a_command_is_neither_kept_nor_shown(
    terminal: Start, home: Path
) -> None:
    t = terminal("-m", "echo/echo")
    t.wait("/help")
    t.send("/set providers.openai.api_key sk-typed-canary\r")
    t.wait("^Error:")
    t.clear_screen()
    t.send("/set providers.openai.api_key=sk-cleared-canary\x03")
    t.wait_gone("sk-cleared-canary")
    t.send("hi" + SEND)
    t.wait("You said")
    assert "sk-typed-canary" not in t.text()
    assert "canary" not in (home / "input-history").read_text()
    assert "sk-typed-canary" not in (home / "input-history").read_text()


def test_a_reply_waits_while_another_program_has_the_terminal(
    terminal: Start, server: WireServer, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\necho EDITOR-BEGIN\nsleep 1.5\necho EDITOR-END\n")
    editor.chmod(0o755)
    server.replies(Reply(text=[f"word{n}\n" for n in range(20)], delay=0.1))
    t = terminal(EDITOR=str(editor), VISUAL=str(editor))
    t.wait("/help")
    t.send("go" + SEND)
    t.wait("word1")
    t.send("\x18\x05")
    t.wait("12 tokens")
    during = t.raw.split(b"EDITOR-BEGIN")[1].split(b"EDITOR-END")[0]
    assert b"word" not in during
    assert [f"word{n}" in t.text() for n in range(20)] == [True] * 20


def test_G6_a_paste_shows_what_would_hide_or_reorder_it(
    terminal: Start, server: WireServer
) -> None:
    t = terminal()
    t.wait("/help")
    t.paste("safe \u202e evil")
    t.wait("safe <U\\+202E> evil")
    assert "\u202e".encode() not in t.raw
    t.send(SEND)
    t.wait("12 tokens")
    assert server.requests[0].body["messages"][-1]["content"] == "safe \u202e evil"


def test_a_huge_unbracketed_paste_stays_bounded(terminal: Start, server: WireServer) -> None:
    lines = "\r".join(f"{n:05d} of a big paste with some words in it" for n in range(2000))
    t = terminal()
    t.wait("/help")
    t.send(lines + SEND)
    t.wait("12 tokens", timeout=60)
    sent = server.requests[0].body["messages"][-1]["content"]
    assert sent == lines.replace("\r", "\n")
    memory = Path(f"/proc/{t.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    assert int(memory) < 450_000, "each undo step keeps a copy of the text"


def test_G1_nothing_that_serves_a_turn_is_imported_before_the_first_key() -> None:
    late = ("accounts", "pricing", "events", "messages", "session", "repl.turnview", "eventjson")
    heavy = ["sqlite3", "pydantic", "litellm", "decimal", *(f"cloudllm.{name}" for name in late)]
    code = f"import sys, cloudllm.repl.loop; print(*set({heavy!r}).intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
