"""The picker: a list that is narrowed by typing, with more about the one it is on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from prompt_toolkit.data_structures import Point, Size
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import Dimension, FormattedTextControl, Window

from cloudllm.errors import CloudLLMError
from cloudllm.repl.cells import cut, width
from cloudllm.repl.choices import Choice, Peek
from cloudllm.repl.fuzzy import best_of_words
from cloudllm.repl.input import LINES
from cloudllm.repl.lines import wrapped
from cloudllm.repl.render.sanitize import clean

_MARK, _NO_MARK = "▸ ", "  "
_MOST = 12
"""Rows of the list."""

_LEAST_NAME = 32
"""Cells of a name that no note takes away."""

_LONGEST = 400
"""Characters of a text that are looked at; of what is typed, too."""

_REST = 0.08
"""Seconds on one choice after which more about it is asked for."""

_HINTS = (
    "type to narrow · Up and Down move · Enter takes it · Esc leaves",
    "Enter takes it · Esc leaves",
    "Esc leaves",
)


class Picker:
    """What is shown and pressed while a person chooses; `keys` hold while it `is_open`.

    `room` gives the columns and rows that it may take, `changed` has it painted anew.
    """

    def __init__(self, room: Callable[[], Size], changed: Callable[[], None]) -> None:
        self._room = room
        self._changed = changed
        self._what = ""
        self._choices: Sequence[Choice] = ()
        self._peek: Peek | None = None
        self._answer: asyncio.Future[int | None] | None = None
        self._peeking: asyncio.Task[None] | None = None
        self._known: dict[int, str] = {}
        self._typed = ""
        self._found: list[int] = []
        self._at = self._top = 0
        control = FormattedTextControl(
            self._text, focusable=True, get_cursor_position=self._cursor, key_bindings=None
        )
        self.window = Window(
            control, height=lambda: Dimension.exact(len(self._rows())), dont_extend_height=True
        )
        self.keys = self._bindings()

    @property
    def is_open(self) -> bool:
        """Is there something to choose?"""
        return self._answer is not None

    async def pick(self, what: str, choices: Sequence[Choice], peek: Peek) -> int | None:
        """Wait until one is chosen, and give its index; `None` if the person wants none."""
        self._what, self._choices, self._peek = what, choices, peek
        self._known = {}
        self._answer = asyncio.get_running_loop().create_future()
        self._narrow("")
        try:
            return await self._answer
        finally:
            self._answer = None
            self._choices, self._found = (), []
            if self._peeking is not None:
                self._peeking.cancel()

    # What is pressed.

    def _bindings(self) -> KeyBindings:
        page = Keys.PageUp, Keys.PageDown
        table: tuple[tuple[Keys | str, Callable[[KeyPressEvent], None]], ...] = (
            (Keys.Any, lambda event: self._type(event.data)),
            (Keys.BracketedPaste, lambda event: self._type(event.data)),
            (LINES, lambda event: self._type(event.data)),
            ("backspace", lambda _: self._narrow(self._typed[:-1])),
            ("c-w", lambda _: self._narrow(self._typed.rstrip().rpartition(" ")[0])),
            ("c-u", lambda _: self._narrow("")),
            ("up", lambda _: self._move(-1)),
            ("c-p", lambda _: self._move(-1)),
            ("down", lambda _: self._move(1)),
            ("c-n", lambda _: self._move(1)),
            (page[0], lambda _: self._move(-self._list_rows())),
            (page[1], lambda _: self._move(self._list_rows())),
            ("home", lambda _: self._move(-len(self._found))),
            ("end", lambda _: self._move(len(self._found))),
            ("enter", lambda _: self._take()),
            ("c-j", lambda _: self._take()),
            ("c-c", lambda _: self._settle(None)),
            ("c-d", lambda _: self._settle(None)),
            ("<sigint>", lambda _: self._settle(None)),
            ("c-z", lambda _: signal.raise_signal(signal.SIGTSTP)),
        )
        keys = KeyBindings()
        for key, handler in table:
            keys.add(key)(handler)
        keys.add("escape", eager=True)(lambda _: self._settle(None))
        return keys

    def _type(self, text: str) -> None:
        printable = "".join(filter(str.isprintable, " ".join(text.split("\r"))))
        self._narrow((self._typed + printable)[:_LONGEST])

    def _narrow(self, typed: str) -> None:
        self._typed = typed
        self._found = best_of_words(typed, range(len(self._choices)), self._searched)
        self._at = self._top = 0
        self._look()

    def _searched(self, index: int) -> str:
        choice = self._choices[index]
        return f"{choice.name} {choice.place}"

    def _move(self, rows: int) -> None:
        self._at = max(0, min(self._at + rows, len(self._found) - 1))
        self._look()

    def _take(self) -> None:
        if self._found:
            self._settle(self._found[self._at])

    def _settle(self, answer: int | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _look(self) -> None:
        """Show what has changed, and find out more about the choice that it is on now."""
        self._changed()
        if self._peeking is not None:
            self._peeking.cancel()
        if self._found and (index := self._found[self._at]) not in self._known:
            self._peeking = asyncio.ensure_future(self._find_out(index))

    async def _find_out(self, index: int) -> None:
        await asyncio.sleep(_REST)
        if self._peek is not None:
            with suppress(CloudLLMError):  # it can be chosen all the same
                self._known[index] = await self._peek(index)
                self._changed()

    # What is shown.

    def _preview_rows(self) -> int:
        rows = self._room().rows
        return 0 if rows < 7 else 2 if rows < 12 else 4  # noqa: PLR2004 - as it looks right

    def _list_rows(self) -> int:
        """Rows for the list: what the line that is typed, the preview and the hint leave."""
        return max(1, min(_MOST, self._room().rows - 2 - self._preview_rows()))

    def _rows(self) -> list[StyleAndTextTuples]:
        """All of it, each row safe to show and no wider than the terminal."""
        columns, most = self._room().columns, self._list_rows()
        self._top = max(self._at - most + 1, min(self._top, self._at))
        shown = self._found[self._top : self._top + most]
        rows = [self._head(columns)]
        rows += [self._row(index, columns) for index in shown]
        if not shown:
            rows.append([("class:dim", cut("  Nothing fits; Backspace takes it back.", columns))])
        rows += [[("class:dim", cut(row, columns))] for row in self._preview(columns)]
        hint = next((each for each in _HINTS if width(each) <= columns), "")
        return [*rows, [("class:status", hint)]]

    def _head(self, columns: int) -> StyleAndTextTuples:
        return [("", cut(self._prompt(columns), columns)), ("class:dim", self._count(columns))]

    def _prompt(self, columns: int) -> str:
        """What is asked, and the end of what is typed."""
        typed = clean(self._typed, one_line=True)
        room = max(1, columns - width(self._what) - 16)
        while width(typed) > room:
            typed = typed[1:]
        return f"{self._what}: {typed}"

    def _count(self, columns: int) -> str:
        count = f"   {len(self._found):,} of {len(self._choices):,}"
        return count if width(self._prompt(columns)) + width(count) <= columns else ""

    def _row(self, index: int, columns: int) -> StyleAndTextTuples:
        choice = self._choices[index]
        is_chosen = index == self._found[self._at]
        name, note = self._name(choice), self._note(choice, columns)
        room = columns - width(_MARK) - (width(note) + 2 if note else 0)
        name = cut(name, room)
        look = "bold" if is_chosen else ""
        row: StyleAndTextTuples = [(look, f"{_MARK if is_chosen else _NO_MARK}{name}")]
        if note:
            row.append(("class:dim", f"{' ' * (room - width(name) + 2)}{note}"))
        return row

    def _name(self, choice: Choice) -> str:
        return clean(choice.name, one_line=True, limit=_LONGEST)

    def _note(self, choice: Choice, columns: int) -> str:
        """What stands beside the name: as much as leaves that the room it needs."""
        least = min(width(self._name(choice)), _LEAST_NAME)
        for words in (choice.note, choice.short):
            note = clean(words, one_line=True, limit=_LONGEST)
            if columns - width(_MARK) - width(note) - 2 >= least:
                return note
        return ""

    def _preview(self, columns: int) -> list[str]:
        """What more is known of the choice, in as many rows as it always takes."""
        most = self._preview_rows()
        if not self._found or not most:
            return [""] * most
        index = self._found[self._at]
        choice = self._choices[index]
        is_told = self._note(choice, columns) == clean(choice.note, one_line=True, limit=_LONGEST)
        words = choice.place if is_told else f"{choice.note} · {choice.place}"
        place = clean(words, one_line=True, limit=_LONGEST)
        text = " ".join(self._known.get(index, "")[:_LONGEST].split())
        more = clean(text, one_line=True, limit=_LONGEST)
        rows = ["", place, *wrapped(more, columns)] if most > 2 else [place, more]  # noqa: PLR2004
        return [*rows, *[""] * most][:most]

    def _text(self) -> StyleAndTextTuples:
        fragments: StyleAndTextTuples = []
        for row in self._rows():
            fragments += [*row, ("", "\n")]
        return fragments[:-1]

    def _cursor(self) -> Point:
        columns = self._room().columns
        return Point(min(width(self._prompt(columns)), columns - 1), 0)
