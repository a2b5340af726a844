"""Keys from the terminal: a burst is taken in a few large steps, and the modes return to the first.

A terminal without bracketed paste, or a program that types, sends a text as single keys. Handled
one by one, a thousand lines take half a minute (prompt_toolkit lays the screen out for each key).
"""

from __future__ import annotations

import os
import select
import shlex
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TextIO

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from cloudllm import streams
from cloudllm.repl.secrets import without_secret

_MIN_RUN = 16
_MOST = 16_384
"""Keys taken in one step of a burst; more would hold up the screen."""

_UNDO_STEPS, _UNDO_CHARACTERS = 8, 2_000_000
_EDITORS = ("/usr/bin/editor", "/usr/bin/nano", "/usr/bin/pico", "/usr/bin/vi", "/usr/bin/emacs")
_ALONE = 2
"""Keys at a run's start that are never merged: they may complete a sequence such as Escape f."""


class BurstInput(Vt100Input):
    """Reads keys; while `mergeable()`, long runs of printable ones arrive as a single one.

    `original` are the terminal's modes from before the program, to be given back at the end;
    `typed` is what was read from it before.
    """

    def __init__(self, stdin: TextIO, original: list[Any] | None, typed: bytes = b"") -> None:
        super().__init__(stdin)
        self._original = original
        self.mergeable: Callable[[], bool] = lambda: False
        self.vt100_parser.feed(typed.decode(errors="surrogateescape"))
        store_typeahead(self, self._buffer)
        self._buffer = []

    def read_keys(self) -> list[KeyPress]:
        """The keys that have come, runs merged; they mean what they would mean one by one."""
        keys = super().read_keys()
        while _MIN_RUN < len(keys) < _MOST and not self.closed and self._has_more():
            keys += super().read_keys()
        return merge_runs(keys) if len(keys) > _MIN_RUN and self.mergeable() else keys

    def _has_more(self) -> bool:
        return bool(select.select([self.fileno()], [], [], 0)[0])

    def raw_mode(self) -> AbstractContextManager[None]:
        """Raw mode, left to the modes that were there before the program."""
        mode: Any = super().raw_mode()
        if self._original is not None:
            mode.attrs_before = self._original
        return mode  # type: ignore[no-any-return]


class DraftBuffer(Buffer):
    """The editor's text; undo reaches back a bounded way, and secrets are not remembered.

    prompt_toolkit keeps the whole text for each step. A burst of ten thousand lines would fill the
    memory with ten thousand copies of it.
    """

    was_refused: bool
    """Is it, or was it made of, a text that was refused when it was sent? Until it is empty."""

    def reset(self, document: Document | None = None, append_to_history: bool = False) -> None:  # noqa: FBT001, FBT002 - its signature
        """Begin anew."""
        super().reset(document, append_to_history)
        self.was_refused = False

    def _text_changed(self) -> None:
        super()._text_changed()
        self.was_refused = self.was_refused and bool(self.text)

    def keep_unsent(self) -> bool:
        """Keep a draft that is given up in the input history, unless it was refused; is it there?"""
        if not self.was_refused:
            self.append_to_history()
        return not self.was_refused

    def append_to_history(self) -> None:
        """Keep the text in the input history, unless it holds a secret."""
        if without_secret(self.text) == self.text:
            super().append_to_history()

    def save_to_undo_stack(self, clear_redo_stack: bool = True) -> None:  # noqa: FBT001, FBT002 - its signature
        """Remember the text as it is, and forget the oldest ones beyond the bound."""
        super().save_to_undo_stack(clear_redo_stack)
        steps = max(_UNDO_STEPS, _UNDO_CHARACTERS // (len(self.text) + 1))
        del self._undo_stack[:-steps]

    def _open_file_in_editor(self, filename: str) -> bool:
        """As prompt_toolkit's; but what a program would inherit is the sink for stray output."""
        for editor in (os.environ.get("VISUAL"), os.environ.get("EDITOR"), *_EDITORS):
            try:
                if editor:
                    command = [*shlex.split(editor), filename]
                    out, err = streams.out(), streams.err()
                    return subprocess.call(command, stdout=out, stderr=err) == 0  # noqa: S603 - the user's own
            except (
                OSError,
                ValueError,
            ):  # there is none of that name, or its quotes are not closed
                continue
        return False


def merge_runs(keys: list[KeyPress]) -> list[KeyPress]:
    """Join each long run of printable keys into one press of `Keys.Any`, which inserts its data."""
    merged: list[KeyPress] = []
    run: list[KeyPress] = []
    for key in keys:
        if _is_printable(key):
            run.append(key)
        else:
            merged += _joined(run)
            merged.append(key)
            run = []
    return merged + _joined(run)


def _joined(run: list[KeyPress]) -> list[KeyPress]:
    if len(run) < _MIN_RUN:
        return run
    text = "".join(key.data for key in run[_ALONE:])
    return [*run[:_ALONE], KeyPress(Keys.Any, text)]


def _is_printable(key: KeyPress) -> bool:
    return not isinstance(key.key, Keys) and key.data.isprintable()
