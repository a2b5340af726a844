"""The terminal's answer about its background: found wherever it comes, and never typed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cloudllm.repl.background import QUESTION, Background

XTERM = {"TERM": "xterm-256color"}
WHITE = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\"


def typed(background: Background, *pieces: str) -> str:
    return "".join(background.without_answer(piece) for piece in pieces) + background.held()


def asked() -> Background:
    background = Background(XTERM)
    assert background.ask() == QUESTION
    assert background.ask() == ""
    return background


@pytest.mark.parametrize(
    ("answer", "dark"),
    [
        (WHITE, False),
        ("\x1b]11;rgb:0000/0000/0000\x07", True),
        ("\x1b]11;rgb:1e/1e/2e\x07", True),
        ("\x1b]11;rgba:fafa/fafa/fafa/ffff\x1b\\", False),
        ("\x1b]11;rgb:f/f/f\x1b\\", False),
        ("\x1b]11;nonsense\x1b\\", True),
        ("\x1b]11;\x1b\\", True),
    ],
)
def test_the_answer_is_not_typed_however_it_is_cut(answer: str, dark: bool) -> None:
    whole = f"a{answer}b"
    for cuts in [(), *((at,) for at in range(len(whole))), tuple(range(len(whole)))]:
        background = asked()
        pieces = [whole[a:b] for a, b in pairwise([0, *cuts, len(whole)])]
        assert typed(background, *pieces) == "ab"
        assert background.dark is dark


@pytest.mark.parametrize("keys", ["\x1b", "\x1b]", "\x1b[A", "\x1b]11", "\x1b]1x", "\x1bf]11;"])
def test_keys_that_begin_like_an_answer_are_typed(keys: str) -> None:
    background = asked()
    assert typed(background, *keys) == keys
    assert typed(background, WHITE, keys) == keys


def test_without_a_question_nothing_is_looked_for() -> None:
    assert typed(Background(XTERM), WHITE) == WHITE
    for term in ("linux", "dumb"):
        assert Background({"TERM": term}).ask() == ""
    assert Background({}).ask() == ""


def test_the_end_waits_a_moment_for_the_answer_and_no_longer() -> None:
    assert Background(XTERM).patience == 0
    background = asked()
    assert 0 < background.patience <= 0.1
    typed(background, WHITE)
    assert background.patience == 0


@pytest.mark.parametrize(("hint", "dark"), [("15;0", True), ("0;15", False), ("", True)])
def test_colorfgbg_is_a_hint(hint: str, dark: bool) -> None:
    assert Background({"COLORFGBG": hint}).dark is dark
