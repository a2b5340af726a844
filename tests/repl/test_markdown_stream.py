"""Markdown that streams: whatever the pieces, the scrollback is that of the whole document."""

from __future__ import annotations

import random
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.repl.render import inline, parser
from cloudllm.repl.render.blocks import Piece
from cloudllm.repl.render.cells import cells
from cloudllm.repl.render.flow import Flow
from cloudllm.repl.render.markdown import MarkdownRenderer
from cloudllm.repl.render.sanitize import clean
from tests.repl.markdown_corpus import (
    ADVERSARIAL,
    DEFINITIONS,
    THEME,
    adversarial,
    committed,
    cut,
    realistic,
)

lines = st.lists(st.sampled_from(ADVERSARIAL + DEFINITIONS), max_size=12).map("\n".join)


def _without_looks(rows: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[\d;]*m", "", row) for row in rows]


def _parsed_at_once(text: str, width: int) -> list[str]:
    """What one parse of the whole document gives, without any cutting of ours."""
    source = re.findall(r"[^\n]*\n|[^\n]+", clean(text))
    rows = Flow().piece(source, Piece(0), width) if source else []
    return ["".join(text for _, text in row) for row in rows]


def _up_to_the_end(rows: list[str]) -> list[str]:
    """Without blank rows at the end: of code that is never closed, it is not said which there are."""
    while rows and not rows[-1].strip():
        rows = rows[:-1]
    return rows


def _both_ways(seeds: range, width: int) -> None:
    for seed in seeds:
        rng = random.Random(seed)
        for text in (realistic(rng), adversarial(rng)):
            whole = committed([text], width)
            assert committed(cut(rng, text), width) == whole, f"seed {seed}: {text!r}"
        for text in (realistic(rng), adversarial(rng, definitions=False)):
            shown = _without_looks(committed(cut(rng, text), width))
            expected = _parsed_at_once(text, width)
            assert _up_to_the_end(shown) == _up_to_the_end(expected), f"seed {seed}: {text!r}"


@pytest.mark.parametrize("width", [30, 80, 200])
def test_random_replies_give_the_rows_of_the_whole_document(width: int) -> None:
    _both_ways(range(3), width)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 80, 200])
def test_many_random_replies_give_the_rows_of_the_whole_document(width: int) -> None:
    _both_ways(range(1_000, 1_008), width)


@given(lines, st.lists(st.integers(0, 150), max_size=8), st.sampled_from([12, 80, 200]))
@settings(max_examples=60)
def test_the_cuts_never_matter(text: str, cuts: list[int], width: int) -> None:
    bounds = [0, *sorted(min(at, len(text)) for at in cuts), len(text)]
    pieces = [text[begin:end] for begin, end in pairwise(bounds)]
    assert committed(pieces, width) == committed([text], width)


@pytest.mark.slow
def test_live_rows_fit_and_a_resize_lays_the_open_block_out_anew() -> None:
    rng = random.Random(5)
    text = "".join(realistic(rng) for _ in range(4))
    whole = committed([text], 80)
    renderer = MarkdownRenderer(80, 10, THEME)
    rows: list[str] = []
    for number, piece in enumerate(cut(rng, text)):
        frame = renderer.feed(piece)
        rows += frame.commit
        if number % 3 == 0:
            narrow = renderer.resize(23, 4)
            assert narrow.commit == []
            assert len(narrow.live) <= 4
            assert all(sum(cells(text) for _, text in row) <= 23 for row in narrow.live)
            assert renderer.resize(80, 10).live == frame.live
    assert rows + renderer.end().commit == whole


def test_a_finished_block_is_committed_while_the_next_one_is_open() -> None:
    renderer = MarkdownRenderer(40, 10, THEME)
    assert renderer.feed("One *para").commit == []
    assert renderer.feed("graph*.\n\n").commit == []
    frame = renderer.feed("- a\n- b")
    assert _without_looks(frame.commit) == ["One paragraph."]
    frame = renderer.feed("\n- c")
    assert _without_looks(frame.commit) == ["", "• a"]
    assert ["".join(text for _, text in row) for row in frame.live] == ["• b", "• c"]


