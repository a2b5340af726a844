"""Editing: keys of emacs and vi, the history, how the text could go on, undo."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.sentinel import Grammar
from tests.repl.editing import (
    CTRL_E,
    CTRL_R,
    DOWN,
    END,
    ESCAPE,
    LEFT,
    META_ENTER,
    REDO,
    RIGHT,
    UNDO,
    UP,
    Typed,
    pasted,
    typed,
)

HISTORY = ["explain lifetimes", "explain borrowing\nin two lines", "/model openai/gpt-6-luna"]


@pytest.mark.parametrize("key", [RIGHT, END, CTRL_E, "\x06"], ids=["right", "end", "^e", "^f"])
def test_what_was_typed_before_is_offered_and_taken_by_a_key(key: str) -> None:
    result = typed("expl", history=HISTORY)
    assert result.shown == ["explain borrowing"]
    assert result.draft == "expl"
    assert typed("expl", key, "!", history=HISTORY).draft == "explain borrowing!"


def test_a_word_of_it_can_be_taken() -> None:
    assert typed("in ", "\x1bf", "", history=HISTORY).draft == "in two"


def test_it_goes_on_the_line_that_is_typed_not_the_whole_text() -> None:
    assert typed("first\rexplain l", RIGHT, history=HISTORY).draft == "first\nexplain lifetimes"


@pytest.mark.parametrize("keys", ["", " ", "zzz", "explain" + LEFT, "in two lines"])
def test_nothing_is_offered_where_nothing_fits_or_the_cursor_is_elsewhere(keys: str) -> None:
    result = typed(keys, history=HISTORY)
    assert "\n".join(result.shown) == result.draft


def test_the_keys_keep_their_meaning_where_nothing_is_offered() -> None:
    assert typed("ab", "\x01", RIGHT, "c", END, "d", "\x01", CTRL_E, "e").draft == "acbde"


def test_what_is_offered_is_safe_to_show_and_is_taken_as_it_was() -> None:
    past = ["hello \x1b]0;owned\x07\u202eworld"]
    assert typed("he", history=past).shown == ["hello ␛]0;owned␇<U+202E>world"]
    assert typed("he", RIGHT, history=past).draft == past[0]


def test_what_is_offered_never_makes_another_row() -> None:
    result = typed("x" * 60, history=["x" * 200])
    assert len(result.shown[0]) < 80


def test_a_secret_answer_gets_no_offer_and_no_echo() -> None:
    buffer = DraftBuffer()
    buffer.history.append_string("explain lifetimes")
    buffer.insert_text("expl")
    assert buffer.continuation() == "ain lifetimes"
    buffer.hidden = True
    assert not buffer.continuation()
    buffer.append_to_history()
    assert buffer.history.get_strings() == ["explain lifetimes"]
    assert not buffer.to_keep()


@given(st.lists(st.text("ab\n/ é", max_size=8), max_size=8), st.text("ab/ é", max_size=4))
@settings(deadline=None)
def test_an_offer_is_always_the_rest_of_a_line_that_was_typed(past: list[str], line: str) -> None:
    buffer = DraftBuffer()
    for entry in past:
        buffer.history.append_string(entry)
    buffer.insert_text(line)
    rest = buffer.continuation()
    lines = [each for entry in past for each in entry.split("\n")]
    assert not rest or line + rest in lines
    assert rest or not line.strip() or not any(e.startswith(line) and e != line for e in lines)


def _hint(draft: str) -> str:
    return "[MODEL]  show or change \x1b[2J" if draft.startswith("/model") else ""


def test_a_command_is_explained_behind_the_cursor_while_it_is_typed() -> None:
    assert typed("/model ", hint=_hint).shown == ["/model [MODEL]  show or change ␛[2J"]
    assert typed("/model", hint=_hint).shown == ["/model  [MODEL]  show or change ␛[2J"]
    assert typed("/model x", hint=_hint).shown == ["/model x  [MODEL]  show or change ␛[2J"]
    assert typed("/other ", "model ", hint=_hint).shown == ["/other model "]
    assert typed("/model \rx", hint=_hint).submitted == ["/model "]


def test_the_explanation_comes_first_and_then_what_was_typed_before() -> None:
    assert typed("/model ", hint=_hint, history=HISTORY).shown[0].startswith("/model [MODEL]")
    assert typed("/model ", RIGHT, hint=_hint, history=HISTORY).draft == "/model "
    assert typed("/model o", RIGHT, hint=_hint, history=HISTORY).draft == HISTORY[2]


def test_up_and_down_go_by_line_and_then_through_the_history() -> None:
    assert typed("a\rb", UP, "x", history=HISTORY).draft == "ax\nb"
    assert typed(UP, UP, history=HISTORY).draft == HISTORY[1]
    assert typed(UP, UP, UP, history=HISTORY).cursor == len("in two lines")
    assert typed(UP, UP, UP, UP, history=HISTORY).draft == HISTORY[0]
    assert typed("draft", UP, UP, DOWN, DOWN, DOWN, history=HISTORY).draft == "draft"


@pytest.mark.parametrize("mode", ["emacs", "vi"])
def test_the_history_is_searched_backwards(mode: Literal["emacs", "vi"]) -> None:
    result = typed(CTRL_R, "life", "\r", history=HISTORY, mode=mode)
    assert result.draft == "explain lifetimes"
    assert not result.submitted


def test_undo_and_redo() -> None:
    keys = ("one", "\x17", "two")
    assert typed(*keys).draft == "two"
    assert typed(*keys, UNDO).draft == ""
    assert typed("one two", UNDO).draft == "one "
    assert typed(*keys, UNDO, UNDO).draft == "one"
    assert typed(*keys, UNDO, UNDO, REDO, REDO).draft == "two"
    assert typed(*keys, UNDO, UNDO, REDO, "x", REDO).draft == "x"


def test_what_comes_back_goes_ahead_and_the_cursor_stays_in_what_is_typed() -> None:
    buffer = DraftBuffer()
    buffer.insert_text("typed")
    buffer.cursor_left(3)
    buffer.put_ahead("came\nback")
    assert buffer.around == ("came\nback\nty", "ped")
    buffer.undo()
    assert buffer.text == "typed"


@pytest.mark.parametrize("key", ["\x0f", "\x1b#"], ids=["^o", "meta-#"])
def test_G5_no_key_of_prompt_toolkit_takes_a_draft_away_unsent(key: str) -> None:
    assert "draft" in typed("draft", key).draft


@pytest.mark.parametrize("is_answer", [False, True])
def test_what_waits_is_taken_back_into_a_draft_and_never_into_an_answer(
    is_answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Typed] = []
    monkeypatch.setattr(Typed, "has_queued", True)
    monkeypatch.setattr(Typed, "take_back", lambda actions: taken.append(actions))  # noqa: PLW0108 - it is bound
    monkeypatch.setattr(DraftBuffer, "is_answer", is_answer)
    typed(UP)
    assert bool(taken) is not is_answer


# vi


def vi(*keys: str, **options: object) -> str:
    return typed(*keys, mode="vi", **options).draft  # type: ignore[arg-type]


def test_vi_escape_motions_and_operators() -> None:
    assert vi("one two three", ESCAPE, "bcwTWO", ESCAPE, "0x") == "ne two TWO"
    assert vi("a\rb\rc", ESCAPE, "kddp") == "a\nc\nb"
    assert vi("one", ESCAPE, "dd", "u") == "one"
    assert vi("one", ESCAPE, "A two") == "one two"


def test_vi_colon_is_no_command_line() -> None:
    assert vi("one", ESCAPE, ":", "A!") == "one!"


def test_vi_enter_moves_in_navigation_mode_and_changes_nothing() -> None:
    assert vi("a\rb", ESCAPE, "k", "\r", "ix") == "a\nxb"
    assert vi("a\r b", ESCAPE, "k\r\r\r", "ix") == "a\n xb"


@pytest.mark.parametrize("draft", ["a\r\\end", "/quit"])
def test_vi_enter_submits_in_navigation_mode_what_it_would_in_insert_mode(draft: str) -> None:
    expected = ["a"] if draft.startswith("a") else ["/quit"]
    assert typed(draft, ESCAPE, "0", "\r", mode="vi").submitted == expected
    assert typed("a", ESCAPE, "0", "\r", mode="vi", grammar=Grammar(submit="enter")).submitted == [
        "a"
    ]


def test_vi_meta_enter_submits_and_a_paste_is_text_in_either_mode() -> None:
    assert typed("a\rb", META_ENTER, mode="vi").submitted == ["a\nb"]
    text = "x\n" * 30 + "\\end"
    assert typed("a", ESCAPE, pasted(text), mode="vi").draft.count("x\n") == 30
    assert typed(pasted(text), ESCAPE, "x", "u", mode="vi").shown[0].startswith("[pasted 31 lines")


def test_vi_the_offer_is_taken_by_the_same_keys() -> None:
    assert vi("expl", RIGHT, history=HISTORY) == "explain borrowing"
    assert vi("expl", END, history=HISTORY) == "explain borrowing"


async def test_G3_what_comes_back_while_the_editor_outside_is_open_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(
        f"#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.01; done\necho outside >>$1\n"
    )
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    buffer = DraftBuffer()
    buffer.text = "my draft\n"
    task = buffer.open_in_editor()
    await asyncio.sleep(0)
    buffer.put_ahead("failed first")
    buffer.put_ahead("refused second", refused=True)
    (tmp_path / "go").touch()
    await task
    await asyncio.sleep(0)
    assert buffer.text == "refused second\nfailed first\nmy draft\noutside"
    assert buffer.was_refused
    buffer.put_ahead("third")
    assert buffer.text.startswith("third\nrefused second")
