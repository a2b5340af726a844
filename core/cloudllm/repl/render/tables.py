"""Tables as rows: columns as wide as their cells, wrapped where the screen is too narrow for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cloudllm.repl.render.wrap import Line, Span, fold, size_of, wrap

Align = Literal["left", "center", "right"]

_BAR: Span = (("table",), " │ ")
_NARROWEST = 8
"""Cells of a column that has to be wrapped; below, each row is a list of its cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first row is the head, and every row has as many cells as `aligns` says."""

    rows: Sequence[Sequence[Line]]
    aligns: Sequence[Align]


def table_rows(table: Table, width: int) -> list[Line]:
    """The table in at most `width` cells, if it can be."""
    natural = [max(size_of(cell) for cell in column) for column in zip(*table.rows, strict=True)]
    widths = _fitting(natural, width - len(_BAR[1]) * (len(natural) - 1))
    if widths is None:
        return _as_lists(table, width)
    head, *body = (_laid_out(row, widths, table.aligns) for row in table.rows)
    border: Line = [(("table",), "─┼─".join("─" * size for size in widths))]
    return [*head, border, *(line for row in body for line in row)]


def _fitting(natural: list[int], room: int) -> list[int] | None:
    """Column widths that fill at most `room`: the widest ones give way first."""
    if sum(natural) <= room:
        return [max(1, size) for size in natural]
    if sum(min(size, _NARROWEST) for size in natural) > room:
        return None
    low, high = _NARROWEST, max(natural)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(size, middle) for size in natural) <= room:
            low = middle
        else:
            high = middle - 1
    widths = [max(1, min(size, low)) for size in natural]
    for number, size in enumerate(natural):
        if sum(widths) < room and widths[number] < size:
            widths[number] += 1
    return widths


def _laid_out(row: Sequence[Line], widths: list[int], aligns: Sequence[Align]) -> list[Line]:
    columns = [
        [piece for part in wrap(cell, width) for piece in fold(part, width)]
        for cell, width in zip(row, widths, strict=True)
    ]
    lines: list[Line] = []
    for number in range(max(len(column) for column in columns)):
        line: Line = []
        for column, width, align in zip(columns, widths, aligns, strict=True):
            cell = column[number] if number < len(column) else []
            line += [_BAR, *_padded(cell, width, align)] if line else _padded(cell, width, align)
        lines.append(_without_end(line))
    return lines


def _padded(cell: Line, width: int, align: Align) -> Line:
    room = max(0, width - size_of(cell))
    before = {"left": 0, "center": room // 2, "right": room}[align]
    return [((), " " * before), *cell, ((), " " * (room - before))]


def _without_end(line: Line) -> Line:
    """Blanks at a row's end are in the way of copying."""
    while line and not line[-1][0] and not line[-1][1].strip():
        line = line[:-1]
    return line


def _as_lists(table: Table, width: int) -> list[Line]:
    """Each row as `head: cell` lines, for a screen that is too narrow for the columns."""
    head, *body = table.rows
    lines: list[Line] = []
    for number, row in enumerate(body):
        if number:
            lines.append([])
        for key, cell in zip(head, row, strict=True):
            lines += wrap([*key, (("table-head",), ": "), *cell], width)
    return lines or [line for key in head for line in wrap(list(key), width)]
