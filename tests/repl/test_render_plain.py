"""The plain renderer: what is committed, what stays live, and what it costs."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from cloudllm.repl.render.frame import Frame
from cloudllm.repl.render.plain import TAB, PlainRenderer
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.theme import theme

FAMILY = "👩‍👩‍👧‍👦"
PIECES = ["a", "word ", "\n", "\t", "中", "é", "e\u0301", FAMILY, "🇩🇪", "👍🏽", "❤️", "1️⃣"]
PIECES += ["\x1b[2J", "\r", "\r\n", "\ud83d", "\udc69", "\u200d", "\u202e", "क्‍ष", "x" * 30]
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=20)


def _cut(text: str, cuts: list[int]) -> list[str]:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


def _lines(text: str) -> list[str]:
    """The filtered text's lines, without tabs: those have tests of their own."""
    lines = clean(text).split("\n")
    return lines if lines[-1] else lines[:-1]


def _live(frame: Frame) -> list[str]:
    return ["".join(text for _, text in row) for row in frame.live]


def _commits(renderer: PlainRenderer, pieces: list[str]) -> list[str]:
    frames = [renderer.feed(piece) for piece in pieces]
    return [row for frame in [*frames, renderer.end()] for row in frame.commit]


@given(texts, st.lists(st.integers(0, 120), max_size=10), st.integers(1, 12), st.integers(1, 4))
@settings(max_examples=300)
def test_G6_commits_are_the_filtered_lines_whatever_the_cuts(
    text: str, cuts: list[int], width: int, rows: int
) -> None:
    text = text.replace("\t", "~")
    assert _commits(PlainRenderer(width, rows), _cut(text, cuts)) == _lines(text)


@given(texts, st.lists(st.integers(0, 120), max_size=10))
def test_tabs_end_at_the_same_column_whatever_the_cuts(text: str, cuts: list[int]) -> None:
    whole = _commits(PlainRenderer(20, 3), [text])
    assert _commits(PlainRenderer(20, 3), _cut(text, cuts)) == whole
    assert not any("\t" in row for row in whole)


@given(texts, st.lists(st.integers(0, 120), max_size=10), st.integers(2, 12), st.integers(1, 4))
@settings(max_examples=300)
def test_live_rows_fit_and_do_not_depend_on_the_cuts(
    text: str, cuts: list[int], width: int, rows: int
) -> None:
    renderer = PlainRenderer(width, rows)
    live = [_live(renderer.feed(piece)) for piece in _cut(text, cuts)]
    assert live[-1] == _live(PlainRenderer(width, rows).feed(text))
    for frame in live:
        assert len(frame) <= rows
        assert all(wcswidth(row) <= width for row in frame)


@given(texts, st.integers(2, 12), st.integers(1, 4), st.integers(2, 12), st.integers(0, 60))
def test_resize_changes_rows_and_nothing_else(
    text: str, width: int, rows: int, new_width: int, at: int
) -> None:
    renderer = PlainRenderer(width, rows)
    before = renderer.feed(text[:at]).commit
    resized = renderer.resize(new_width, rows)
    assert resized.commit == []
    assert len(resized.live) <= rows
    assert all(wcswidth(row) <= new_width for row in _live(resized))
    after = [*renderer.feed(text[at:]).commit, *renderer.end().commit]
    assert before + after == _commits(PlainRenderer(width, rows), [text])


def test_a_line_is_committed_once_and_whole() -> None:
    renderer = PlainRenderer(10, 3)
    assert _live(renderer.feed("one long line of text")) == ["one long l", "ine of tex", "t"]
    frame = renderer.feed(" more\nnext")
    assert (frame.commit, _live(frame)) == (["one long line of text more"], ["next"])
    assert renderer.end() == Frame(["next"], [])


def test_only_the_last_rows_stay_live() -> None:
    assert _live(PlainRenderer(2, 2).feed("abcdefg")) == ["ef", "g"]


def test_empty_lines_are_kept_and_a_last_newline_adds_none() -> None:
    renderer = PlainRenderer(10, 3)
    assert renderer.feed("a\n\nb\n") == Frame(["a", "", "b"], [])
    assert renderer.end() == Frame([], [])


def test_a_look_is_on_every_row() -> None:
    frame = PlainRenderer(10, 3, theme().look("dim")).feed("one\n\ntwo")
    assert frame == Frame(["\x1b[2mone\x1b[0m", ""], [[("dim", "two")]])


def test_an_emoji_grows_in_its_place() -> None:
    renderer = PlainRenderer(4, 3)
    live = [_live(renderer.feed(character)) for character in "abc" + FAMILY]
    assert live[-1] == ["abc", FAMILY]
    assert _live(renderer.feed("d")) == ["abc", FAMILY + "d"]


def test_a_selector_that_widens_a_character_moves_it_to_the_next_row() -> None:
    renderer = PlainRenderer(3, 3)
    assert _live(renderer.feed("ab❤")) == ["ab❤"]
    assert _live(renderer.feed("\ufe0f")) == ["ab", "❤\ufe0f"]


def test_a_wide_character_on_a_screen_of_one_cell_gets_a_row() -> None:
    assert _live(PlainRenderer(1, 5).feed("a中b")) == ["a", "中", "b"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\tx", " " * TAB + "x"),
        ("ab\tx", "ab      x"),
        ("中中\tx", "中中    x"),
        ("12345678\tx", "12345678" + " " * TAB + "x"),
        ("\u202e\tx", "<U+202E>" + " " * TAB + "x"),
        (f"{FAMILY}\tx", f"{FAMILY}      x"),
    ],
)
def test_tabs_stop_every_eight_cells(text: str, shown: str) -> None:
    assert _commits(PlainRenderer(80, 5), list(text)) == [shown]


def _seconds(text: str, size: int) -> float:
    renderer = PlainRenderer(100, 20)
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    begin = time.process_time()
    for piece in pieces:
        renderer.feed(piece)
    renderer.end()
    return time.process_time() - begin


@pytest.mark.parametrize("unit", ["word ", "中文", "a\u0301", "👩‍", "a\t"])
def test_the_cost_of_a_line_without_end_is_linear(unit: str) -> None:
    small, large = unit * (20_000 // len(unit)), unit * (160_000 // len(unit))
    floor = min(_seconds(small, 4) for _ in range(3))
    assert _seconds(large, 4) < 8 * 3 * floor
