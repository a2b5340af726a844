"""Shows a reply as Markdown while it arrives: finished blocks for good, the open one live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from cloudllm.repl.render.blocks import Piece, pieces
from cloudllm.repl.render.code import CodeBlock
from cloudllm.repl.render.flow import Flow
from cloudllm.repl.render.frame import Frame, Row
from cloudllm.repl.render.layout import plain
from cloudllm.repl.render.sanitize import Sanitizer
from cloudllm.repl.render.wrap import Line, fold, merged
from cloudllm.repl.theme import Theme

_OFTEN = 2_000
"""Characters of an open block up to which it is looked for its end with each line."""

_GROWTH = 1.1
"""How much a longer one must have grown before that is done again; it keeps the cost linear."""

_MOST_CHARACTERS, _MOST_LINES = 8_000, 200
"""Of an open block that is still laid out with each frame; a longer one shows its last lines."""

_UNDECIDED = frozenset(" \t->=*+_#`~|:.)0123456789[]")
"""An unfinished line of these alone may become anything; shown too early, it would flicker."""

_SOON_DECIDED = 200
"""Characters after which it is shown all the same, as a number of many digits."""


class MarkdownRenderer:
    """Renders one reply; every piece of text passes the filter first.

    `width` is in cells, `max_live_rows` in rows; both are at least 1.
    """

    def __init__(self, width: int, max_live_rows: int, theme: Theme) -> None:
        self._width = width
        self._max_live_rows = max_live_rows
        self._theme = theme
        self._sanitizer = Sanitizer()
        self._lines: list[str] = []  # complete, with their newlines, and not committed
        self._size = 0
        self._size_without_end = 0.0
        self._part: list[str] = []  # the line that is still coming
        self._number: int | None = None  # of the item that the first line begins
        self._flow = Flow()
        self._code: CodeBlock | None = None

    def feed(self, delta: str) -> Frame:
        """Take the next piece of the reply."""
        rows = self._add(self._sanitizer.feed(delta))
        return Frame(self._painted(rows), self._live())

    def end(self) -> Frame:
        """The reply is over: commits the open block."""
        rows = self._add(self._sanitizer.end())
        if part := "".join(self._part):
            self._part = []
            rows += self._take([part])
        if self._code is not None:
            rows += self._code.end()
            self._code = None
        rows += self._rows(pieces(self._lines, self._number), len(self._lines))
        return Frame(self._painted(rows), [])

    def resize(self, width: int, max_live_rows: int) -> Frame:
        """The screen has another size: gives the live rows anew."""
        self._width = width
        self._max_live_rows = max_live_rows
        return Frame([], self._live())

    def _add(self, text: str) -> list[Line]:
        first, *others = text.split("\n")
        self._part.append(first)
        if not others:
            return []
        lines = ["".join(self._part), *others[:-1]]
        self._part = [others[-1]]
        return self._take([f"{line}\n" for line in lines])

    def _take(self, lines: Sequence[str]) -> list[Line]:
        """Take complete lines; gives the rows that are final now."""
        rows: list[Line] = []
        if self._code is not None:
            rows, lines = self._take_code(self._code, lines)
        self._lines += lines
        self._size += sum(map(len, lines))
        if not lines or self._size < self._size_without_end:
            return rows
        return rows + self._cut()

    def _take_code(self, code: CodeBlock, lines: Sequence[str]) -> tuple[list[Line], Sequence[str]]:
        """Gives the finished rows of the code, and the lines after it."""
        for number, line in enumerate(lines, 1):
            code.add(line.rstrip("\n"))
            if code.closed:
                self._code = None
                return code.end(), lines[number:]
        return code.take(), ()

    def _cut(self) -> list[Line]:
        """Take away all that no later line can change, and give its rows."""
        found = pieces(self._lines, self._number)
        last = found[-1]
        rows = self._rows(found[:-1], last.begin)
        self._drop(last.begin, last.number)
        if last.fence:
            opening, *lines = self._lines
            self._drop(len(self._lines), None)
            self._code = CodeBlock(opening)
            rows += self._flow.spaced(self._code.take())
            rows += self._take(lines)
        self._size_without_end = self._size * _GROWTH if self._size > _OFTEN else 0
        return rows

    def _drop(self, count: int, number: int | None) -> None:
        self._size -= sum(map(len, self._lines[:count]))
        del self._lines[:count]
        self._number = number

    def _rows(self, found: Sequence[Piece], end: int) -> list[Line]:
        return list(_laid_out(self._flow, self._lines, found, end, self._width))

    def _live(self) -> list[Row]:
        most = self._max_live_rows
        part = "".join(self._part)
        self._part = [part]
        rows: Iterable[Line]
        if self._code is not None:
            rows = self._code.live(part[-most * self._width :], most)
        else:
            rows = self._open(part)
        folded = [row for line in rows for row in fold(line, self._width)]
        look = self._theme.look
        return [
            [(look(*names).style, text) for names, text in merged(row)] for row in folded[-most:]
        ]

    def _open(self, part: str) -> Sequence[Line]:
        undecided = len(part) < _SOON_DECIDED and _UNDECIDED.issuperset(part)
        lines = self._lines if undecided else [*self._lines, part]
        if self._size + len(part) > _MOST_CHARACTERS or len(lines) > _MOST_LINES:
            most = self._max_live_rows
            return plain([line[-most * self._width :] for line in lines[-most:]], self._width)
        piece = Piece(0, number=self._number)
        return self._flow.branch().piece(lines, piece, self._width) if lines else []

    def _painted(self, rows: Sequence[Line]) -> list[str]:
        look = self._theme.look
        return ["".join(look(*names).paint(text) for names, text in merged(row)) for row in rows]


def _laid_out(
    flow: Flow, lines: Sequence[str], found: Sequence[Piece], end: int, width: int
) -> Iterable[Line]:
    """The rows of pieces of `lines`, which end at `end`."""
    for piece, after in pairwise([*found, Piece(end)]):
        yield from flow.piece(lines[piece.begin : after.begin], piece, width)
