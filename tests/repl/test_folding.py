"""Long pastes: folded on the screen, and whole wherever the draft goes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.folding import CHARACTERS, LINES, Folds
from cloudllm.repl.sentinel import Grammar, UserText
from tests.repl.editing import (
    BACKSPACE,
    END,
    ESCAPE,
    LEFT,
    META_ENTER,
    REDO,
    RIGHT,
    UNDO,
    UNFOLD,
    pasted,
    typed,
)

SEND = "\r\\end\r"
LONG = "\n".join(f"line {number}" for number in range(40))
WORDS = f"[pasted 40 lines, {len(LONG)} characters: F2 shows it]"

_pieces = st.sampled_from(
    ["\\end", "\n\\end\n", "x", "\r\n", " ", "\x1b]0;t\x07", "\u202e", "é", "/", "\n" * LINES]
)
_pastes = st.lists(_pieces, max_size=30).map("".join).map(lambda text: text.replace("\x1b", "?"))


@pytest.mark.parametrize("lines", [LINES, LINES + 1])
def test_a_paste_is_folded_if_it_has_more_lines_than_the_bound(lines: int) -> None:
    text = "\n".join(["x"] * lines)
    folded = lines > LINES
    assert len(typed(pasted(text)).shown) == (1 if folded else lines)


def test_one_very_long_line_is_folded() -> None:
    result = typed(pasted("x" * (CHARACTERS + 1)))
    assert result.shown == [f"[pasted 1 line, {CHARACTERS + 1:,} characters: F2 shows it]"]


def test_the_words_stand_where_the_paste_does_and_the_draft_has_all_of_it() -> None:
    result = typed("see ", pasted(LONG), " there")
    assert result.shown == [f"see {WORDS} there"]
    assert result.draft == f"see {LONG} there"


def test_a_newline_at_the_end_of_a_paste_stays_one() -> None:
    result = typed(pasted(LONG + "\n"), "more")
    assert result.shown == [WORDS, "more"]
    assert result.draft == f"{LONG}\nmore"


def test_for_the_cursor_a_folded_paste_is_one_character() -> None:
    result = typed("a", pasted(LONG), "b", LEFT, LEFT, "<", RIGHT, ">")
    assert result.draft == f"a<{LONG}>b"


def test_it_goes_at_once_and_undo_brings_it_back() -> None:
    keys = ("a", pasted(LONG), BACKSPACE)
    assert typed(*keys).draft == "a"
    assert typed(*keys, UNDO).shown == [f"a{WORDS}"]
    assert typed(*keys, UNDO, REDO).draft == "a"


def test_what_was_cut_can_be_put_elsewhere() -> None:
    result = typed(pasted(LONG), "\x01", "\x0b", "before ", "\x19")
    assert result.shown == [f"before {WORDS}"]


def test_unfolding_shows_all_and_keeps_the_place_and_undo_folds_again() -> None:
    keys = ("a", pasted(LONG), "b", LEFT, UNFOLD)
    result = typed(*keys)
    assert result.shown == f"a{LONG}b".split("\n")
    assert result.cursor == len(LONG) + 1
    assert typed(*keys, UNDO).shown == [f"a{WORDS}b"]


def test_up_and_down_step_over_it() -> None:
    result = typed("one\n", pasted(LONG), "\nthree", "\x1b[A\x1b[A", END, "!")
    assert result.draft == f"one!\n{LONG}\nthree"


def test_the_submitted_draft_and_the_history_have_all_of_it() -> None:
    result = typed(pasted(LONG), SEND)
    assert result.submitted == [LONG]
    assert result.buffer.history.get_strings() == [LONG]


def test_G13_a_sentinel_typed_right_after_a_folded_last_newline_submits() -> None:
    assert typed(pasted(LONG + "\n"), "\\end\r").submitted == [LONG]


def test_G13_a_sentinel_typed_behind_folded_text_is_part_of_its_last_line() -> None:
    result = typed(pasted(LONG), "\\end\r")
    assert not result.submitted
    assert result.draft == f"{LONG}\\end\n"


@given(_pastes, _pastes)
@settings(deadline=None)
def test_G13_folding_changes_nothing_of_what_a_paste_means(first: str, second: str) -> None:
    grammar = Grammar()
    buffer, plain = DraftBuffer(), ""
    for paste in (first, second):
        buffer.insert_pasted(grammar.pasted(paste, *buffer.around))
        plain += grammar.pasted(paste, plain, "")
        assert buffer.draft == plain
        assert grammar.enter(plain, len(plain)) in (None, plain)  # at most it runs as a command


@given(_pastes.map(lambda text: f"{text}\n{LONG}\n{text}"))
@settings(deadline=None)
def test_G13_a_folded_paste_is_sent_as_it_is(paste: str) -> None:
    grammar = Grammar()
    buffer = DraftBuffer()
    buffer.insert_pasted(grammar.pasted(paste, "", ""))
    assert "\n" not in buffer.text.removesuffix("\n")
    assert grammar.decode(buffer.draft) == UserText(paste.replace("\r\n", "\n"))


@given(st.lists(st.text(st.sampled_from("ab\n\ud800\ud801\udcff\ue000"), max_size=40), max_size=6))
@settings(deadline=None)
def test_a_text_that_comes_back_is_never_taken_for_a_fold(texts: list[str]) -> None:
    folds = Folds()
    for text in texts:
        folds.fold(text.replace("\ud800", "").replace("\ud801", "") + "\n" * 20 + "x")
    for text in texts:
        harmless = text.replace("\ud800", "\ufffd").replace("\ud801", "\ufffd")
        assert folds.expand(folds.refold(text)) == harmless


def test_what_comes_back_is_folded_again() -> None:
    buffer = DraftBuffer()
    buffer.insert_pasted(LONG)
    folded = buffer.text
    buffer.reset()
    buffer.insert_text("typed since")
    buffer.put_ahead(LONG)
    assert buffer.text == f"{folded}\ntyped since"
    assert buffer.draft == f"{LONG}\ntyped since"


def test_after_a_thousand_folds_a_paste_is_shown_as_it_is() -> None:
    folds = Folds()
    marks = [folds.fold(f"{number}{LONG}") for number in range(1_100)]
    assert [folds.expand(mark) for mark in marks] == [f"{number}{LONG}" for number in range(1_100)]
    assert marks[-1] == f"1099{LONG}"


@pytest.mark.parametrize(
    ("keys", "draft"),
    [
        ("dw", "a b"),
        ("xp", f"a  {LONG}b"),
        ("xu", f"a {LONG} b"),
        ("cwnew", "a newb"),
        ("x0P", f"{LONG}a  b"),
        ("yyp", f"a {LONG} b\na {LONG} b"),
        ("~", f"a {LONG} b"),
    ],
)
def test_for_vi_it_is_one_character_too(keys: str, draft: str) -> None:
    result = typed("a ", pasted(LONG), " b", ESCAPE, "0w", keys, mode="vi")
    assert result.draft == draft


def test_the_words_cost_nothing_that_grows_with_the_paste() -> None:
    folds = Folds()
    mark = folds.fold("x\n" * 5_000_000 + "x")
    start = time.process_time()
    for _ in range(200):
        assert folds.words(mark).startswith("[pasted 5,000,001 lines")
    assert time.process_time() - start < 0.1


def test_a_hidden_answer_is_not_folded() -> None:
    buffer = DraftBuffer()
    buffer.hidden = True
    buffer.insert_pasted(LONG)
    assert buffer.text == LONG


def test_meta_enter_submits_it() -> None:
    assert typed("a ", pasted(LONG), META_ENTER).submitted == [f"a {LONG}"]
