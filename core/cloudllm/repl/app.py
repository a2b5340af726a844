"""The one long-lived prompt_toolkit application: live region, editor, status row.

Rows that are finished go to the terminal's own scrollback, once; only the live region above the
editor, the editor and the status row are ever repainted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Literal

from prompt_toolkit.application import Application
from prompt_toolkit.completion import Completer
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.layout import (
    AnyContainer,
    BufferControl,
    ConditionalContainer,
    Dimension,
    Float,
    FloatContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style
from prompt_toolkit.widgets import SearchToolbar

from cloudllm import streams
from cloudllm.early import PROMPT, EarlyTerminal
from cloudllm.repl.input import BurstInput, DraftBuffer
from cloudllm.repl.visible import VisibleText

_EDITOR_ROWS = 10
_OTHER_ROWS = 8
"""Rows that the live region leaves to the editor and the status row."""

_ERASE_LINE = "\r\x1b[K"
"""Takes back the prompt that was painted early; shown together with the first real one."""

_FRAME = ("\x1b[?2026h", "\x1b[?2026l")
"""Synchronized output: a terminal that knows it shows the frame at once, others ignore it."""

_STYLE = Style.from_dict(
    {"waiting": "italic", "dim": "noinherit fg:ansibrightblack", "status": "fg:ansibrightblack"}
)

Row = tuple[str, str]
"""A style class and a text that is safe to show."""


class ChatApp:
    """The screen of a chat; `run` returns when `exit` is called or the terminal goes away."""

    def __init__(
        self,
        *,
        keys: KeyBindings,
        history: History,
        completer: Completer,
        status: Callable[[int], str],
        editing_mode: Literal["emacs", "vi"],
        terminal: EarlyTerminal,
    ) -> None:
        self._live: Sequence[Row] = ()
        self._held: list[str] = []
        self._status = status
        self.editor = DraftBuffer(
            multiline=True,
            history=history,
            completer=completer,
            complete_while_typing=Condition(self._is_command),
            tempfile_suffix=".md",
        )
        self._input = BurstInput(streams.stdin(), terminal.original, terminal.typed)
        self.application: Application[None] = Application(
            layout=self._layout(),
            key_bindings=keys,
            style=_STYLE,
            editing_mode=EditingMode.VI if editing_mode == "vi" else EditingMode.EMACS,
            cursor=ModalCursorShapeConfig() if editing_mode == "vi" else None,
            input=self._input,
            output=_output(),
            erase_when_done=True,
            after_render=self._write_held,
        )
        self._input.mergeable = self._is_inserting

    @property
    def columns(self) -> int:
        """The width of the terminal in cells."""
        return self.application.output.get_size().columns

    @property
    def live_rows(self) -> int:
        """How many rows the live region may have."""
        return max(1, self.application.output.get_size().rows - _OTHER_ROWS)

    async def run(self, started: Callable[[], None]) -> None:
        """Show the prompt, call `started`, and go on until `exit`."""
        self.application.output.write_raw(_ERASE_LINE)
        try:
            await self.application.run_async(pre_run=started, set_exception_handler=False)
        except EOFError:  # the terminal is gone
            return

    def exit(self) -> None:
        """End `run`; harmless when it has ended."""
        if self.application.is_running and not self.application.is_done:
            self.application.exit()

    def paint(self, commit: Sequence[str], live: Sequence[Row]) -> None:
        """Write rows to the scrollback for good, and replace the live region."""
        self._live = live
        if commit:
            self.commit(commit)
        else:
            self.refresh()

    def commit(self, rows: Sequence[str]) -> None:
        """Write rows to the scrollback for good; what is live stays below them."""
        self._held += rows
        if not self._owns_terminal():
            return
        output = self.application.output
        output.write_raw(_FRAME[0])
        self.application.renderer.erase(leave_alternate_screen=False)
        output.write_raw("".join(f"{row}\r\n" for row in self._held))
        self._held = []
        # prompt_toolkit has no public way to redraw at once; invalidate() would show a gap first.
        self.application._redraw()  # noqa: SLF001
        output.write_raw(_FRAME[1])
        output.flush()

    def print(self, *rows: str) -> None:
        """Write rows, safe already, after those still held, when the application has ended."""
        output = self.application.output
        output.write_raw("".join(f"{row}\r\n" for row in (*self._held, *rows)))
        output.flush()
        self._held = []

    def refresh(self) -> None:
        """Repaint soon: the status or the waiting indicator has changed."""
        self.application.invalidate()

    def put_back(self, draft: str, *, refused: bool = False) -> None:
        """Put a draft into the editor, ahead of what stands there."""
        standing = self.editor.text
        text = f"{draft}\n{standing}" if standing else draft
        self.editor.document = Document(text, len(text))
        self.editor.was_refused = self.editor.was_refused or refused

    def _layout(self) -> Layout:
        search = SearchToolbar()
        live = Window(FormattedTextControl(self._live_text), dont_extend_height=True)
        editor = Window(
            BufferControl(
                self.editor,
                search_buffer_control=search.control,
                input_processors=[VisibleText()],
            ),
            height=Dimension(min=1, max=_EDITOR_ROWS),
            dont_extend_height=True,
            wrap_lines=True,
            get_line_prefix=lambda line, wrapped: PROMPT if line == wrapped == 0 else "  ",
        )
        status = Window(FormattedTextControl(self._status_text), height=1, style="class:status")
        rows: list[AnyContainer] = [
            ConditionalContainer(live, Condition(lambda: bool(self._live))),
            editor,
            search,
            status,
        ]
        menu = Float(CompletionsMenu(max_height=6), xcursor=True, ycursor=True)
        return Layout(FloatContainer(HSplit(rows), [menu]), focused_element=editor)

    def _live_text(self) -> StyleAndTextTuples:
        fragments: StyleAndTextTuples = []
        for style, text in self._live:
            fragments += [(style, text), ("", "\n")]
        return fragments[:-1]

    def _status_text(self) -> StyleAndTextTuples:
        return [("", self._status(self.columns))]

    def _owns_terminal(self) -> bool:
        """Is the screen ours? Not before the start, after the end, or under an editor outside."""
        app = self.application
        # prompt_toolkit tells nobody else that it runs another program in the terminal.
        return app.is_running and not app.is_done and not app._running_in_terminal  # noqa: SLF001

    def _write_held(self, _application: Application[None]) -> None:
        """Show what came while another program had the terminal."""
        if self._held and self._owns_terminal():
            asyncio.get_running_loop().call_soon(self.commit, [])

    def _is_command(self) -> bool:
        text = self.editor.text
        return text.startswith("/") and "\n" not in text

    def _is_inserting(self) -> bool:
        """Would each printable key insert itself, if it came alone?"""
        app = self.application
        vi = app.editing_mode is EditingMode.VI
        return (
            app.key_processor.arg is None
            and not app.quoted_insert
            and (not vi or app.vi_state.input_mode is InputMode.INSERT)
        )


def _output() -> Vt100_Output:
    output = Vt100_Output.from_pty(
        streams.out(),
        term=os.environ.get("TERM"),
        default_color_depth=ColorDepth.from_env(),  # NO_COLOR
    )
    output.enable_cpr = False  # a terminal that does not answer would get a warning
    return output
