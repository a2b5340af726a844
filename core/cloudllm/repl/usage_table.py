"""The table of `cloudllm usage` and /usage, with its bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudllm import cells
from cloudllm.pricing import dollars
from cloudllm.repl.render.sanitize import clean
from cloudllm.store.report import Line

_GAP = "  "
_NUMBERS = ("CALLS", "IN", "CACHED", "OUT", "COST")
_NARROWEST_NAME, _SHORT_NAME = 10, 14
_NARROWEST_BAR, _WIDEST_BAR = 8, 40
_DROPPED = (
    ("CACHED", _SHORT_NAME + _NARROWEST_BAR),
    ("CALLS", _SHORT_NAME + _NARROWEST_BAR),
    ("IN", _NARROWEST_NAME),
    ("OUT", _NARROWEST_NAME),
)
"""Which columns go, in this order, if there is less room than this for names and bars."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def drawn(
    heading: str, found: Sequence[Line], total: Line, columns: int, *, ascii_only: bool
) -> Iterator[str]:
    """A row for each line and one for all; with bars, where so many columns have room for them."""
    rows = [[heading, *_NUMBERS], *(_cells(line) for line in (*found, total))]
    widths = [max(map(cells.width, column)) for column in zip(*rows, strict=True)]
    kept, room = _kept(widths, columns)
    name, bar = _shares(widths[0], room)
    bars = [_bar(weight, bar, ascii_only=ascii_only) for weight in _weights(found)]
    for row, tail in zip(rows, ("", *bars, ""), strict=True):
        numbers = (row[place].rjust(widths[place]) for place in kept)
        first = _cut(row[0], name, "..." if ascii_only else "…")
        yield _GAP.join((first, *numbers, tail)).rstrip()


def _kept(widths: Sequence[int], columns: int) -> tuple[list[int], int]:
    """The columns of numbers that there is room for, and the room left for names and bars.

    For bars those go that matter least; for the beginnings of names all but the cost may go.
    """
    kept = list(range(1, len(widths)))

    def room() -> int:
        return columns - sum(widths[place] + len(_GAP) for place in kept) - len(_GAP)

    for name, least in _DROPPED:
        if room() < least:
            kept.remove(1 + _NUMBERS.index(name))
    return kept, room()


def _shares(name: int, room: int) -> tuple[int, int]:
    """How wide the names and the bars are; there are no bars where names would suffer much."""
    shortened = min(name, max(room - _NARROWEST_BAR, _SHORT_NAME))
    if room - shortened >= _NARROWEST_BAR:
        return shortened, min(room - shortened, _WIDEST_BAR)
    return min(name, max(room + len(_GAP), _NARROWEST_NAME)), 0


def _cells(line: Line) -> list[str]:
    about = "~" if line.estimated else ""
    tokens = (
        "-" if count is None else f"{about if count else ''}{count:,}"
        for count in (line.input, line.cached, line.output)
    )
    return [clean(line.name, one_line=True), f"{line.calls:,}", *tokens, _cost(line)]


def _cost(line: Line) -> str:
    """Its cost; what is only set aside so far has none yet, and `?` stands for what is unknown."""
    about = "~" if line.cost_estimated else ""
    if line.calls == line.open:
        return "-"
    if not line.unknown:
        return f"{about}{dollars(line.cost)}"
    return f"{about}{dollars(line.cost)} + ?" if line.cost else "unknown"


def _weights(found: Sequence[Line]) -> list[float]:
    """How long each bar is, of 1: by what it cost, or by tokens if nothing did."""
    numbers = [line.cost for line in found]
    if not any(numbers):
        numbers = [line.tokens for line in found]
    most = max(numbers)
    return [number / most if most else 0.0 for number in numbers]


def _bar(weight: float, width: int, *, ascii_only: bool) -> str:
    """A bar, in eighths of a character; what is not nothing is seen."""
    if not (width and weight):
        return ""
    if ascii_only:
        return "#" * max(round(weight * width), 1)
    full, eighths = divmod(max(round(weight * width * 8), 1), 8)
    return ("█" * full + _EIGHTHS[eighths]).rstrip()


def _cut(text: str, width: int, sign: str) -> str:
    """The text in exactly so many cells of a terminal."""
    if cells.width(text) > width:
        while cells.width(text) > width - len(sign):
            text = text[:-1]
        text += sign
    return text + " " * (width - cells.width(text))
