"""Finds what is meant by a few letters: the best matches first (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")

_MOST_TYPED = 60  # characters; more are only looked for as they are
_LONGEST = 400  # characters of a text that are looked at
_LONGEST_APART = 160  # characters of it in which letters apart are looked for


def best(typed: str, items: Iterable[Item], text_of: Callable[[Item], str]) -> list[Item]:
    """The items whose text holds the letters of `typed` in their order, best first.

    What begins with it comes first, then where a word in the text does, then what holds it
    somewhere, then its letters apart; ties stay as they are. A single letter must begin a word.
    """
    if not typed:
        return list(items)
    score = _scorer(typed.lower())
    scored = [(score(text_of(item)[:_LONGEST].lower()), item) for item in items]
    found = [(rank, item) for rank, item in scored if rank is not None]
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _scorer(wanted: str) -> Callable[[str], tuple[int, int] | None]:
    """Rates a text; lower is better, `None` is no match."""
    word = re.compile(r"(?<![^\W_])" + re.escape(wanted))
    # "[^x]*x" rather than ".*?x", which may try all ways to fail.
    apart = re.escape(wanted[0]) + "".join(f"[^{_in_set(c)}]*{re.escape(c)}" for c in wanted[1:])
    spread = re.compile(f"(?=({apart}))", re.DOTALL)

    def score(text: str) -> tuple[int, int] | None:
        if text.startswith(wanted):
            return 0, 0
        if begun := word.search(text):
            return 1, begun.start()
        if len(wanted) == 1:
            return None
        if (at := text.find(wanted)) >= 0:
            return 2, at
        if len(wanted) > _MOST_TYPED:
            return None
        spans = [len(found[1]) for found in spread.finditer(text, 0, _LONGEST_APART)]
        return (3, min(spans)) if spans else None

    return score


def _in_set(character: str) -> str:
    return f"\\{character}" if character in "\\]^-" else character
