"""Lines of the program's own: foreign text as rows that fit the screen, any error as one line."""

from __future__ import annotations

import re

from cloudllm.cells import width
from cloudllm.errors import CloudLLMError
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.style import styled

_COLUMN = re.compile(r"^ +|  +")


def rows(text: str, style: str, columns: int) -> list[str]:
    """One line of foreign text as rows of at most `columns` cells, in a style."""
    return [styled(row, style) for row in wrapped(clean(text, one_line=True), columns)]


def wrapped(line: str, columns: int) -> list[str]:
    """The line, safe to show already, as rows of at most `columns` cells that end between words.

    A word that is longer than a row is left to the terminal.
    """
    rows: list[str] = []
    room = 0
    for word in line.split(" "):
        cells = width(word)
        if rows and cells < room:
            rows[-1] += f" {word}"
            room -= cells + 1
        else:
            rows.append(word)
            room = columns - cells
    return rows


def hung(line: str, columns: int) -> list[str]:
    """The line, of a list or a table perhaps, as rows that go on below its last column.

    A column begins after two blanks; what begins in the second half of a row has no room below it.
    """
    if width(line) <= columns:
        return [line]
    starts = (found.end() for found in _COLUMN.finditer(line, 0, columns))
    at = max((start for start in starts if width(line[:start]) <= columns // 2), default=0)
    indent = " " * width(line[:at])
    first, *others = wrapped(line[at:], columns - len(indent))
    return [line[:at] + first, *(indent + row for row in others)]


def one_line(error: BaseException) -> CloudLLMError:
    """Any error as one that can be shown; a bug of ours says so."""
    if isinstance(error, CloudLLMError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return CloudLLMError(f"{error.filename or 'input or output'}: {error.strerror}")
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return CloudLLMError(f"cloudllm has a bug here: {reason}", advice="Please report it")
