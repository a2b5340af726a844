"""Finds what is meant by a few letters: the best matches first (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Score = tuple[int, int]
"""How a text fits, lower being better: the kind, and where, or of letters apart within how many."""

_APART = 3
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
    return _sorted(items, lambda item: score(_searched(text_of(item))))


def best_of_words(typed: str, items: Iterable[Item], text_of: Callable[[Item], str]) -> list[Item]:
    """The items that every word of `typed` fits as `best` has it, in any order, best first.

    Where in the text a word stands is no matter, so that more of them stay as they are.
    """
    scorers = [_scorer(word) for word in typed.lower().split()]

    def score(item: Item) -> Score | None:
        text = _searched(text_of(item))
        scores = [found for score in scorers if (found := score(text)) is not None]
        spans = (span for kind, span in scores if kind == _APART)
        return None if len(scores) < len(scorers) else (sum(kind for kind, _ in scores), sum(spans))

    return _sorted(items, score)


def _searched(text: str) -> str:
    return text[:_LONGEST].lower()


def _sorted(items: Iterable[Item], score: Callable[[Item], Score | None]) -> list[Item]:
    """Those that have a score, the best ones first; ties stay as they are."""
    scored = [(score(item), item) for item in items]
    found = [(rank, item) for rank, item in scored if rank is not None]
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def _scorer(wanted: str) -> Callable[[str], Score | None]:
    """Rates a text; `None` is no match."""
    word = re.compile(r"(?<![^\W_])" + re.escape(wanted))
    # "[^x]*x" rather than ".*?x", which may try all ways to fail.
    apart = re.escape(wanted[0]) + "".join(f"[^{_in_set(c)}]*{re.escape(c)}" for c in wanted[1:])
    spread = re.compile(f"(?=({apart}))", re.DOTALL)

    def score(text: str) -> Score | None:
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
        return (_APART, min(spans)) if spans else None

    return score


def _in_set(character: str) -> str:
    return f"\\{character}" if character in "\\]^-" else character
