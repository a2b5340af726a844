"""The one long-lived prompt_toolkit application: live region, what waits, editor, status row.

Rows that are finished go to the terminal's own scrollback, once; only what is live above the
editor, the editor and the status row are ever repainted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from prompt_toolkit.application import Application
from prompt_toolkit.completion import Completer
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
from prompt_toolkit.data_structures import Point, Size
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import DynamicKeyBindings, KeyBindings
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.layout import (
    AnyContainer,
    ConditionalContainer,
    DynamicContainer,
    Float,
    FloatContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from cloudllm import streams
from cloudllm.early import EarlyTerminal
from cloudllm.repl.background import Background
from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.completion import completes
from cloudllm.repl.editor import MENU_ROWS, editor_window
from cloudllm.repl.input import BurstInput
from cloudllm.repl.output import output
from cloudllm.repl.questions import Questions
from cloudllm.repl.render.sanitize import own_styles_only
from cloudllm.repl.resize import ResizableApplication
from cloudllm.repl.suspension import suspendable

if TYPE_CHECKING:
    from cloudllm.repl.choices import Choice, Peek
    from cloudllm.repl.picker import Picker
    from cloudllm.repl.render.frame import Row
    from cloudllm.repl.theme import Theme

_OTHER_ROWS = 9
"""Rows that the live region leaves to what waits, the editor and the status row."""

_ERASE_LINE = "\r\x1b[K"
"""Takes back the prompt that was painted early; shown together with the first real one."""

_ESCAPE = (0.1, 0.3)
"""Seconds after which Escape is a key of its own, and those in which a key may still follow it."""

_LOOKS = {
    "waiting": "italic",
    "dim": "noinherit fg:ansibrightblack",
    "status": "fg:ansibrightblack",
}


class ChatApp:
    """The screen of a chat; `run` returns when `exit` is called or the terminal goes away."""

    def __init__(
        self,
        *,
        keys: KeyBindings,
        history: History,
        completer: Completer,
        hint: Callable[[str], str],
        status: Callable[[int], str],
        queued: Callable[[int], Sequence[str]],
        editing_mode: Literal["emacs", "vi"],
        terminal: EarlyTerminal,
    ) -> None:
        self._live: Sequence[Row] = ()
        self._picker: Picker | None = None
        self._indicator: Row | None = None
        self._held: list[str] = []
        self._is_drawn = False
        self._status = status
        self._queued = queued
        self.editor = DraftBuffer(
            history=history,
            completer=completer,
            complete_while_typing=Condition(self._completes),
            hint=hint,
        )
        self.questions = Questions(self.editor)
        self._shells_modes = terminal.original
        self._output = output()
        self.background = Background(os.environ)
        self._input = BurstInput(
            streams.stdin(), terminal.original, self.background, terminal.typed
        )
        self.application = ResizableApplication(
            layout=self._layout(),
            key_bindings=DynamicKeyBindings(
                lambda: self._picker.keys if self._picker is not None else keys
            ),
            style=Style.from_dict(_LOOKS),
            editing_mode=EditingMode.VI if editing_mode == "vi" else EditingMode.EMACS,
            cursor=ModalCursorShapeConfig() if editing_mode == "vi" else None,
            input=self._input,
            output=self._output,
            erase_when_done=True,
            after_render=self._write_held,
        )
        self._input.mergeable = self._is_inserting
        if editing_mode == "vi":
            self.application.ttimeoutlen, self.application.timeoutlen = _ESCAPE

    @property
    def mode(self) -> str:
        """Which of vi's modes the keys are in; "" with emacs' keys."""
        app = self.application
        if app.editing_mode is not EditingMode.VI:
            return ""
        return "vi: insert" if app.vi_state.input_mode is InputMode.INSERT else "vi: normal"

    @property
    def columns(self) -> int:
        """The width of the terminal in cells."""
        return self.application.output.get_size().columns

    @property
    def live_rows(self) -> int:
        """How many rows the live region may have."""
        return max(1, self.application.output.get_size().rows - _OTHER_ROWS)

    async def run(self, started: Callable[[], None]) -> bool:
        """Show the prompt, call `started`, and go on until `exit`; is the terminal still there?"""
        self.application.output.write_raw(_ERASE_LINE)
        try:
            with suspendable(self.application, self._shells_modes):
                await self.application.run_async(pre_run=started, set_exception_handler=False)
        except EOFError:
            return False
        return True

    def exit(self) -> None:
        """End `run`; harmless when it has ended."""
        if patience := self.background.patience:
            asyncio.get_running_loop().call_later(patience, self.exit)
        elif self.application.is_running and not self.application.is_done:
            self.application.exit()

    def ask_background(self) -> None:
        """Ask the terminal whether it is dark, to which it may answer while keys are typed."""
        self.application.output.write_raw(self.background.ask())
        self.application.output.flush()

    def dress(self, theme: Theme) -> None:
        """Show the rows that are ours as the theme has it."""
        looks = {name: theme.look(name).style for name in ("status", "waiting", "dim")}
        self.application.style = Style.from_dict({**_LOOKS, **looks})

    def paint(self, commit: Sequence[str], live: Sequence[Row]) -> None:
        """Write rows to the scrollback for good, and replace the live region."""
        self._live = live
        if commit:
            self.commit(commit)
        else:
            self.refresh()

    def indicate(self, row: Row | None) -> None:
        """Show what is waited for, in a row below the live ones; `None` takes it away."""
        if row != self._indicator:
            self._indicator = row
            if not self.questions.is_open:  # then it is not shown
                self.refresh()

    def commit(self, rows: Sequence[str]) -> None:
        """Write rows to the scrollback for good; what is live stays below them."""
        self._held += rows
        if not self._owns_terminal():
            return
        with self._output.frame():
            self.application.erase()
            self._output.write_raw(self._held_lines())
            # prompt_toolkit has no public way to redraw at once; invalidate() shows a gap first.
            self.application._redraw()  # noqa: SLF001

    def print(self, *rows: str) -> None:
        """Write rows, safe already, after those still held, when the application has ended."""
        self._held += rows
        self.application.output.write_raw(self._held_lines())
        self.application.output.flush()

    def _held_lines(self) -> str:
        """The rows that are held no longer, as they go to the terminal."""
        rows, self._held = self._held, []
        return "".join(f"{own_styles_only(row)}\r\n" for row in rows)

    def copy(self, text: str) -> bool:
        """Give a text to the terminal for its clipboard; `False` if it is too long for one."""
        from cloudllm.repl.clipboard import osc_52  # noqa: PLC0415 - rarely needed

        sequence = osc_52(text)
        if sequence is None:
            return False
        self.application.output.write_raw(sequence)
        self.application.output.flush()
        return True

    def refresh(self) -> None:
        """Repaint soon: the status or the waiting indicator has changed."""
        self.application.invalidate()

    def put_back(self, draft: str, *, refused: bool = False) -> None:
        """Put a draft into the editor, ahead of what stands there."""
        self.editor.put_ahead(draft, refused=refused)

    async def choose(self, what: str, choices: Sequence[Choice], peek: Peek) -> int | None:
        """Let the person choose in a picker, which stands in the editor's place as long as it is
        open; the draft waits.
        """
        from cloudllm.repl.picker import Picker  # noqa: PLC0415 - rarely needed

        app, patience = self.application, self.application.ttimeoutlen
        self._picker = Picker(self._room, self.refresh)
        app.layout.focus(self._picker.window)
        app.ttimeoutlen = _ESCAPE[0]
        try:
            return await self._picker.pick(what, choices, peek)
        finally:
            self._picker = None
            app.ttimeoutlen = patience
            app.layout.focus(self.editor)
            self.refresh()

    def _room(self) -> Size:
        """What a picker may take: all but what waits and the status row."""
        size = self.application.output.get_size()
        return Size(size.rows - 1 - len(self._waiting()), size.columns)

    def _layout(self) -> Layout:
        search = SearchToolbar()
        live = FormattedTextControl(
            lambda: _lines(self._live),
            show_cursor=False,
            get_cursor_position=lambda: Point(0, len(self._live) - 1),  # shows the end, if cut
        )
        waiting = FormattedTextControl(lambda: _lines(self._waiting()))
        editor = editor_window(self.editor, search.control)
        status = Window(
            FormattedTextControl(lambda: self._status(self.columns)),
            height=1,
            style="class:status",
        )
        rows: list[AnyContainer] = [
            _shown_if(lambda: bool(self._live), Window(live, dont_extend_height=True)),
            _shown_if(lambda: bool(self._waiting()), Window(waiting, dont_extend_height=True)),
            DynamicContainer(lambda: editor if self._picker is None else self._picker.window),
            search,
            _shown_if(lambda: bool(self._status(self.columns)), status),
        ]
        menu = Float(CompletionsMenu(max_height=MENU_ROWS), xcursor=True, ycursor=True)
        return Layout(FloatContainer(HSplit(rows), [menu]), focused_element=editor)

    def _waiting(self) -> Sequence[Row]:
        """What is waited for, and what waits."""
        queued: list[Row] = [[("class:dim", text)] for text in self._queued(self.columns)]
        if self._indicator is None or self.questions.is_open or self._picker is not None:
            return queued
        return [self._indicator, *queued]

    def _owns_terminal(self) -> bool:
        """Is the screen ours? Not before it is drawn, after the end, or under an editor outside."""
        app = self.application
        # prompt_toolkit tells nobody else that it runs another program in the terminal.
        is_running = app.is_running and not app.is_done and not app._running_in_terminal  # noqa: SLF001
        return self._is_drawn and is_running

    def _write_held(self, _application: Application[None]) -> None:
        """Show what came while another program had the terminal, or keys that were typed ahead."""
        self._is_drawn = True
        if self._held and self._owns_terminal():
            asyncio.get_running_loop().call_soon(self.commit, [])

    def _completes(self) -> bool:
        return not self.editor.hidden and completes(self.editor.document)

    def _is_inserting(self) -> bool:
        """Would each printable key insert itself, if it came alone?"""
        app = self.application
        vi = app.editing_mode is EditingMode.VI
        return (
            app.key_processor.arg is None
            and not app.quoted_insert
            and (not vi or app.vi_state.input_mode is InputMode.INSERT)
        )


def _lines(rows: Sequence[Row]) -> StyleAndTextTuples:
    """Rows as prompt_toolkit takes them."""
    fragments: StyleAndTextTuples = []
    for row in rows:
        fragments += [*row, ("", "\n")]
    return fragments[:-1]


def _shown_if(wanted: Callable[[], bool], window: Window) -> ConditionalContainer:
    return ConditionalContainer(window, Condition(wanted))
