"""Turns that do not go well, on a real terminal: waits, silence, budgets, and Ctrl-C at any point."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer
from tests.chatplugins import write_plugin
from tests.repl.acme import write_acme
from tests.repl.conftest import Terminal

pytestmark = pytest.mark.slow

SEND = "\r\\end\r"
PLAIN_SEND = "\n\\end\n"
FOREIGN = re.compile(r"Traceback|asyncio|aiohttp|litellm|Unclosed|never (awaited|retrieved)")
SUM = """
    def choose(view):
        return ContextChoice(keep=(), summary=view.ask("Sum up", max_output_tokens=50))

    @hookimpl
    def cloudllm_context_strategies():
        return [ContextStrategy(name="sum", description="sums up", choose=choose)]
"""
Start = Callable[..., Any]


@pytest.fixture
def acme(terminal: Start, server: WireServer, tmp_path: Path) -> Start:
    """Starts a chat with a model that has a price; `seconds` pass until its client is made."""

    def start(*arguments: str, limit: int = 8_000, seconds: float = 0.0) -> Any:
        site = tmp_path / "site"
        write_acme(site, server.url, limit=limit, seconds=seconds)
        t = terminal("-m", "acme/one", *arguments, PYTHONPATH=str(site))
        t.wait(r"(?i)new plugins?:? acme")
        return t

    return start


def test_G11_the_wait_for_the_next_try_is_counted_down(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply.error(429, "busy", headers={"retry-after": "2"}))
    t.send("go" + SEND)
    t.wait(r"\(429\): busy; next try 2 of 3 in 2\.0 s \(Ctrl-C stops\)")
    t.wait(r"Next try 2 of 3 in 1\.\d s \(Ctrl-C stops\)")
    t.wait(r"Next try 2 of 3 in 0\.\d s")
    t.wait(
        r"Hello from the wire\.\n7 in · 5 out · 12 tokens · cost unknown · [\d.]+ s · 2 attempts"
    )
    t.wait_gone("Next try")


@pytest.mark.parametrize("begun", [False, True])
def test_silence_is_shown_and_wait_is_carried_out_at_once(begun: bool, chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(
        Reply(text=["one", " two", " three"], delay=5.0)
        if begun
        else Reply(text="one two three", first_delay=6.0)
    )
    for setting in ("first_token", "gap"):
        t.send(f"/set timeout.{setting} 4\r")
        t.wait(f"timeout.{setting} = ")
    t.send("go" + SEND)
    t.wait(r"No text for [23] s, gives up at 4 s: /wait waits on, Ctrl-C stops")
    t.send("/wait\r")
    t.wait(r"No text for [2-5] s, waiting on: Ctrl-C stops")
    t.wait(r"one two three\n7 in")
    t.wait_gone("No text for")
    assert "queued" not in t.text()


def test_the_indicator_stays_below_a_reply_that_comes_in(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=["begun ", *["x " * 20] * 100], delay=0.1))
    t.send("go" + SEND)
    t.wait(r"x x$\n. Receiving the reply… \d+\.\d s · ~\d+ tokens?/s\n>")
    assert stop(t) < 1
    assert "Receiving" not in t.text()


def test_without_an_indicator_nothing_moves_and_silence_is_said_once(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text=["one ", "two"], delay=5.0))
    t.send("/set repl.indicator false\r")
    t.wait("repl.indicator = ")
    t.send("/set timeout.gap 4\r")
    t.wait("timeout.gap = ")
    t.settle()
    t.send("go" + SEND)
    t.wait("^one")
    t.settle(0.5)  # it is silent: no frame, nothing that counts
    assert not re.search("Waiting|Receiving|Sending", t.text())
    t.wait(r"^No text for [23] s, gives up at 4 s: /wait waits on, Ctrl-C stops$")
    t.send("/wait\r")
    t.wait("Waiting on, whatever")
    t.wait("one two")
    t.send("/set repl.indicator true\r")
    t.wait("repl.indicator = .rue")


def test_G10_a_budget_asks_and_the_same_text_again_is_the_answer(
    acme: Start, server: WireServer
) -> None:
    t = acme("-o", "budget.session=0.005")
    t.send("my question" + SEND)
    t.wait(r"budget\.session: of \$0\.005 \$0\.00 is spent")
    t.wait(r"could\s+cost\s+\$0\.02\d*\.\s+Send\s+the\s+same\s+again\s+to\s+go\s+ahead")
    t.settle()
    assert t.editor() == "my question"
    assert not server.requests
    t.send(" changed" + SEND)
    t.wait(r"(?s)Send\s+the\s+same.*Send\s+the\s+same")
    t.settle()
    assert t.editor() == "my question changed"
    t.send(SEND)
    t.wait(r"Hello from the wire\.\n7 in · 5 out · 12 tokens · \$0\.00017 · ")
    assert len(server.requests) == 1
    t.send("\x1b[A")
    t.wait("> my question changed")


def test_G12_ctrl_c_while_a_slow_client_is_made(acme: Start, server: WireServer) -> None:
    t = acme(seconds=60.0)  # so that litellm is loaded before, however slow the machine
    t.send("my question" + SEND)
    t.wait("Sending message… acme/one")
    assert stop(t) < 1
    assert t.editor() == "my question"
    assert not server.requests


def test_G12_ctrl_c_while_a_summary_is_written(
    acme: Start, server: WireServer, tmp_path: Path
) -> None:
    write_plugin(tmp_path / "site", "sum", SUM)
    t = acme("-o", "context.strategy=sum", "-o", "context.reserve=50", limit=400)
    server.default = Reply(text="a word " * 60)
    for number in range(2):
        t.send(f"question {number} " + "and more " * 10 + SEND)
        t.wait(rf"(?s)question {number}.* tokens · \$")
        t.settle()
    sent = len(server.requests)
    server.default = Reply(first_delay=30)
    t.send("the newest " + "and more " * 10 + SEND)
    t.wait("Summing up older messages… acme/one")
    while len(server.requests) == sent:
        t.settle(0.02)
    assert stop(t) < 1
    assert t.editor().startswith("the newest")
    assert server.wait_for_disconnects(1)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (Reply(first_delay=30), "Waiting for the reply"),
        (Reply(text=["begun ", *["x "] * 300], delay=0.1), "^begun"),
        (Reply.error(429, "busy", headers={"retry-after": "30"}), "Next try"),
    ],
    ids=["before the first token", "mid-stream", "before the next try"],
)
def test_G12_ctrl_c_at_any_point(reply: Reply, shown: str, chat: Any) -> None:
    t = chat.terminal
    chat.server.default = reply
    t.send("my question" + SEND)
    t.wait(shown)
    chat.arrived()
    assert stop(t) < 1
    assert t.editor() == ("" if shown == "^begun" else "my question")


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (Reply(first_delay=30), "Sending message"),
        (Reply(text=["begun ", *["x "] * 300], delay=0.1), "^begun"),
        (Reply.error(429, "busy", headers={"retry-after": "30"}), "next try"),
    ],
    ids=["before the first token", "mid-stream", "before the next try"],
)
def test_G12_ctrl_c_at_any_point_in_plain_mode(
    reply: Reply, shown: str, terminal: Start, server: WireServer
) -> None:
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    server.default = reply
    t.send("my question" + PLAIN_SEND)
    t.wait(shown)
    while not server.requests:
        t.settle(0.02)
    assert stop(t) < 1
    server.default = Reply()
    t.send("again" + PLAIN_SEND)
    t.wait("Hello from the wire")


@pytest.mark.parametrize("answer", ["\n", "/wait\n"])
def test_in_plain_mode_enter_or_wait_waits_on(
    answer: str, terminal: Start, server: WireServer
) -> None:
    server.default = Reply(text="late", first_delay=5.0)
    t = terminal("--plain", "-o", "timeout.first_token=3")
    t.wait("on a line of its own sends")
    t.send("go" + PLAIN_SEND)
    t.wait("No text for 2 s, gives up at 3 s: Enter or /wait waits on, Ctrl-C stops")
    t.send(answer)
    t.wait("Waiting on")
    t.wait("late")
    t.send("/quit\n")
    assert t.leave() == 0
    assert len(server.requests) == 1


def test_in_plain_mode_wait_does_not_wait_for_what_is_typed_ahead(
    terminal: Start, server: WireServer
) -> None:
    server.replies(Reply(text="late", first_delay=3.0))
    t = terminal("--plain", "-o", "timeout.first_token=2")
    t.wait("on a line of its own sends")
    t.send("first" + PLAIN_SEND)
    t.wait("Sending message")
    t.send("second\n/wait" + PLAIN_SEND + "/wait\n")
    t.wait("Waiting on")
    t.wait("(?s)late.*Hello from the wire")
    assert len(server.requests) == 2
    assert server.requests[1].body["messages"][-1]["content"] == "second\n/wait"


def test_in_plain_mode_what_is_typed_ahead_waits(terminal: Start, server: WireServer) -> None:
    server.replies(Reply(text=["one ", "two ", "three"], delay=0.4))
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("first" + PLAIN_SEND)
    t.wait("one")
    t.send("second\n\nline" + PLAIN_SEND)
    t.wait("Hello from the wire")
    assert server.requests[-1].body["messages"][-1]["content"] == "second\n\nline"
    server.default = Reply(text=["four ", "five"], delay=0.4)
    t.send("third" + PLAIN_SEND)
    t.wait("four")
    t.send("\x04")  # the end of the input, while the reply is coming
    assert t.leave() == 0
    assert "five" in t.text()


def test_G10_in_plain_mode_what_is_typed_ahead_is_no_consent(
    acme: Start, server: WireServer
) -> None:
    t = acme("--plain", "-o", "budget.session=0.005")
    t.send("my question" + PLAIN_SEND + "my question" + PLAIN_SEND)
    t.wait(r"(?s)Send the same again.*Send the same again")
    t.settle(0.5)
    assert not server.requests
    t.send("my question" + PLAIN_SEND)
    t.wait("Hello from the wire")


def test_G12_in_plain_mode_ctrl_c_drops_what_was_typed_ahead(
    terminal: Start, server: WireServer
) -> None:
    server.replies(Reply(text=["begun ", "x"], stall_after=1))
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("first" + PLAIN_SEND)
    t.wait("begun")
    t.send("second" + PLAIN_SEND + "/tokens\n")
    t.settle(0.5)
    assert stop(t) < 1
    t.wait("What you have typed ahead is dropped")
    t.send("third" + PLAIN_SEND)
    t.wait("Hello from the wire")
    asked = [request.body["messages"][-1]["content"] for request in server.requests]
    assert asked == ["first", "third"]
    assert "No tokens" not in t.text()


def test_in_plain_mode_reasoning_stands_apart(terminal: Start, server: WireServer) -> None:
    server.default = Reply(reasoning=["let me ", "see"], text="forty-two")
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("why" + PLAIN_SEND)
    t.wait(r"Thinking:\nlet me see\nAssistant:\nforty-two\n7 in")
    t.send("/set repl.reasoning false\n")
    t.send("why" + PLAIN_SEND)
    t.wait(r"Thinking…\nAssistant:\nforty-two\n7 in")


def stop(t: Any) -> float:
    """Press Ctrl-C; how long it took until the turn was over. Nobody else may say anything.

    The guarantee is 200 ms; a busy machine adds to it.
    """
    began = time.monotonic()
    t.send("\x03")
    t.wait("Stopped")
    took = time.monotonic() - began
    t.settle(0.5)
    assert not FOREIGN.search(t.text())
    return took


def settled(home: Path) -> list[tuple[str, str]]:
    """State and source of every call in the ledger."""
    with closing(sqlite3.connect(home / "store.db")) as store:
        return list(store.execute("SELECT state, source FROM call"))


@pytest.mark.parametrize("how", ["ctrl-d", "term"])
def test_leaving_keeps_what_came_on_the_screen_and_settles_what_it_cost(
    how: str, acme: Start, server: WireServer, home: Path
) -> None:
    server.replies(Reply(text=["one ", "two ", "three"], stall_after=2))
    t = acme()
    t.send("go" + SEND)
    t.wait("one two")
    if how == "ctrl-d":
        t.send("\x04")
        assert t.leave() == 0
    else:
        t.process.send_signal(signal.SIGTERM)
        assert t.process.wait(10) == 128 + signal.SIGTERM
        t.settle()
    assert "one two" in t.text()
    assert "Stopped; what came is kept" in t.text()
    assert settled(home) == [("settled", "estimate")]


def test_a_reply_that_cannot_be_drawn_does_not_end_the_chat() -> None:
    program = """
