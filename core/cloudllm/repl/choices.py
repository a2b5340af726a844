"""What a person can choose from, one by one, and the same as a numbered list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cloudllm.errors import UsageError
from cloudllm.repl.cells import cut, width
from cloudllm.repl.render.sanitize import clean
from cloudllm.words import one_line, quoted

Peek = Callable[[int], Awaitable[str]]
"""More about the choice with this index, as soon as it is known."""

LISTED = 20
"""Choices that a numbered list shows."""

_LONGEST = 60  # characters of a name, and of what was typed
_GAP = "  "
_INDENT = 5  # cells that a number takes
_LEAST_NAME = 24
"""Cells of a name beside which a note is still shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of them; all of it may be foreign text.

    name   what it is called
    note   a few words beside its name, and `short` what stands there where they have no room
    place  what else is said of it once it is looked at
    """

    name: str
    note: str = ""
    short: str = ""
    place: str = ""


def numbered(choices: Sequence[Choice], columns: int | None = None) -> str:
    """The first of them as lines with their numbers, counted from 1, that fit so many cells."""
    shown = choices[:LISTED]
    lines = [row(number, each, columns) for number, each in enumerate(shown, start=1)]
    if more := len(choices) - len(shown):
        lines.append(f"  …  and {more:,} older {'one' if more == 1 else 'ones'}")
    return "\n".join(lines)


def row(number: int, choice: Choice, columns: int | None = None) -> str:
    """One of them with its number: the name is cut to fit so many cells.

    Where that would leave too little of it, what is said beside it stands below.
    """
    name = clean(one_line(choice.name, _LONGEST), one_line=True)
    note = f"({choice.note})" if choice.note else ""
    if columns is None:
        return f"{number:>3}  {name}  {note}".rstrip()
    whole = columns - _INDENT
    beside = whole - (width(note) + len(_GAP) if note else 0)
    if beside >= min(width(name), _LEAST_NAME):
        return f"{number:>3}  {cut(name, beside)}{_GAP}{note}".rstrip()
    return f"{number:>3}  {cut(name, whole)}\n{'':{_INDENT}}{cut(note, whole)}"


def chosen(answer: str, choices: Sequence[Choice]) -> int | None:
    """The index of the choice with this number; `None` if nothing was typed.

    Raises:
        UsageError: there is no such number.
    """
    typed = answer.strip()
    if not typed:
        return None
    if typed.isascii() and typed.isdigit() and 1 <= int(typed[:9]) <= len(choices):
        return int(typed) - 1
    raise UsageError(
        f"{quoted(typed, _LONGEST)} is not one of 1 to {len(choices)}",
        advice="Nothing was chosen",
    )
