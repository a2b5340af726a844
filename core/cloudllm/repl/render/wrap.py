"""Lays styled text out in rows: prose breaks between words, wide characters break anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from cloudllm.repl.render.cells import IDEOGRAPHS, cells, cluster_cells, clusters

Span = tuple[tuple[str, ...], str]
"""The names of its looks, and a text that is safe to show."""

Line = list[Span]
"""A row, or a text that is still to be laid out."""

_WORDS = re.compile(r" +|[^ ]+")
_WIDE = 2
_NOT_FIRST = frozenset("、。，．！？；：）】」』》〉〕”’…・ー々")  # noqa: RUF001 - they are meant
"""Wide punctuation that stays with what is before it."""


def wrap(line: Line, width: int) -> list[Line]:
    """Rows of at most `width` cells; a word that is longer than that has a row, and is left whole.

    The terminal folds it, so that copying, as of an address, gives it back.
    """
    if sum(len(text) for _, text in line) <= width and size_of(line) <= width:
        return [line]
    rows = _Rows(width)
    for look, text in line:
        for piece in _WORDS.findall(text):
            if piece[0] == " ":
                rows.blank(look, piece)
            elif piece.isascii():
                rows.add(look, piece, len(piece))
            else:
                _add_word(rows, look, piece)
    return rows.end()


def fold(line: Line, width: int) -> list[Line]:
    """Rows of at most `width` cells, broken wherever the row is full, as a terminal does it."""
    if sum(cells(text) for _, text in line) <= width:
        return [line]
    rows: list[Line] = [[]]
    used = 0
    for look, text in line:
        row = ""
        for cluster in text if text.isascii() else clusters(text):
            size = 1 if text.isascii() else cluster_cells(cluster)
            if used + size > width and used:
                rows[-1].append((look, row))
                rows.append([])
                row, used = "", 0
            row += cluster
            used += size
        if row:
            rows[-1].append((look, row))
    return rows


def merged(line: Line) -> Line:
    """The line with neighbours of the same look as one."""
    if len(line) < 2:  # noqa: PLR2004 - two are neighbours
        return line
    return [
        (look, "".join(text for _, text in same)) for look, same in groupby(line, itemgetter(0))
    ]


def size_of(line: Line) -> int:
    """How many cells a line takes."""
    return sum(cells(text) for _, text in line)


def _add_word(rows: _Rows, look: tuple[str, ...], word: str) -> None:
    at = 0
    for run in IDEOGRAPHS.finditer(word):
        _add_clusters(rows, look, word[at : run.start()])
        at = run.end() - 1  # what follows may cling to the last one
        rows.ideographs(look, word[run.start() : at])
    _add_clusters(rows, look, word[at:])


def _add_clusters(rows: _Rows, look: tuple[str, ...], word: str) -> None:
    for part, wide, size in _parts(word):
        if wide:
            rows.breakable()
        rows.add(look, part, size)
        rows.may_break = wide


def _parts(word: str) -> Iterator[tuple[str, bool, int]]:
    """A word's parts between which a row may end: the text, is it wide, and its cells."""
    narrow, size = "", 0
    for cluster in clusters(word):
        taken = cluster_cells(cluster)
        if taken < _WIDE or cluster in _NOT_FIRST:
            narrow += cluster
            size += taken
            continue
        if narrow:
            yield narrow, False, size
            narrow, size = "", 0
        yield cluster, True, taken
    if narrow:
        yield narrow, False, size


class _Rows:
    """Rows in the making: those that are full, the open one, and the word that may not fit it."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows: list[Line] = []
        self._row: Line = []
        self._used = 0
        self._blanks: Line = []
        self._word: Line = []
        self._word_cells = 0
        self.may_break = False

    def blank(self, look: tuple[str, ...], text: str) -> None:
        """Blanks after a word; at a row's end they are left out."""
        self.breakable()
        self._blanks.append((look, text))

    def add(self, look: tuple[str, ...], text: str, size: int) -> None:
        """A piece of a word, which goes on from the piece before unless a row may end there."""
        if self.may_break and text[0] not in _NOT_FIRST:
            self.breakable()
        self.may_break = False
        self._word.append((look, text))
        self._word_cells += size

    def breakable(self) -> None:
        """A row may end here: place the word."""
        self.may_break = False
        if not self._word:
            return
        blanks = sum(len(text) for _, text in self._blanks)
        if self._row and self._used + blanks + self._word_cells > self._width:
            self._rows.append(self._row)
            self._row, self._used = [], 0
        else:
            self._word = [*self._blanks, *self._word]
            self._used += blanks
        self._row += self._word
        self._used += self._word_cells
        self._blanks, self._word, self._word_cells = [], [], 0

    def ideographs(self, look: tuple[str, ...], text: str) -> None:
        """Characters of two cells, between any of which a row may end."""
        self.breakable()
        while text:
            blanks = sum(len(text) for _, text in self._blanks)
            room = (self._width - self._used - blanks) // 2
            if room < 1 and self._row:
                self._rows.append(self._row)
                self._row, self._used, self._blanks = [], 0, []
                continue
            taken = max(1, room)
            self._row += [*self._blanks, (look, text[:taken])]
            self._used += blanks + 2 * len(text[:taken])
            self._blanks, text = [], text[taken:]
        self.may_break = True

    def end(self) -> list[Line]:
        """All rows."""
        self.breakable()
        return [*self._rows, self._row]
