"""What commands list: tables that fit the terminal, JSON, and remarks beside them."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import click

from cloudllm import cells
from cloudllm.errors import UsageError
from cloudllm.repl.render.sanitize import Sanitizer, clean, own_styles_only
from cloudllm.repl.style import BOLD, styled

_GAP = "  "
_NARROWEST = 12  # cells that a column which is cut keeps, whatever the terminal
_INDENT = "  "


def on_terminal() -> bool:
    """Does a person look at it, not a program?"""
    return sys.stdout.isatty()


def columns() -> int:
    """How wide the terminal is."""
    return shutil.get_terminal_size().columns


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: str = "",
    cut: Sequence[int] = (),
) -> Iterator[str]:
    """Aligned lines; on a terminal they fit its width.

    To that end the columns `cut` are cut short, in that order, and what is then too long for the
    first column stands whole on a line of its own, above the rest of its row. Where even so there
    is no room, each cell has a line, under the first one of its row. `numbers` holds an `r` at the
    place of each column that is aligned to the right.
    """
    return chain.from_iterable(table_rows(header, rows, numbers=numbers, cut=cut))


def table_rows(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: str = "",
    cut: Sequence[int] = (),
) -> Iterator[list[str]]:
    """The same, as the lines of the header, if it has any, and the lines of each row."""
    if on_terminal():
        rows = [[clean(cell, one_line=True) for cell in row] for row in rows]
    widths = [max(map(cells.width, column)) for column in zip(header, *rows, strict=True)]
    least = {**dict.fromkeys(cut, _NARROWEST), 0: len(header[0])}
    if on_terminal() and not _fit(widths, least):
        yield []
        yield from (_stacked(header, row) for row in rows)
        return
    for first, *rest in (header, *rows):
        is_long = cells.width(first) > widths[0]
        aligned = _aligned(("" if is_long else first, *rest), widths, numbers)
        yield [*([first] if is_long else []), _GAP.join(aligned).rstrip()]


def _stacked(header: Sequence[str], row: Sequence[str]) -> list[str]:
    """The first cell, and under it a line for each other one, with the name of its column."""
    label = max(map(len, header[1:]), default=0)
    room = columns() - len(_INDENT) - label - len(_GAP)
    pairs = zip(header[1:], row[1:], strict=True)
    lines = (f"{_INDENT}{name:{label}}{_GAP}{cells.cut(cell, room)}" for name, cell in pairs)
    return [row[0], *(line.rstrip() for line in lines)]


def _fit(widths: list[int], least: Mapping[int, int]) -> bool:
    """Make these columns narrower, one after the other, until all fit; do they now?"""
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - columns()
    for place, kept in least.items():
        spare = min(max(over, 0), max(widths[place] - kept, 0))
        widths[place] -= spare
        over -= spare
    return over <= 0


def _aligned(row: Sequence[str], widths: Sequence[int], numbers: str) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cells.padded(cell, width, right=numbers[place : place + 1] == "r")


def say(lines: Iterable[str]) -> None:
    """Print lines: exactly for a program, safe to look at for a person.

    Whoever reads them may leave early, as `head` does.
    """
    text = "".join(f"{line}\n" for line in lines)
    _out(clean(text) if on_terminal() else text)


def say_rows(rows: Iterable[str]) -> None:
    """Print rows that have styles on a terminal; what is foreign in them has passed `clean`."""
    _out("".join(f"{own_styles_only(row)}\n" for row in rows))


def say_pieces(pieces: Iterable[str]) -> None:
    """Print a text as its pieces come: exactly, in UTF-8, or safe to look at for a person."""
    if on_terminal():
        shown = Sanitizer()
        all(_out(shown.feed(piece)) for piece in pieces)
        _out(shown.end())
    else:
        all(_put(piece.encode(errors="replace")) for piece in pieces)


def bold(text: str) -> str:
    """The text, which must be safe already, bold on a terminal."""
    return styled(text, BOLD) if on_terminal() else text


def say_json(value: object) -> None:
    """Print JSON; what it holds of foreign text cannot act on a terminal."""
    say([json.dumps(value, indent=2)])


def aside(text: str) -> None:
    """One line on standard error."""
    click.echo(clean(text, one_line=True), err=True)


def passing(text: str) -> None:
    """A line on standard error that the next one takes the place of, if a person looks at it."""
    if sys.stderr is not None and sys.stderr.isatty():
        shown = cells.padded(clean(text, one_line=True), columns() - 1)
        click.echo(f"\r{shown}\r", err=True, nl=False)


def agreed(question: str, *, yes: bool) -> bool:
    """Does the person say yes? With `yes` they have said so already; the end of input is no.

    Raises:
        UsageError: nobody is there who could answer.
        click.Abort: they want the program to end.
    """
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("nobody is there to be asked", advice="Add --yes if you mean it")
    try:
        return click.confirm(clean(question, one_line=True), err=True)
    except click.Abort as error:
        click.echo(err=True)  # or else what follows stands behind the question
        if isinstance(error.__context__, EOFError):
            return False
        raise


def _out(text: str) -> bool:
    """Write to standard output; what it cannot take of the text is `?`. Does it take more?"""
    encoding = sys.stdout.encoding or "utf-8"
    return _put(text.encode(encoding, "replace").decode(encoding))


def _put(text: str | bytes) -> bool:
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        # What is still buffered must go somewhere when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
