"""What a person can choose from, one by one, and the same as a numbered list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cloudllm.errors import UsageError
from cloudllm.words import one_line

Peek = Callable[[int], Awaitable[str]]
"""More about the choice with this index, as soon as it is known."""

LISTED = 20
"""Choices that a numbered list shows."""

_LONGEST = 60  # characters of a name, and of what was typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of them; all of it may be foreign text.

    name   what it is called
    note   a few words beside its name
    place  what else is said of it once it is looked at
    """

    name: str
    note: str = ""
    place: str = ""


def numbered(choices: Sequence[Choice]) -> str:
    """The first of them as lines with their numbers, counted from 1."""
    shown = choices[:LISTED]
    lines = [
        f"{number:>3}  {one_line(each.name, _LONGEST)}{f'  ({each.note})' if each.note else ''}"
        for number, each in enumerate(shown, start=1)
    ]
    if len(choices) > len(shown):
        lines.append(f"  …  and {len(choices) - len(shown):,} older ones")
    return "\n".join(lines)


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
        f"{one_line(typed, _LONGEST)!r} is not one of 1 to {len(choices)}",
        advice="Nothing was chosen",
    )