def test_a_line_that_may_become_anything_is_not_shown_yet() -> None:
    renderer = MarkdownRenderer(40, 10, THEME)
    renderer.feed("Text\n")
    assert renderer.feed("-").live == [[("", "Text")]]
    assert renderer.feed("--").live == [[("", "Text")]]
    assert "bold" in renderer.feed("\n").live[0][0][0]


def test_a_definition_that_is_half_received_is_forgotten() -> None:
    renderer = MarkdownRenderer(60, 10, THEME)
    for character in "[r]: https://e.example/\n\n[again][r]\n":
        renderer.feed(character)
    assert _without_looks(renderer.end().commit)[-1] == "again (https://e.example/)"


def test_code_longer_than_the_screen_shows_its_end_and_is_committed_whole() -> None:
    code = [f"line_{number} = {number}" for number in range(300)]
    renderer = MarkdownRenderer(40, 10, THEME)
    rows = renderer.feed("```python\n").commit
    for line in code:
        frame = renderer.feed(f"{line}\n")
        rows += frame.commit
        assert "".join(text for _, text in frame.live[-1]) == line or frame.commit
    assert len(rows) > 200
    rows += renderer.feed("```\n").commit
    assert _without_looks(rows) == ["```python", *code, "```"]


def test_a_block_too_long_to_lay_out_each_time_shows_its_last_lines() -> None:
    rows = [f"| row {number} | {'x' * 30} |\n" for number in range(400)]
    renderer = MarkdownRenderer(60, 5, THEME)
    renderer.feed("| a | b |\n|---|---|\n")
    frame = renderer.feed("".join(rows))
    assert frame.commit == []
    assert [row[0][1] for row in frame.live][-1] == rows[-1].strip()
    committed_rows = renderer.end().commit
    assert len(committed_rows) == 402


def _seconds(text: str) -> float:
    """For 100 characters in each frame."""
    renderer = MarkdownRenderer(100, 20, THEME)
    begin = time.process_time()
    for at in range(0, len(text), 100):
        renderer.feed(text[at : at + 100])
    renderer.end()
    return time.process_time() - begin


LONG = {
    "brackets": "![" * 30_000,
    "code": "```python\n" + "def f(x): return 'abc' # note\n" * 1_000,
    "items": "- top\n" + "  - item with *text* and `code`\n" * 1_000,
    "table": "| a | b |\n|--|--|\n" + "| cell *one* | cell two |\n" * 1_000,
    "quote": "> quoted *text* here, with words\n" * 1_000,
    "line": "some *words* of a paragraph that goes on " * 1_000,
    "ideographs": "中文字符和更多的文字。" * 4_000,
    "links": "<https://e.example/a> " * 2_000,
    "bars": "| a | b |\n|--|--|\n" + "|" * 60_000,
    "digits": "3141592653" * 20_000,
}


def test_what_may_become_anything_is_shown_when_it_is_long() -> None:
    renderer = MarkdownRenderer(40, 3, THEME)
    assert renderer.feed("1234567890" * 15).live == []
    assert "".join(row[0][1] for row in renderer.feed("1234567890" * 15).live) == "1234567890" * 10


@pytest.mark.parametrize("head", ["~~~ a|b", "```a|b", "- a|b", "- x\n- a|b", "> a|b", "# a|b"])
def test_a_block_is_no_table_because_of_the_line_after_it(head: str) -> None:
    text = f"{head}\n|---|---|\n"
    assert committed([text], 40) == committed(list(text), 40)
    assert "┼" not in "".join(committed([text], 40))


def test_emphasis_in_emphasis_has_its_look_once() -> None:
    tokens = parser.parse(["*a **b " * 50 + "c** d*" * 50], {}) or []
    (line,) = inline.lines(tokens[1].children or ())
    assert {looks for looks, _ in line} <= {("emphasis",), ("emphasis", "strong")}


def test_an_emoji_that_a_lexer_takes_apart_is_as_wide_as_it_is_drawn() -> None:
    renderer = MarkdownRenderer(3, 5, THEME)
    live = renderer.feed("```python\nab❤️").live
    assert ["".join(text for _, text in row) for row in live] == ["ab", "❤️"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", LONG)
def test_the_cost_of_a_long_block_is_linear(kind: str) -> None:
    text = LONG[kind]
    floor = min(_seconds(text[: len(text) // 4]) for _ in range(2))
    assert _seconds(text) < 4 * 2 * floor
