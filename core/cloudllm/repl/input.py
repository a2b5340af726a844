"""Keys from the terminal: a burst is taken in a few large steps, and the modes return to the first.

A terminal without bracketed paste, or a program that types, sends a text as single keys. Handled
one by one, a thousand lines take half a minute (prompt_toolkit lays the screen out for each key).
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TextIO

from prompt_toolkit.input.typeahead import store_typeahead
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from cloudllm.repl.background import Background

_MIN_RUN = 16
_MOST = 16_384
"""Keys taken in one step of a burst; more would hold up the screen."""

_MOMENT = 0.002
"""Seconds in which the next block of a burst comes; a picture of each would take longer."""

_BLOCK = 4_096
_PIECES = 64
"""Blocks of a paste that are taken in one step."""

_RUN = re.compile("([^\x00-\x1f\x7f-\x9f]{32,})")
_LONGEST = 64
"""Characters of the longest sequence that stands for a key."""

_PASTE_START, _PASTE_END = "\x1b[200~", "\x1b[201~"
_ALONE = 2
"""Keys at a run's start that may complete a sequence, such as Escape f: they are not merged.

After a run and an Enter no sequence is open.
"""


class BurstInput(Vt100Input):
    """Reads keys; while `mergeable()`, long runs of printable ones arrive as a single one.

    `original` are the terminal's modes from before the program, to be given back at the end;
    `typed` is what was read from it before. What the terminal answers goes to `background`.
    """

    def __init__(
        self,
        stdin: TextIO,
        original: list[Any] | None,
        background: Background,
        typed: bytes = b"",
    ) -> None:
        super().__init__(stdin)
        self._original = original
        self._background = background
        self.mergeable: Callable[[], bool] = lambda: False
        self._tail = ""  # what came last, in which a sequence may be open
        self._feed(typed.decode(errors="surrogateescape"))
        store_typeahead(self, self._buffer)
        self._buffer = []

    def read_keys(self) -> list[KeyPress]:
        """The keys that have come, runs merged; they mean what they would mean one by one."""
        keys = self._read()
        while _MIN_RUN < _size(keys) < _MOST and not self.closed and self._has_more():
            keys += self._read()
        return merge_runs(keys) if _size(keys) > _MIN_RUN and self.mergeable() else keys

    def _read(self) -> list[KeyPress]:
        """The keys of a block; of a paste as much as is there, for the parser copies it each time."""
        text = self.stdin_reader.read(_BLOCK)
        if self.vt100_parser._in_bracketed_paste:  # noqa: SLF001 - nothing public tells
            pieces = [text]
            while pieces[-1] and len(pieces) < _PIECES and _PASTE_END not in pieces[-1]:
                pieces.append(self.stdin_reader.read(_BLOCK))
            pasted, end, typed = "".join(pieces).partition(_PASTE_END)
            self._feed(pasted + end)
            if typed:
                self._feed(self._typed(typed))
        else:
            self._feed(self._typed(text))
        keys, self._buffer = self._buffer, []
        return keys

    def _typed(self, text: str) -> str:
        """The text without an answer of the terminal; what is pasted may look like one."""
        typed, mark, pasted = (self._background.held() + text).partition(_PASTE_START)
        typed = self._background.without_answer(typed)
        if not mark:
            return typed
        pasted, end, rest = pasted.partition(_PASTE_END)
        return typed + self._background.held() + mark + pasted + end + self._typed(rest)

    def _feed(self, text: str) -> None:
        """Parse it, but not the runs in which there is nothing to parse: that goes by character."""
        in_paste = self.vt100_parser._in_bracketed_paste  # noqa: SLF001 - see above
        is_plain = "\x1b" not in self._tail + text and not in_paste and self.mergeable()
        for number, piece in enumerate(_RUN.split(text) if is_plain else (text,)):
            if number % 2 and piece.isprintable():
                self._buffer.append(KeyPress(Keys.Any, piece))
            else:
                self.vt100_parser.feed(piece)
        self._tail = text[-_LONGEST:]

    def flush_keys(self) -> list[KeyPress]:
        """The keys that might have been the beginning of more; nothing has come for a while."""
        self.vt100_parser.feed(self._background.held())
        self._tail = ""
        return super().flush_keys()

    def _has_more(self) -> bool:
        return bool(select.select([self.fileno()], [], [], _MOMENT)[0])

    def raw_mode(self) -> AbstractContextManager[None]:
        """Raw mode, left to the modes that were there before the program."""
        mode: Any = super().raw_mode()
        if self._original is not None:
            mode.attrs_before = self._original
        return mode  # type: ignore[no-any-return]


LINES = Keys.Ignore
"""The key of a press that is several lines, each with its Enter; prompt_toolkit drops it else."""


def merge_runs(keys: list[KeyPress]) -> list[KeyPress]:
    """Join each long run of printable keys into one press of `Keys.Any`, which inserts its data.

    Such presses may be among the keys already, each a piece of a run. Of lines that follow each
    other all but the first become one press of `LINES`.
    """
    merged: list[KeyPress] = []
    run = lines = ""
    alone = _ALONE
    for key in keys:
        if _is_printable(key):
            run += key.data
        elif key.key is Keys.ControlM and not alone:
            lines += f"{run}\r"
            run = ""
        else:
            merged += [*_lines(lines), *_joined(run, alone), key]
            alone = 0 if key.key is Keys.ControlM and len(run) >= _ALONE else _ALONE
            run = lines = ""
    return [*merged, *_lines(lines), *_joined(run, alone)]


def split_lines(lines: str) -> list[KeyPress]:
    """The presses that lines were made of; each line is one."""
    presses: list[KeyPress] = []
    for line in lines.split("\r")[:-1]:
        presses += [KeyPress(Keys.Any, line)] if line else []
        presses.append(KeyPress(Keys.ControlM, "\r"))
    return presses


def _lines(lines: str) -> list[KeyPress]:
    return [KeyPress(LINES, lines)] if lines else []


def _joined(run: str, alone: int) -> list[KeyPress]:
    if len(run) < _MIN_RUN:
        return [KeyPress(character, character) for character in run]
    singles = [KeyPress(character, character) for character in run[:alone]]
    return [*singles, KeyPress(Keys.Any, run[alone:])]


def _is_printable(key: KeyPress) -> bool:
    is_text = key.key is Keys.Any or not isinstance(key.key, Keys)
    return is_text and key.data.isprintable()


def _size(keys: list[KeyPress]) -> int:
    return sum(len(key.data) for key in keys)
