"""Conversations on a real terminal: taken up, chosen, broken off by kill -9, open twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer
from tests.repl.dying import die
from tests.repl.test_resume import keep

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
SEND = "\r\\end\r"
DOWN = "\x1b[B"


def asked(server: WireServer) -> list[str]:
    """What the last request said, the system prompt apart."""
    return [each["content"] for each in server.requests[-1].body["messages"][1:]]


@pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
def test_continue_shows_the_last_turn_and_goes_on_with_it(
    rows: int, columns: int, terminal: Start, server: WireServer
) -> None:
    keep("an old question", "# Old\n\nwith a *word*", "one more\n" * 40, "the **last** reply")
    t = terminal("--continue", rows=rows, columns=columns)
    t.send("typed at once")
    t.wait(r"(?s)^kept · 2 turns · today.*^> one more\n  one more.*more lines.*"
           r"^Assistant:\nthe last reply\n.*^> typed at once")  # fmt: skip
    t.send(SEND)
    t.wait("Hello from the wire")
    assert asked(server) == [
        "an old question", "# Old\n\nwith a *word*", "one more\n" * 40, "the **last** reply",
        "typed at once",
    ]  # fmt: skip


def test_without_one_continue_says_so_and_a_chat_begins(terminal: Start) -> None:
    t = terminal("-c")
    t.wait("^There is no conversation in this folder yet")
    t.send("hello" + SEND)
    t.wait("Hello from the wire")


@pytest.mark.parametrize(("rows", "columns"), [(10, 40), (24, 80), (50, 200)])
def test_one_is_chosen_at_the_start_and_the_draft_waits(
    rows: int, columns: int, terminal: Start
) -> None:
    for name in ("bread", "rust", "tax"):
        keep(f"about {name}", f"answer on {name}", title=f"{name} talk")
    t = terminal("--resume", rows=rows, columns=columns)
    t.wait(r"^Resume: ")
    t.wait(r"^▸ ")
    t.send("rst")
    t.wait(r"^Resume: rst")
    t.wait(r"^▸ rust talk")
    t.wait("answer on rust")  # a look at its end
    t.send("\r")
    t.wait(r"(?s)^rust talk · 1 turn.*^Assistant:\nanswer on rust")
    t.wait_gone("^Resume:")
    t.send("a draft")
    t.wait("^> a draft")
    t.send("\x03/resume\r")
    t.wait(r"^Resume: ")
    t.send(DOWN + "\x1b")
    t.wait_gone("^Resume:")
    t.send("hello" + SEND)
    t.wait("Hello from the wire")
    t.send("\x04")
    assert t.leave() == 0
    assert "conversation: cloudllm --continue" in " ".join(t.text().split())


def test_G12_ctrl_c_leaves_the_picker_and_not_the_chat(terminal: Start) -> None:
    keep("one", "answer one")
    t = terminal("-r")
    t.wait(r"^Resume: ")
    t.send("\x03")
    t.wait_gone("^Resume:")
    t.send("\x03")
    t.wait("Press Ctrl-C again")
    t.send("\x03")
    assert t.leave() == 0


def test_G5_after_kill_9_the_reply_is_there_and_can_be_gone_on_with(
    terminal: Start, server: WireServer
) -> None:
    server.replies(Reply(text=["one ", "two ", "three "], stall_after=3), Reply(text="four"))
    t = terminal()
    t.send("count" + SEND)
    t.wait("one two three")
    time.sleep(0.3)
    os.kill(t.process.pid, signal.SIGKILL)
    t.leave()
    t = terminal()
    t.wait(r"(?s)^> count\nAssistant:\none two three\n.*"
           r"^The last reply was broken off: /continue goes on with it, /new begins")  # fmt: skip
    t.send("/continue\r")
    t.wait("four", timeout=60)
    t.send("/history 1\r")
    t.wait("one two three four")
    t.send("/quit\r")
    assert t.leave() == 0
    t = terminal()
    t.wait("/help")
    t.settle()
    assert "count" not in t.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("plain", [True, False])
def test_G5_a_signal_breaks_a_reply_off_as_a_crash_does(
    plain: bool, number: signal.Signals, terminal: Start, server: WireServer
) -> None:
    server.replies(Reply(text=["one ", "two "], stall_after=2), Reply(text="three"))
    t = terminal(*(["--plain"] if plain else []))
    t.send("count" + SEND)
    t.wait("one two")
    os.kill(t.process.pid, number)
    assert t.leave() == 128 + number
    t = terminal()
    t.wait(r"(?s)^> count\nAssistant:\none two\n.*^The last reply was broken off: /continue")
    t.send("/continue\r")
    t.wait("three", timeout=60)


def test_G5_a_window_that_is_closed_breaks_a_reply_off(terminal: Start, server: WireServer) -> None:
    server.replies(Reply(text=["one ", "two "], stall_after=2))
    t = terminal()
    t.send("count" + SEND)
    t.wait("one two")
    os.close(t.slave)
    os.close(t.master)
    t.process.wait(10)
    t.master, t.slave = os.pipe()
    t = terminal()
    t.wait("The last reply was broken off")


def test_G5_what_cannot_be_saved_is_said_before_the_chat_ends(terminal: Start, home: Path) -> None:
    (home / "store.db").mkdir(parents=True)
    (home / "input-history").mkdir()
    t = terminal()
    t.send("hello" + SEND)
    t.wait("Hello from the wire")
    t.wait("The conversation is not saved")
    t.send("\x04")
    t.wait("Not all that was said is saved. /save FILE")
    t.send("a draft")
    t.settle()
    os.kill(t.process.pid, signal.SIGTERM)
    t.leave()
    t.wait("What was not sent could not be kept:\na draft\nNot all that was said could be saved.")


def test_the_same_one_in_two_chats_goes_on_as_a_branch(terminal: Start, server: WireServer) -> None:
    first = terminal()
    first.send("a question" + SEND)
    first.wait("Hello from the wire")
    second = terminal("--continue")
    second.wait(r"is open in another\s+chat,?\s+too: what is said here goes on as a\s+branch")
    for each in (second, first):
        each.send("and then?" + SEND)
        each.wait(r"(?s)Hello from the wire.*and then\?.*Hello from the wire")
    assert asked(server) == ["a question", "Hello from the wire.", "and then?"]
    first.send("/tree\r")
    first.wait(r"assistant +Hello")
    first.settle()
    assert len(re.findall(r"you(?: \(after 2\))? +and then\?", first.text())) == 2


def test_in_plain_mode_one_is_chosen_by_its_number(terminal: Start, server: WireServer) -> None:
    keep("about bread", "answer on bread", title="bread")
    keep("about rust", "answer on rust", title="rust")
    t = terminal("--plain", "--resume")
    t.wait(r"(?s)^  1  rust  \(1 turn.*^  2  bread.*which number")
    t.send("2\n")
    t.wait(r"(?s)^bread · 1 turn.*You:\nabout bread\n.*Assistant:\nanswer on bread")
    t.send("and salt?\n\\end\n")
    t.wait("Hello from the wire")
    assert asked(server) == ["about bread", "answer on bread", "and salt?"]
    t.send("/resume\n")
    t.wait(r"(?s)which number.*which number")
    t.send("7\n")
    t.wait("“7” is not one of 1 to 2")


def test_ask_goes_on_and_without_one_is_an_error(server: WireServer, home: Path) -> None:
    variables = {**os.environ, "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.url}

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cloudllm", "ask", *arguments]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60, env=variables,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    failed = ask("--continue", "what?")
    assert failed.returncode == 2
    assert "there is no conversation in this folder yet" in failed.stderr
    assert failed.stderr.count("\n") == 1
    die("a question", "half", model="openai/gpt-6-luna")
    assert ask("--continue", "what?").stdout == "Hello from the wire.\n"
    assert ask("--continue", "and then?").returncode == 0
    assert asked(server) == [
        "a question", "half", "what?", "Hello from the wire.", "and then?",
    ]  # fmt: skip
    assert ask("--private", "secret").returncode == 0
    assert ask("-c", "last").returncode == 0
    assert "secret" not in asked(server)