from cloudllm.__main__ import main
from cloudllm.repl.render.markdown import MarkdownRenderer
def fail(*_):
    raise ValueError("it cannot be drawn")
MarkdownRenderer.feed = MarkdownRenderer.end = fail
main()
"""
    command = [sys.executable, "-c", program]
    t = Terminal(command, {**os.environ, "CLOUDLLM_MODEL": "echo/echo"})
    try:
        t.wait("/help")
        t.send("hello" + SEND)
        t.wait("^Error: .*it cannot be drawn")
        t.settle()
        t.send("\x03/set repl.markdown false\r")
        t.wait("repl.markdown = false")
        t.send("again" + SEND)
        t.wait("You said: again")
    finally:
        t.close()


def test_a_signal_ends_ask_as_ctrl_c_does(server: WireServer, home: Path, tmp_path: Path) -> None:
    server.replies(Reply(text=["one ", "two ", "three"], stall_after=2))
    write_acme(tmp_path / "site", server.url)
    command = [sys.executable, "-m", "cloudllm", "ask", "-m", "acme/one", "go"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(8) == "one two "
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Stopped; what came is kept" in err
    assert settled(home) == [("settled", "estimate")]


def test_a_connection_that_is_not_made_is_shown_as_such(terminal: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # whose handshake never comes
        t = terminal(OPENAI_BASE_URL=f"https://127.0.0.1:{silent.getsockname()[1]}/v1")
        t.wait("^>")
        t.send("go" + SEND)
        t.wait(r"^. (Getting ready|Sending message)… openai/gpt-6-luna \d+\.\d s$")
        t.wait(r"^. Connecting… openai/gpt-6-luna \d+\.\d s$", timeout=60)
        assert stop(t) < 1
