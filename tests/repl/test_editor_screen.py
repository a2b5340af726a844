"""The editor on a real terminal: long pastes, the editor outside, vi, what is offered."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SEND = "\r\\end\r"
LINES = [
    f"{number:05d} a line of the paste \x1b]0;owned\x07 and \u202e more" for number in range(10_000)
]
PASTE = "\n".join(LINES)
WORDS = rf"\[pasted 10,000 lines, {len(PASTE):,} characters: F2 shows it\]"


def test_a_long_paste_is_one_row_and_goes_with_one_key(chat: Any) -> None:
    t = chat.terminal
    t.send("see ")
    t.paste(PASTE.replace("\x1b", ""))
    t.wait(r"^> see \[pasted 10,000 lines, [\d,]+ characters: F2 shows it\]$")
    t.send(" and say")
    t.wait("F2 shows it] and say$")
    t.send("\x7f" * len(" and say") + "\x7f")
    t.wait("^> see$")


def test_G6_a_paste_that_is_unfolded_is_as_safe_as_typed_text(chat: Any) -> None:
    t = chat.terminal
    before = len(t.raw)
    t.paste("x\n" * 20 + "\x9b31;5;77m \u202e\x07 end")
    t.wait(r"\[pasted 21 lines")
    t.send("\x18f")
    t.wait("<U\\+202E>.* end$")
    sent = t.raw[before:]
    assert b"\x9b31;5" not in sent
    assert "\u202e".encode() not in sent
    t.send("\x1f")  # undo folds it again
    t.wait(r"^> \[pasted 21 lines")


def test_what_was_typed_before_is_offered_dim_and_taken(chat: Any) -> None:
    t = chat.terminal
    t.send("a rather special question\x03")
    t.wait_gone("special")
    t.send("a rather sp")
    t.wait("^> a rather special question$")
    row = next(n for n, line in enumerate(t.screen.display) if line.startswith("> a rather sp"))
    typed, offered = t.screen.buffer[row][10], t.screen.buffer[row][15]
    assert (typed.italics, offered.italics) == (False, True)
    assert t.screen.cursor.x == len("> a rather sp")
    t.send("\x1b[C!")
    t.wait("^> a rather special question!$")


def test_a_command_is_explained_while_it_is_typed(chat: Any) -> None:
    t = chat.terminal
    t.send("/undo")
    t.wait("^> /undo +.*take the last turn back")
    t.send("\r")
    t.wait("nothing to undo|no turn|There is")
    assert not chat.server.requests


OUTSIDE = """#!/bin/sh
grep -c 'a line of the paste' "$1" > "{found}"
printf 'written outside\\n' >> "$1"
"""


@pytest.mark.slow
def test_the_editor_outside_gets_all_of_it_and_submits_nothing(
    terminal: Callable[..., Any], server: Any, tmp_path: Path
) -> None:
    found, editor = tmp_path / "found", tmp_path / "editor"
    editor.write_text(OUTSIDE.format(found=found))
    editor.chmod(0o700)
    t = terminal(rows=50, columns=200, EDITOR=str(editor))
    t.wait("^>")
    text = PASTE.replace("\x1b", "")
    t.paste(f"{text}\n")
    t.wait(r"^> \[pasted 10,000 lines")
    t.send("\x18\x05")
    t.wait(r"^> \[pasted 10,000 lines, [\d,]+ characters: F2 shows it\]\n  written outside$")
    assert found.read_text().strip() == "10000"
    assert not server.requests
    t.send(SEND)
    t.wait("Hello from the wire")
    assert server.requests[-1].body["messages"][-1]["content"] == f"{text}\nwritten outside"


@pytest.mark.slow
def test_vi_on_a_terminal(terminal: Callable[..., Any], server: Any) -> None:
    t = terminal(rows=50, columns=200, CLOUDLLM_REPL__EDITING_MODE="vi")
    t.wait("^>")
    t.send("one two\x1b")
    t.settle(0.6)
    t.send("bcwthree\x1b")
    t.settle(0.6)
    t.wait("^> one three$")
    t.send("A" + "\x1b\r")
    t.wait(r"^> one three\n(.*\n)*> *$")  # it is sent: its echo, and an empty editor
    t.send("\x03")
    t.settle()
    t.send("\x03")
    t.wait_gone("Sending")
    t.settle()
    t.send("\x12thr\r")
    t.settle()
    assert t.editor() == "one three"
    t.send("\x1b")
    t.settle(0.6)
    t.send("k\x03")
    t.settle()
    assert t.editor() == ""
    assert not re.search("Traceback", t.text())
