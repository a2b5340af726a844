"""Bursts of keys: merged, and still meaning what they would mean one by one."""

from __future__ import annotations

import os
import pty
import select
import tty
from collections.abc import Iterator
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from cloudllm.repl.background import Background
from cloudllm.repl.input import LINES, BurstInput, merge_runs, split_lines
from cloudllm.repl.sentinel import Grammar
from tests.repl.editing import typed

_ENTER = KeyPress(Keys.ControlM, "\r")
_keys = st.lists(
    st.one_of(
        st.characters(min_codepoint=32, max_codepoint=126).map(KeyPress),
        st.sampled_from([_ENTER, KeyPress(Keys.Escape), KeyPress(Keys.Up, "\x1b[A")]),
    ),
    max_size=200,
)


def _typed(text: str) -> list[KeyPress]:
    return [KeyPress(character) for character in text]


def test_a_long_run_becomes_one_press_after_two_single_keys() -> None:
    merged = merge_runs([*_typed("x" * 40), _ENTER, *_typed("short")])
    assert [key.data for key in merged] == ["x", "x", "x" * 38, "\r", *"short"]


def test_after_a_line_the_next_is_one_press_altogether() -> None:
    merged = merge_runs([*_typed("x" * 40), _ENTER, *_typed("y" * 40), _ENTER, _ENTER])
    assert [key.data for key in merged] == ["x", "x", "x" * 38, "\r", "y" * 40 + "\r\r"]


def test_a_key_after_escape_stays_alone_so_that_escape_f_keeps_its_meaning() -> None:
    merged = merge_runs([KeyPress(Keys.Escape, "\x1b"), *_typed("f" + "y" * 40)])
    assert [key.data for key in merged[:3]] == ["\x1b", "f", "y"]


@given(_keys)
def test_G13_merging_changes_no_key_and_no_order(keys: list[KeyPress]) -> None:
    merged = merge_runs(keys)
    assert "".join(key.data for key in merged) == "".join(key.data for key in keys)
    assert _single(merged) == keys


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[int, BurstInput]]:
    """The keyboard's end of a terminal, and what reads at the other one."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with os.fdopen(slave) as stdin:
        keyboard = BurstInput(stdin, None, Background({}))
        keyboard.mergeable = lambda: True
        yield master, keyboard
    os.close(master)


_texts = st.lists(
    st.sampled_from(
        ["\r", "\t", "\n", "\x7f", "\x01", "é", "\u202e", "\x1b[A", "\x1b", "\x9b", "ab"]
    )
    | st.sampled_from(["long " * 8, "x" * 40, "ж" * 33, "lo\u00ad" * 20, "\x1b[200~a\rb\x1b[201~"]),
    max_size=12,
).map("".join)


@given(st.lists(_texts, min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_G13_a_burst_is_read_as_the_keys_that_it_is(
    pair: tuple[int, BurstInput], texts: list[str]
) -> None:
    master, keyboard = pair
    found: list[KeyPress] = []
    expected: list[KeyPress] = []
    parser = Vt100Parser(expected.append)
    for text in texts:
        os.write(master, text.encode())
        while select.select([keyboard.fileno()], [], [], 0)[0]:
            found += keyboard.read_keys()
        parser.feed(text)
    found += keyboard.flush_keys()
    parser.flush()
    assert [key.data for key in found if key.key is Keys.BracketedPaste] == [
        key.data for key in expected if key.key is Keys.BracketedPaste
    ]
    assert _single(found) == _single(expected)


def _single(keys: list[KeyPress]) -> list[KeyPress]:
    """The keys that were pressed, one by one."""
    single: list[KeyPress] = []
    for key in keys:
        if key.key is LINES and key.data.endswith("\r"):
            single += _single(split_lines(key.data))
        else:
            single += map(KeyPress, key.data) if key.key is Keys.Any else [key]
    return single


_ANSWER = "\x1b]11;rgb:0000/0000/0000\x1b\\"


@pytest.mark.parametrize(
    "pieces",
    [
        [f"a\x1b[200~{_ANSWER}\x1b[201~{_ANSWER}b"],
        ["a\x1b[200~", f"{_ANSWER}\x1b[201~{_ANSWER}b"],
        ["a\x1b", f"[200~{_ANSWER}\x1b[201~b"],
        [f"a{_ANSWER[:9]}", f"{_ANSWER[9:]}\x1b[200~{_ANSWER}\x1b[201~b"],
    ],
)
def test_G13_a_paste_that_looks_like_an_answer_of_the_terminal_is_text(
    pair: tuple[int, BurstInput], pieces: list[str]
) -> None:
    master, _ = pair
    background = Background({"TERM": "xterm"})
    background.ask()
    slave = os.open(os.ttyname(pair[1].fileno()), os.O_RDWR)
    found: list[KeyPress] = []
    with os.fdopen(slave) as stdin:
        keyboard = BurstInput(stdin, None, background)
        for piece in pieces:
            os.write(master, piece.encode())
            found += keyboard.read_keys()
    assert [key.data for key in found] == ["a", _ANSWER, "b"]


_lines = st.lists(
    st.sampled_from(
        ["a line that is long enough", "\\end", " \\end ", "\\\\end", "/quit", "", "ab", "é"]
    ),
    max_size=8,
).map("\r".join)


@given(_lines, st.sampled_from(["sentinel", "enter"]))
@settings(max_examples=12, deadline=None)
def test_G13_a_burst_of_lines_does_what_it_would_one_by_one(
    text: str, submit: Literal["sentinel", "enter"]
) -> None:
    keys: list[KeyPress] = []
    Vt100Parser(keys.append).feed(f"a first line, long enough\r{text}\r")
    grammar = Grammar(submit=submit)
    merged = typed(burst=merge_runs(keys), grammar=grammar)
    single = typed(burst=keys, grammar=grammar)
    assert (merged.draft, merged.submitted) == (single.draft, single.submitted)


def test_lines_into_a_search_are_typed_into_it() -> None:
    keys: list[KeyPress] = []
    Vt100Parser(keys.append).feed("\x12a first line, long enough\ra second line, long enough\r")
    merged = typed(burst=merge_runs(keys))
    assert (merged.draft, merged.submitted) == ("a second line, long enough\n", [])
