"""Whatever a reply carries, a renderer gives text and our own styles, and all of it (G6)."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.repl.render.frame import Renderer, Row
from cloudllm.repl.render.markdown import MarkdownRenderer
from cloudllm.repl.render.plain import PlainRenderer
from cloudllm.repl.render.sanitize import clean, own_styles_only
from cloudllm.repl.theme import theme
from tests.repl.hostile import CORPUS, MARKDOWN, forbidden

OWN = re.compile(r"\x1b\[(?:0|[1-9]|3[0-7]|9[0-7]|38;5;\d+)(?:;(?:\d|3[0-7]|9[0-7]|38;5;\d+))*m")
"""Bold, dim, italic, underline, strike and colours; neither concealed text nor blinking."""

THEME = theme("dark")
Make = Callable[[], Renderer]


def markdown() -> Renderer:
    return MarkdownRenderer(60, 12, THEME)


def plain() -> Renderer:
    return PlainRenderer(60, 12, THEME.look("dim"))


def rendered(make: Make, pieces: Iterable[str]) -> str:
    """What the pieces come to in the scrollback, our styles taken away; all of it is safe."""
    renderer = make()
    rows: list[str] = []
    for piece in pieces:
        frame = renderer.feed(piece)
        rows += frame.commit
        _assert_live_is_safe(frame.live)
    rows += renderer.end().commit
    shown = OWN.sub("", "\n".join(rows))
    assert [character for character in shown if forbidden(character)] == []
    return shown


def _assert_live_is_safe(live: Iterable[Row]) -> None:
    for row in live:
        for style, text in row:
            assert not re.search(r"[^ -~]", style)
            assert [c for c in text if forbidden(c) or c == "\n"] == []


def _dense(text: str) -> str:
    """Without white space, and without the bars that tables and quotes are drawn with."""
    return re.sub(r"[\s│┃─┼╭╮╰╯├┤┬┴]", "", text)


@pytest.mark.parametrize("case", [*CORPUS, *MARKDOWN], ids=lambda case: case["id"])
def test_G6_a_rendered_reply_is_safe_wherever_it_is_cut(case: dict[str, str]) -> None:
    text = f"begin {case['text']}\n\nend\n" if case in CORPUS else case["text"]
    whole = rendered(markdown, [text])
    assert rendered(markdown, text) == whole
    if len(text) < 60:
        for cut in range(1, len(text)):
            assert rendered(markdown, [text[:cut], text[cut:]]) == whole


@pytest.mark.parametrize("case", MARKDOWN, ids=lambda case: case["id"])
def test_G6_nothing_of_hostile_markdown_is_swallowed(case: dict[str, list[str]]) -> None:
    shown = _dense(rendered(markdown, [str(case["text"])]))
    for part in case["contains"]:
        assert _dense(part) in shown


def test_G6_without_markdown_a_reply_is_shown_as_the_filter_leaves_it() -> None:
    for case in CORPUS:
        shown = [rendered(plain, pieces) for pieces in ([case["text"]], case["text"])]
        assert {each.rstrip() for each in shown} == {case["shown"].expandtabs().rstrip()}


PIECES = [
    *("\x1b[31337m", "\x1b]0;x\x07", "\x9b2J", "&#27;", "&#x202e;", "%1b", "\u202e", "\r", "\r\n"),
    *(
        "\n",
        "\n\n",
        "# ",
        "- ",
        "> ",
        "1. ",
        "```",
        "`",
        "*",
        "**",
        "~~",
        "|",
        "|-|",
        "[",
        "](",
        ")",
    ),
    *("<", ">", "<b>", "!", "    ", "\t", "x", "word ", "\u4e2d", "\U0001f469\u200d", "\u0301"),
    *("\ud83d", "\ude00", "\U000e0041", "https://e.example/", '"', "[r]: ", "\\", "\x00", "\x7f"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(max_examples=150)
def test_G6_random_markdown_of_hostile_pieces_is_safe(pieces: list[str]) -> None:
    rendered(markdown, pieces)


@pytest.mark.slow
def test_G6_every_single_code_point_is_safe_in_markdown_and_as_an_entity() -> None:
    for begin in range(0, sys.maxunicode + 1, 0x2000):
        if begin < 0x3000 or 0xD800 <= begin < 0x12000 or begin >= 0xE0000:
            rendered(markdown, ["".join(f"{chr(n)} " for n in range(begin, begin + 0x2000))])
    rendered(markdown, [" ".join(f"&#{number};" for number in range(0x100))])


def test_G6_the_last_step_lets_nothing_act_but_a_style() -> None:
    for case in CORPUS:
        rest = re.sub(r"\x1b\[[\d;]*m", "", own_styles_only(case["text"]))
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", rest)
        row = THEME.paint(clean(case["text"]), "error")
        assert own_styles_only(row) == row
