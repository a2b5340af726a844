"""Type ahead: what is sent while a reply comes in waits, is shown, and can be taken back."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm.repl.cells import width
from cloudllm.repl.queue import Queue, Submission
from cloudllm.repl.sentinel import UserText
from cloudllm.testing import Reply, WireServer
from tests.repl.conftest import Terminal

SEND = "\r\\end\r"
UP = "\x1b[A"
SLOW = Reply(text=["begun ", *["x "] * 300], delay=0.1)
Start = Callable[..., Any]


def held(gate: threading.Event) -> Reply:
    """A reply that begins, and ends when the gate is open."""

    def chunk(text: str, end: str | None = None, **more: object) -> bytes:
        delta = {"role": "assistant", "content": text}
        choice = {"index": 0, "delta": delta, "finish_reason": end}
        data = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return f"data: {json.dumps({**data, 'choices': [choice], **more})}\n\n".encode()

    def steps() -> Iterator[bytes | float]:
        yield chunk("begun ")
        while not gate.is_set():
            yield 0.01
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        yield chunk("and ended", "stop", usage=usage) + b"data: [DONE]\n\n"

    return Reply(stream=steps(), content_type="text/event-stream")


def queued(*drafts: str) -> Queue:
    queue = Queue()
    for draft in drafts:
        queue.put(Submission(draft, UserText(draft)))
    return queue


def test_each_has_a_row_with_its_first_line() -> None:
    assert queued("one", "two\nlines", "\n three ").rows(80) == [
        "queued 1: one",
        "queued 2: two …",
        "queued 3: three",
    ]


def test_of_many_the_first_ones_and_the_last_are_shown() -> None:
    assert queued(*"abcdefg").rows(80) == [
        "queued 1: a",
        "queued 2: b",
        "… 4 more queued",
        "queued 7: g",
    ]
    assert queued(*"abcd").rows(80)[-2:] == ["queued 3: c", "queued 4: d"]


@given(st.lists(st.text(min_size=1), max_size=8), st.integers(1, 60))
def test_G6_the_rows_are_few_fit_and_are_safe(drafts: list[str], columns: int) -> None:
    rows = queued(*drafts).rows(columns)
    assert len(rows) <= 4
    for row in rows:
        assert width(row) <= columns
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", row)


def test_G7_a_secret_has_no_row() -> None:
    (row,) = queued("/set providers.openai.api_key sk-canary").rows(80)
    assert "canary" not in row


def test_a_huge_draft_costs_nothing() -> None:
    draft = "日" * 10_000_000
    start = time.perf_counter()
    (row,) = queued(draft).rows(80)
    assert time.perf_counter() - start < 2
    assert width(row) <= 80


def test_many_cost_no_more_to_show_than_a_few() -> None:
    queue = queued(*["x"] * 20_000)
    start = time.perf_counter()
    for _ in range(100):
        rows = queue.rows(80)
    assert time.perf_counter() - start < 5
    assert rows[2:] == ["… 19997 more queued", "queued 20000: x"]


async def test_they_come_out_in_order_and_the_last_one_can_be_taken() -> None:
    queue = queued("a", "b", "c")
    assert (await queue.next()).draft == "a"
    last = queue.take_last()
    assert last is not None
    assert last.draft == "c"
    assert [each.draft for each in queue.take_all()] == ["b"]
    assert queue.take_last() is None
    assert not queue
    waiting = asyncio.ensure_future(queue.next())
    await asyncio.sleep(0)
    queue.put(Submission("d", UserText("d")))
    assert (await waiting).draft == "d"


@pytest.mark.slow
def test_messages_typed_during_a_reply_are_shown_and_sent_after_it_in_order(chat: Any) -> None:
    t = chat.terminal
    gate = threading.Event()
    chat.server.replies(held(gate), Reply(text="the second reply"), Reply(text="the third reply"))
    t.send("first" + SEND)
    t.wait("^begun")
    t.send("second" + SEND + "third\rof two lines" + SEND)
    t.wait(r"queued 1: second\nqueued 2: third …\n>.*\n.*Up takes the last one back")
    gate.set()
    t.wait("the third reply")
    t.wait_gone("queued")
    asked = [request.body["messages"][-1]["content"] for request in chat.server.requests]
    assert asked == ["first", "second", "third\nof two lines"]
    assert re.search(r"(?s)> first.*> second.*second reply.*> third\n  of two", t.text())


@pytest.mark.slow
def test_a_command_waits_as_well_and_wait_does_not(chat: Any) -> None:
    t = chat.terminal
    gate = threading.Event()
    chat.server.replies(held(gate))
    t.send("first" + SEND)
    t.wait("^begun")
    t.send("/tokens\r")
    t.wait("queued 1: /tokens")
    t.send("/wait\r")
    t.wait("Waiting on, whatever the deadlines say")
    assert "queued 2" not in t.text()
    gate.set()
    t.wait(r"(?s)ended.*> /tokens\nlast reply +7 in")
    t.wait_gone("queued")


def test_up_on_an_empty_editor_takes_the_last_one_back(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(SLOW)
    t.send("upwards" + SEND)
    t.wait("^begun")
    t.send("another" + SEND + "/tokens\r" + "third\rof \\\\end lines" + SEND)
    t.wait("queued 3: third")
    t.send(UP)
    t.wait_gone("queued 3")
    t.wait(r"^> third\n  of \\\\end lines\n")
    t.send(SEND)
    t.wait("queued 3: third …")
    t.send(UP)
    t.wait_gone("queued 3")
    t.send("\x15\x7f\x15")
    t.wait(r"^>$")
    t.send(UP)
    t.wait("^> /tokens")
    assert "queued 2" not in t.text()
    t.send("\x15" + UP)
    t.wait("^> another")
    assert "queued" not in t.text()
    t.send(" changed")
    t.wait("another changed")
    t.send(SEND)
    t.wait("queued 1: another changed")
    t.send("\x03")
    t.wait("Stopped")
    t.settle()
    assert t.editor() == "another changed"


@pytest.mark.slow
def test_what_stands_in_the_editor_is_not_lost_to_up(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(SLOW)
    t.send("ahead" + SEND)
    t.wait("^begun")
    t.send("behind" + SEND)
    t.wait("queued 1: behind")
    t.send("my draft\rof two lines" + UP + "-mark")
    t.wait("^> my draft-mark\n  of two lines")
    assert "queued 1: behind" in t.text()
    t.send("\x03")
    t.wait("Stopped")
    t.settle()
    assert t.editor() == "behind\nmy draft-mark\nof two lines"


def test_G3_stopping_gives_back_what_waited_and_names_the_commands(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(Reply(text="never seen", first_delay=30))
    t.send("first" + SEND)
    t.wait("Waiting for the reply")
    chat.arrived()
    t.send("/tokens\r")
    t.send("second" + SEND)
    t.wait("queued 2: second")
    t.send("a draft")
    t.wait("a draft")
    t.send("\x03")
    t.wait("Not run: /tokens")
    t.settle()
    assert t.editor() == "first\nsecond\na draft"
    assert "queued" not in t.text()
    assert len(chat.server.requests) == 1


@pytest.mark.slow
def test_G3_what_waited_comes_back_when_the_turn_fails(chat: Any) -> None:
    t = chat.terminal
    chat.server.replies(
        Reply.error(429, "busy", headers={"retry-after": "2"}), Reply.error(400, "out of order")
    )
    t.send("it failed" + SEND)
    t.wait("Next try")
    t.send("it waited" + SEND)
    t.wait("queued 1: it waited")
    t.wait("^Error:.*out of order")
    t.settle()
    assert t.editor() == "it failed\nit waited"
    assert len(chat.server.requests) == 2


@pytest.mark.slow
def test_the_queue_leaves_room_for_everything_else(terminal: Start, server: WireServer) -> None:
    server.replies(Reply(text=["line\n\n", *["word "] * 2_000], delay=0.02))
    t = terminal(rows=50, columns=200)
    t.wait("/help")
    t.send("first" + SEND)
    t.wait("^line")
    for number in range(1, 8):
        t.send(f"message {number} " + "and more " * 40 + SEND)
    t.wait("queued 7: message 7")
    t.wait("word word")
    t.send("the draft\rof two lines")
    t.wait("of two lines")
    for rows, columns in ((50, 200), (12, 40)):
        t.screen.resize(rows, columns)
        fcntl.ioctl(t.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(t.process.pid, signal.SIGWINCH)
        begin = len(t.raw)
        t.send("\x0c")
        while b"\x1b[2J" not in t.raw[begin:]:  # it never is silent
            t._read(0.02)
        t.screen.history.top.clear()
        t.wait("(?s)word word.*more queued.*of two lines\n.*gpt-6-luna")
        shown = [row.rstrip() for row in t.screen.display]
        for sign in ("Receiving", "queued 1: ", "queued 2: ", "more queued", "queued 7: ",
                     "> the draft", "  of two lines", "gpt-6-luna"):  # fmt: skip
            assert sum(sign in row for row in shown) == 1, (sign, shown)
        assert any("word word" in row for row in shown), shown


LATE = """
import asyncio, os
from cloudllm.__main__ import main
from cloudllm.repl.chat import Chat

