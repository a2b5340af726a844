"""What a narrower terminal does to rows that were painted wider: some rewrap them, others do not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from prompt_toolkit.application import Application

_REWRAP = (
    "ALACRITTY_WINDOW_ID",
    "GHOSTTY_RESOURCES_DIR",
    "ITERM_SESSION_ID",
    "KITTY_WINDOW_ID",
    "KONSOLE_VERSION",
    "TMUX",
    "VTE_VERSION",
    "WEZTERM_PANE",
    "WT_SESSION",
)
"""Variables by which a terminal that rewraps makes itself known.

Where none is set the rows are taken to stay as they are: to go up too far would erase what stands
in the scrollback, and not far enough only leaves a copy of what was live.
"""


class ResizableApplication(Application[None]):
    """Finds its first row again when the terminal has rewrapped what was painted."""

    _columns = 0  # when it was painted last

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - prompt_toolkit's
        super().__init__(**options)
        self._ever: list[int] | None = [] if os.environ.get("TMUX") else None

    def erase(self) -> None:
        """Take away all that is painted, and go to where it began."""
        columns = self.output.get_size().columns
        if self._columns not in (0, columns) and rewraps():
            self.output.cursor_up(self._rows_more(columns))
        self._columns = columns
        self.renderer.erase(leave_alternate_screen=False)
        if self._ever is not None:
            self._ever.clear()

    def _on_resize(self) -> None:
        self.erase()
        super()._on_resize()

    def _redraw(self, render_as_done: bool = False) -> None:  # noqa: FBT001, FBT002 - not ours
        # A frame may come before the signal.
        if self.output.get_size().columns != self._columns and self.renderer.last_rendered_screen:
            self.erase()
        self._columns = self.output.get_size().columns
        super()._redraw(render_as_done)
        if self._ever is not None:
            self._remember(self._ever)

    def _rows_more(self, columns: int) -> int:
        """How many rows more than before stand above the cursor."""
        cursor = self.renderer._cursor_pos  # noqa: SLF001 - nothing public tells
        ends = self._ever or self._ends()
        return cursor.x // columns + sum(end // columns for end in ends[: cursor.y])

    def _ends(self) -> list[int]:
        """The last column of each row that is painted, blanks without a style apart."""
        renderer = self.renderer
        # prompt_toolkit tells nobody what it has painted, and which blanks it writes.
        screen, styled = renderer._last_screen, renderer._style_string_has_style  # noqa: SLF001
        if screen is None or styled is None:
            return []
        return [
            max(
                (at for at, cell in row.items() if cell.char != " " or styled[cell.style]),
                default=0,
            )
            for row in map(screen.data_buffer.__getitem__, range(screen.height))
        ]

    def _remember(self, ever: list[int]) -> None:
        """Note the most that stood in each row: tmux rewraps what was erased there as well."""
        ends = self._ends()
        ever += [0] * (len(ends) - len(ever))
        ever[: len(ends)] = map(max, ends, ever)


def rewraps(environ: Mapping[str, str] = os.environ) -> bool:
    """Is this a terminal that rewraps its rows when its width changes?"""
    return any(environ.get(name) for name in _REWRAP)
