"""Draws a terminal's screen as SVG, whose text can be selected, searched and read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pyte
from pyte.screens import Char
from wcwidth import wcwidth

from tests.repl.conftest import SafeScreen

_CELL, _ROW, _SIZE = 8.4, 18, 14
_MARGIN, _BAR = 14, 30
_BASELINE = 13
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")


class Palette(NamedTuple):
    """The colours of a terminal: its own two, and the sixteen, eight of them bright."""

    background: str
    text: str
    bar: str
    colors: tuple[str, ...]

    def color(self, name: str, default: str) -> str:
        """A colour as pyte names it."""
        if name == "default":
            return default
        plain = name.removeprefix("bright").replace("bfightmagenta", "magenta")
        if plain in _NAMES:
            return self.colors[_NAMES.index(plain) + 8 * (plain != name)]
        return f"#{name}"


DARK = Palette(
    "#15181e", "#d5d9e0", "#232831",
    ("#20242c", "#e5716d", "#82bd69", "#d8ab5c", "#6ba3ec", "#c287d8", "#52b8bd", "#c3c8d1",
     "#7d8594", "#ff8a84", "#9ad581", "#efc876", "#87b8f9", "#d7a1ea", "#6fd0d4", "#f3f5f8"),
)  # fmt: skip
LIGHT = Palette(
    "#fbfbfa", "#24292f", "#e9eaec",
    ("#24292f", "#b3261e", "#1e7a34", "#8a5a00", "#0b57c2", "#8a3aa8", "#0b7285", "#c9ccd1",
     "#6a737d", "#cc3b33", "#2a9247", "#a56c00", "#2a6fdb", "#a352c2", "#118ca3", "#ffffff"),
)  # fmt: skip


class Screen(SafeScreen):
    """A screen that knows dim text, which pyte does not; nothing of ours blinks, so that says it."""

    def select_graphic_rendition(self, *attrs: int, **_: bool) -> None:
        """Take the attributes of the text to come."""
        seen: list[int] = []
        rest = iter(attrs)
        for attribute in rest:
            if attribute in (38, 48):
                kind = next(rest, 5)
                seen += [attribute, kind, *(next(rest, 0) for _ in range(3 if kind == 2 else 1))]
            else:
                seen += {2: [5], 22: [22, 25]}.get(attribute, [attribute])
        super().select_graphic_rendition(*seen)


def lines(screen: pyte.Screen) -> list[str]:
    """The rows of the screen as text, without the blanks at their ends."""
    return ["".join(cell.data for cell in row).rstrip() for row in _cells(screen)]


def svg(screen: pyte.Screen, palette: Palette, title: str) -> str:
    """The screen, in a window of its own."""
    width = round(screen.columns * _CELL + 2 * _MARGIN)
    height = screen.lines * _ROW + _BAR + 2 * _MARGIN
    body = "\n".join(
        part for number, row in enumerate(_cells(screen)) for part in _row(row, number, palette)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" font-size="{_SIZE}" \
font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">
<title>{escape(title)}</title>
<rect width="{width}" height="{height}" rx="8" fill="{palette.background}" stroke="{palette.bar}"/>
<path d="M0 {_BAR}V8a8 8 0 0 1 8-8H{width - 8}a8 8 0 0 1 8 8V{_BAR}z" fill="{palette.bar}"/>
{_BUTTONS}
{body}
{_cursor(screen, palette)}</svg>
"""


def text(svg: str) -> list[str]:
    """The rows that a picture shows, those without text left out."""
    root = ET.fromstring(svg)
    return ["".join(row.itertext()).rstrip() for row in root.iter(f"{_SVG}text")]


_SVG = "{http://www.w3.org/2000/svg}"
_BUTTONS = "".join(
    f'<circle cx="{18 + 18 * number}" cy="15" r="5.5" fill="{color}"/>'
    for number, color in enumerate(("#ec6a5e", "#f4be4f", "#61c554"))
)


def _cells(screen: pyte.Screen) -> Iterator[list[Char]]:
    for number in range(screen.lines):
        row = screen.buffer[number]
        yield [row[column] for column in range(screen.columns)]


def _row(row: list[Char], number: int, palette: Palette) -> Iterator[str]:
    """The backgrounds of a row, and one text: whoever selects it gets the line."""
    y = _BAR + _MARGIN + number * _ROW
    spans: list[str] = []
    column = 0
    for (look, _), group in groupby(row, _alike):
        shown = "".join(cell.data for cell in group)
        x, wide = _MARGIN + column * _CELL, _wide(shown)
        column += round(wide / _CELL)
        fill, back = _colors(look, palette)
        if back:
            yield f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{_ROW}" fill="{back}"/>'
        spans.append(_span(shown.rstrip() if column == len(row) else shown, x, look, fill))
    if "".join(cell.data for cell in row).strip():
        yield f'<text y="{y + _BASELINE}" xml:space="preserve">{"".join(spans)}</text>'


def _alike(cell: Char) -> tuple[Char, bool]:
    """What neighbours share that are drawn at one go: their look, and whether the font has them."""
    other = not cell.data or wcwidth(cell.data[0]) > 1 or cell.data in _SPINNER
    return cell._replace(data=""), other


def _wide(shown: str) -> float:
    return sum(max(0, wcwidth(character)) for character in shown) * _CELL


def _span(shown: str, x: float, look: Char, fill: str) -> str:
    if not shown:
        return ""
    style = f' x="{x:.1f}" textLength="{_wide(shown):.1f}" fill="{fill}"'
    style += ' font-weight="bold"' * look.bold + ' font-style="italic"' * look.italics
    style += ' fill-opacity="0.62"' * look.blink
    lines = " ".join(["underline"] * look.underscore + ["line-through"] * look.strikethrough)
    style += f" text-decoration={quoteattr(lines)}" if lines else ""
    return f"<tspan{style}>{escape(shown)}</tspan>"


def _colors(look: Char, palette: Palette) -> tuple[str, str]:
    """The colour of the text, and that behind it; empty if it is the screen's own."""
    fill = palette.color(look.fg, palette.text)
    back = palette.color(look.bg, palette.background)
    if look.reverse:
        fill, back = back, fill
    return fill, back if back != palette.background else ""


def _cursor(screen: pyte.Screen, palette: Palette) -> str:
    if screen.cursor.hidden:
        return ""
    x, y = _MARGIN + screen.cursor.x * _CELL, _BAR + _MARGIN + screen.cursor.y * _ROW
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{_CELL}" height="{_ROW}" fill="{palette.text}"'
        ' fill-opacity="0.55"/>\n'
    )
