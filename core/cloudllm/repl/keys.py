"""What each key of the chat does."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.filters import (
    Condition,
    FilterOrBool,
    emacs_mode,
    is_searching,
    vi_navigation_mode,
)
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.input import LINES, split_lines
from cloudllm.repl.sentinel import Grammar

Handler = Callable[[KeyPressEvent], None]


class Actions(Protocol):
    """What the keys can ask of the chat."""

    def submit(self, draft: str) -> None:
        """Take a draft for a command or a message."""

    def expects(self, text: str) -> bool:
        """Is this text, with Enter alone, the answer to a question or a choice?"""

    def answer(self, text: str) -> None:
        """Take the answer to a question, or a choice."""

    @property
    def has_queued(self) -> bool:
        """Does something wait for the reply that is coming in?"""

    def take_back(self) -> None:
        """Give the last thing that waits back for editing."""

    def interrupt(self) -> None:
        """Stop the reply, clear the editor, or leave: whatever comes first."""

    def leave(self) -> None:
        """End the chat."""


class ChatKeys:
    """The key bindings beyond prompt_toolkit's own, for one grammar."""

    def __init__(self, grammar: Grammar, actions: Actions) -> None:
        self._grammar = grammar
        self._actions = actions

    def bindings(self) -> KeyBindings:
        """What each key does while the editor has the focus; a search has its own keys."""
        editing = ~is_searching
        empty = Condition(lambda: not get_app().current_buffer.text)
        queued = Condition(lambda: self._actions.has_queued)
        asked = Condition(lambda: self._actions.expects(get_app().current_buffer.text))
        answering = Condition(_is_answering)
        suggested = Condition(lambda: bool(_suggestion()))
        table: tuple[tuple[Sequence[Keys | str], Handler, FilterOrBool], ...] = (
            (("enter",), self._enter, editing & ~vi_navigation_mode),
            (("enter",), self._vi_enter, editing & vi_navigation_mode),
            (("escape", "enter"), self._meta_enter, editing),
            (("enter",), self._answer, editing & asked),
            (("escape", "enter"), self._answer, editing & asked),
            (("c-j",), _newline, editing),
            ((Keys.BracketedPaste,), self._paste, editing),
            ((LINES,), self._lines, True),
            (("up",), self._take_back, editing & empty & queued & ~answering),
            (("c-c",), self._interrupt, editing),
            (("<sigint>",), self._interrupt, True),
            (("c-d",), self._leave, editing & empty),
            (("c-z",), _suspend, True),
            (("c-x", "c-e"), _edit_outside, editing & ~answering),
            (("c-x", "f"), _unfold, editing),
            (("f2",), _unfold, editing),
            (("right",), _accept, editing & suggested),
            (("end",), _accept, editing & suggested),
            (("c-e",), _accept, editing & suggested),
            (("c-f",), _accept, editing & suggested & emacs_mode),
            (("escape", "f"), _accept_word, editing & suggested & emacs_mode),
        )
        keys = KeyBindings()
        for sequence, handler, when in table:
            keys.add(*sequence, filter=when)(handler)
        # The text is saved before each key, but not here: that would forget what to redo.
        for sequence, handler, when in (
            (("c-_",), _undo, editing & emacs_mode),
            (("c-x", "c-u"), _undo, editing & emacs_mode),
            (("c-x", "c-r"), _redo, editing),
        ):
            keys.add(*sequence, filter=when, save_before=lambda _event: False)(handler)
        return keys

    def _enter(self, event: KeyPressEvent) -> None:
        before, after = _draft_buffer(event).around
        draft = self._grammar.enter(before + after, len(before))
        if draft is None:
            _newline(event)
        else:
            self._submit(event, draft)

    def _vi_enter(self, event: KeyPressEvent) -> None:
        """The cursor is on a character, not behind it: the whole line counts."""
        buffer = _draft_buffer(event)
        before, after = buffer.around
        end = len(before) + len(after.partition("\n")[0])
        draft = self._grammar.enter(before + after, end)
        if draft is not None:
            self._submit(event, draft)
        else:
            buffer.cursor_down()
            buffer.cursor_position += buffer.document.get_start_of_line_position(
                after_whitespace=True
            )

    def _meta_enter(self, event: KeyPressEvent) -> None:
        if self._grammar.submit == "enter":
            _newline(event)
        else:
            text = _draft_buffer(event).draft
            closed = self._grammar.enter(text, len(text))
            self._submit(event, text if closed is None else closed)

    def _answer(self, event: KeyPressEvent) -> None:
        """Take it at once: it is neither a draft nor a part of the history."""
        buffer = _draft_buffer(event)
        draft = buffer.draft
        buffer.reset()
        self._actions.answer(draft)

    def _submit(self, event: KeyPressEvent, draft: str) -> None:
        buffer = _draft_buffer(event)
        buffer.remember(draft)
        buffer.reset()
        self._actions.submit(draft)

    def _paste(self, event: KeyPressEvent) -> None:
        buffer = _draft_buffer(event)
        buffer.insert_pasted(self._grammar.pasted(event.data, *buffer.around))

    def _take_back(self, _event: KeyPressEvent) -> None:
        self._actions.take_back()

    def _lines(self, event: KeyPressEvent) -> None:
        """Insert the lines of a burst, up to one whose Enter does more than that."""
        lines = event.data.split("\r")[:-1]
        taken = 0
        if not is_searching() and not vi_navigation_mode():
            buffer = _draft_buffer(event)
            before, after = buffer.around
            for line in lines:
                before += line
                whole = before + after
                is_more = self._grammar.enter(whole, len(before)) is not None
                if is_more or self._actions.expects(whole):
                    break
                # Of what stands above only this counts; all of it would be copied for each line.
                before = "…\n" if before.strip() else "\n"
                taken += 1
            buffer.insert_text("".join(f"{line}\n" for line in lines[:taken]))
        rest = split_lines("".join(f"{line}\r" for line in lines[taken:]))
        event.key_processor.feed_multiple(rest, first=True)

    def _interrupt(self, _event: KeyPressEvent) -> None:
        self._actions.interrupt()

    def _leave(self, _event: KeyPressEvent) -> None:
        self._actions.leave()


def _draft_buffer(event: KeyPressEvent) -> DraftBuffer:
    buffer = event.current_buffer
    assert isinstance(buffer, DraftBuffer)  # noqa: S101 - the bindings hold where the editor has the focus
    return buffer


def _newline(event: KeyPressEvent) -> None:
    event.current_buffer.newline(copy_margin=False)


def _suspend(_event: KeyPressEvent) -> None:
    signal.raise_signal(signal.SIGTSTP)  # the same as from outside: `suspendable` takes it


def _edit_outside(event: KeyPressEvent) -> None:
    event.current_buffer.open_in_editor(validate_and_handle=False)


def _unfold(event: KeyPressEvent) -> None:
    _draft_buffer(event).unfold()


def _undo(event: KeyPressEvent) -> None:
    event.current_buffer.undo()


def _redo(event: KeyPressEvent) -> None:
    event.current_buffer.redo()


def _is_answering() -> bool:
    buffer = get_app().current_buffer
    return isinstance(buffer, DraftBuffer) and buffer.is_answer


def _suggestion() -> str:
    """How the text in the editor could go on."""
    buffer = get_app().current_buffer
    return buffer.continuation() if isinstance(buffer, DraftBuffer) else ""


def _accept(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text(_suggestion())


def _accept_word(event: KeyPressEvent) -> None:
    word = re.match(r"\s*\S*", _suggestion())
    event.current_buffer.insert_text(word[0] if word else "")
