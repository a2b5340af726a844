"""Shows a text as it is while it arrives: finished lines for good, the open one live.

A line is laid out once, piece by piece, and only its last rows are kept as rows: that makes the
work linear, whatever the length of the line.
"""

from __future__ import annotations

from collections import deque

from cloudllm.repl.render.cells import cluster_cells, extends
from cloudllm.repl.render.frame import Frame, Row
from cloudllm.repl.render.sanitize import Sanitizer
from cloudllm.repl.theme import Look

TAB = 8
"""Cells from one tab stop to the next."""

_PLAIN = Look("", "")


class PlainRenderer:
    """Renders one text in one look; every piece of it passes the filter first.

    A committed row is a whole source line. A live one is as wide as the screen at most.

    `width` is in cells, `max_live_rows` in rows; both are at least 1.
    """

    def __init__(self, width: int, max_live_rows: int, look: Look = _PLAIN) -> None:
        self._sanitizer = Sanitizer()
        self._width = width
        self._max_live_rows = max_live_rows
        self._look = look
        self._line = _Line(width, max_live_rows)

    def feed(self, delta: str) -> Frame:
        """Take the next piece of the text."""
        return self._add(self._sanitizer.feed(delta))

    def end(self) -> Frame:
        """The text is over: commits the open line."""
        commit = self._add(self._sanitizer.end()).commit
        if self._line.text():
            commit.append(self._look.paint(self._line.text()))
        self._line = _Line(self._width, self._max_live_rows)
        return Frame(commit, [])

    def resize(self, width: int, max_live_rows: int) -> Frame:
        """The screen has another size: gives the live rows anew."""
        self._width = width
        self._max_live_rows = max_live_rows
        self._line.resize(width, max_live_rows)
        return Frame([], self._live())

    def _add(self, text: str) -> Frame:
        *finished, rest = text.split("\n")
        commit = []
        for line in finished:
            self._line.add(line)
            commit.append(self._look.paint(self._line.text()))
            self._line = _Line(self._width, self._max_live_rows)
        self._line.add(rest)
        return Frame(commit, self._live())

    def _live(self) -> list[Row]:
        return [[(self._look.style, row)] for row in self._line.rows()]


class _Line:
    """One unfinished line: all its text, and the last rows of its layout.

    The last cluster stays open, since the next piece may add to it: an accent, an emoji's part.
    """

    def __init__(self, width: int, max_rows: int) -> None:
        self._pieces: list[str] = []
        self._column = 0
        self._open = ""
        self._layout = _Rows(width, max_rows)

    def text(self) -> str:
        """The line so far, tabs expanded."""
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def rows(self) -> list[str]:
        """The last rows of the line so far."""
        return self._layout.with_last(self._open, cluster_cells(self._open))

    def add(self, text: str) -> None:
        """Append a piece without newlines."""
        first, *after_tabs = text.split("\t")
        self._append(first)
        for piece in after_tabs:
            column = self._column + cluster_cells(self._open)
            self._append(" " * (TAB - column % TAB))
            self._append(piece)

    def resize(self, width: int, max_rows: int) -> None:
        """Lay out again as much of the end as can be seen."""
        opened, self._open = self._open, ""
        text = self.text().removesuffix(opened)
        self._layout = _Rows(width, max_rows)
        self._lay_out(text[-width * max_rows :])
        self._close()
        self._open = opened

    def _append(self, piece: str) -> None:
        self._pieces.append(piece)
        self._column += self._lay_out(piece)

    def _lay_out(self, piece: str) -> int:
        """Gives the cells of the clusters that this piece closed."""
        if piece.isascii():
            return self._lay_out_ascii(piece)
        closed = 0
        for character in piece:
            if not extends(self._open, character):
                closed += self._close()
            self._open += character
        return closed

    def _lay_out_ascii(self, piece: str) -> int:
        if not piece:
            return 0
        closed = self._close() + len(piece) - 1
        self._layout.add_ascii(piece[:-1])
        self._open = piece[-1]
        return closed

    def _close(self) -> int:
        cells = cluster_cells(self._open)
        self._layout.add_cluster(self._open, cells)
        self._open = ""
        return cells


class _Rows:
    """Rows of at most `width` cells; all but the last few are forgotten."""

    def __init__(self, width: int, max_rows: int) -> None:
        self._width = width
        self._max_rows = max_rows
        self._full: deque[str] = deque(maxlen=max_rows)
        self._row = ""
        self._used = 0

    def add_cluster(self, cluster: str, cells: int) -> None:
        """Append one cluster; it starts a new row if it does not fit."""
        if self._row and self._used + cells > self._width:
            self._break()
        self._row += cluster
        self._used += cells

    def add_ascii(self, text: str) -> None:
        """Append text whose every character takes one cell."""
        position = 0
        while position < len(text):
            if self._used >= self._width:
                self._break()
            piece = text[position : position + self._width - self._used]
            self._row += piece
            self._used += len(piece)
            position += len(piece)

    def with_last(self, cluster: str, cells: int) -> list[str]:
        """The rows as they are with one more cluster."""
        if self._row and self._used + cells > self._width:
            rows = [*self._full, self._row, cluster]
        else:
            rows = [*self._full, self._row + cluster]
        return rows[-self._max_rows :] if rows != [""] else []

    def _break(self) -> None:
        self._full.append(self._row)
        self._row = ""
        self._used = 0
