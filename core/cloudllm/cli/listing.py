"""What commands list: tables that fit the terminal, JSON, and remarks beside them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

import click

from cloudllm.repl.render.sanitize import clean

_GAP = "  "
_NARROWEST = 12  # characters that a column keeps, whatever the terminal


def on_terminal() -> bool:
    """Does a person look at it, not a program?"""
    return sys.stdout.isatty()


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: str = "",
    cut: Sequence[int] = (),
) -> Iterator[str]:
    """Aligned lines; on a terminal they fit its width.

    To that end the columns `cut` are cut short, in that order, and what is then too long for the
    first column stands whole on a line of its own, above the rest of its row. `numbers` holds an
    `r` at the place of each column that is aligned to the right.
    """
    if on_terminal():
        rows = [[clean(cell, one_line=True) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    if on_terminal():
        _fit(widths, (*cut, 0), shutil.get_terminal_size().columns)
    for row in (header, *rows):
        first, *rest = row
        if len(first) > widths[0]:
            yield first
            first = ""
        yield _GAP.join(_aligned((first, *rest), widths, numbers)).rstrip()


def _fit(widths: list[int], places: Iterable[int], columns: int) -> None:
    """Make these columns narrower, one after the other, until all fit."""
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - columns
    for place in places:
        spare = min(max(over, 0), max(widths[place] - _NARROWEST, 0))
        widths[place] -= spare
        over -= spare


def _aligned(row: Sequence[str], widths: Sequence[int], numbers: str) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        shown = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        yield shown.rjust(width) if numbers[place : place + 1] == "r" else shown.ljust(width)


def say(lines: Iterable[str]) -> None:
    """Print lines: exactly for a program, safe to look at for a person.

    Whoever reads them may leave early, as `head` does.
    """
    text = "".join(f"{line}\n" for line in lines)
    try:
        click.echo(clean(text) if on_terminal() else text, nl=False)
    except BrokenPipeError:
        # What is still buffered must go somewhere when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_json(value: object) -> None:
    """Print JSON; what it holds of foreign text cannot act on a terminal."""
    say([json.dumps(value, indent=2)])


def aside(text: str) -> None:
    """One line on standard error."""
    click.echo(clean(text, one_line=True), err=True)
