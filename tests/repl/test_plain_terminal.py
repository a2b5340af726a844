"""The chat on a terminal without a screen of its own: text that only grows, keys that stop and leave."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer


@pytest.mark.slow
def test_G14_a_dumb_terminal_gets_append_only_text(terminal: Any, server: WireServer) -> None:
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("hi\n\\end\n")
    t.wait("Hello from the wire")
    t.wait("12 tokens")
    assert b"\x1b" not in t.raw
    server.replies(Reply.error(400, "out of order"))
    t.send("hi\n\\end\n")
    t.wait("out of order")
    t.send("again\n\\end\n")
    t.wait(r"(?s)Hello from the wire.*Hello from the wire")
    t.send("\x04")
    assert t.leave() == 0


@pytest.mark.slow
def test_G12_ctrl_c_in_plain_mode_stops_the_reply_and_keeps_the_chat(
    terminal: Any, server: WireServer
) -> None:
    server.replies(Reply(text=["begun ", *["x"] * 300], delay=0.1))
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("hi\n\\end\n")
    t.wait("begun")
    start = time.monotonic()
    t.send("\x03")
    t.wait("Stopped")
    assert time.monotonic() - start < 1
    t.send("again\n\\end\n")
    t.wait("12 tokens")
    t.settle()
    t.send("\x03")
    t.wait("again, or Ctrl-D")
    t.send("\x03")
    assert t.leave() == 130


def test_G14_a_terminal_that_is_dumb_gets_no_escapes(terminal: Any) -> None:
    t = terminal(TERM="dumb")
    t.wait("on a line of its own sends")
    t.send("\x04")
    assert t.leave() == 0
    assert b"\x1b" not in t.raw


@pytest.mark.slow
def test_G12_ctrl_c_drops_a_begun_block(terminal: Any, server: WireServer) -> None:
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("wrong text\n")
    t.settle()
    t.send("\x03")
    t.wait("is dropped")
    t.send("right text\n\\end\n")
    t.wait("Hello from the wire")
    assert server.requests[0].body["messages"][-1]["content"] == "right text"


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "code"), [(["\x04"], 0), (["\x03", "\x03"], 130)])
def test_G5_who_leaves_plain_mode_is_told_first_what_is_not_saved(
    keys: list[str], code: int, terminal: Any, home: Path
) -> None:
    (home / "store.db").mkdir(parents=True)
    t = terminal("--plain")
    t.wait("on a line of its own sends")
    t.send("hi\n\\end\n")
    t.wait("12 tokens")
    t.settle()
    for key in keys:
        t.send(key)
        t.settle()
    t.wait("Not all that was said is saved. /save FILE")
    t.settle()
    t.send(keys[-1])
    assert t.leave() == code
    t.wait("Not all that was said could be saved.")