start = Chat.start
async def gated(self):
    while not os.path.exists(GATE):
        await asyncio.sleep(0.01)
    await start(self)

async def over_already(self, text):
    self.screen.notice(f"begun {text}")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        pass

Chat.start, Chat.send = gated, over_already
main()
"""


@pytest.mark.slow
def test_G3_ctrl_c_gives_back_what_waits_though_no_reply_is_there_to_stop(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    program = LATE.replace("GATE", repr(str(gate)))
    t = Terminal([sys.executable, "-c", program], {**os.environ, "CLOUDLLM_MODEL": "echo/echo"})
    try:
        t.wait("^>")
        t.send("/setup key\rhidden")
        t.wait("queued 1: /setup key")
        t.send("\x03")
        t.wait("Not run: /setup key")
        t.send("early")
        t.wait("^> early")
        t.send(SEND)
        t.wait("queued 1: early")
        t.send("\x03")
        t.wait_gone("queued")
        t.wait("^> early")
        gate.touch()
        t.wait("/help")
        t.settle()
        t.send(SEND)
        t.wait("begun early")
        t.send("second" + SEND)
        t.wait("queued 1: second")
        t.send("\x03")
        t.wait_gone("queued")
        t.settle()
        assert t.editor() == "second"
    finally:
        t.close()
