"""What each key of the chat does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, FilterOrBool, is_searching
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from cloudllm.repl.sentinel import Grammar

Handler = Callable[[KeyPressEvent], None]


class Actions(Protocol):
    """What the keys can ask of the chat."""

    def submit(self, draft: str) -> None:
        """Take a draft for a command or a message."""

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
        table: tuple[tuple[Sequence[Keys | str], Handler, FilterOrBool], ...] = (
            (("enter",), self._enter, editing),
            (("escape", "enter"), self._meta_enter, editing),
            (("c-j",), _newline, editing),
            ((Keys.BracketedPaste,), self._paste, editing),
            (("c-c",), self._interrupt, editing),
            (("<sigint>",), self._interrupt, True),
            (("c-d",), self._leave, editing & empty),
            (("c-z",), _suspend, True),
            (("c-x", "c-e"), _edit_outside, editing),
        )
        keys = KeyBindings()
        for sequence, handler, when in table:
            keys.add(*sequence, filter=when)(handler)
        return keys

    def _enter(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        draft = self._grammar.enter(buffer.text, buffer.cursor_position)
        if draft is None:
            _newline(event)
        else:
            self._submit(event, draft)

    def _meta_enter(self, event: KeyPressEvent) -> None:
        if self._grammar.submit == "enter":
            _newline(event)
        else:
            text = event.current_buffer.text
            closed = self._grammar.enter(text, len(text))
            self._submit(event, text if closed is None else closed)

    def _submit(self, event: KeyPressEvent, draft: str) -> None:
        buffer = event.current_buffer
        buffer.document = Document(draft, len(draft))
        buffer.append_to_history()
        buffer.reset()
        self._actions.submit(draft)

    def _paste(self, event: KeyPressEvent) -> None:
        buffer, document = event.current_buffer, event.current_buffer.document
        before, after = document.text_before_cursor, document.text_after_cursor
        buffer.insert_text(self._grammar.pasted(event.data, before, after))

    def _interrupt(self, _event: KeyPressEvent) -> None:
        self._actions.interrupt()

    def _leave(self, _event: KeyPressEvent) -> None:
        self._actions.leave()


def _newline(event: KeyPressEvent) -> None:
    event.current_buffer.newline(copy_margin=False)


def _suspend(event: KeyPressEvent) -> None:
    event.app.suspend_to_background()


def _edit_outside(event: KeyPressEvent) -> None:
    event.current_buffer.open_in_editor(validate_and_handle=False)
