"""What a person searches for: words and quoted phrases, and where a text holds them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudllm.store.rows import column

_PARTS = re.compile(r'"([^"]+)(?:"|$)|(\S+)')
_MOST_CHARACTERS = 2_000


def parsed(words: str) -> list[str]:
    """The words and "quoted phrases", without blanks at their ends; nothing else means anything.

    A phrase whose end is not marked goes on to the end.
    """
    given = column(words)[:_MOST_CHARACTERS]
    parts = (" ".join((quoted or word).split()) for quoted, word in _PARTS.findall(given))
    return [part for part in dict.fromkeys(parts) if part]


def with_letters(phrases: Sequence[str]) -> list[str]:
    """Those that have a letter or a digit."""
    return [each for each in phrases if any(map(str.isalnum, each))]


class Finder:
    """Finds `phrases` in texts, upper case or lower; a line break counts as a blank."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self._folded = [phrase.casefold() for phrase in phrases]
        self._patterns = [_pattern(phrase) for phrase in phrases]

    def find(self, text: str) -> tuple[int, int] | None:
        """Where the first of them begins and ends; `None` unless the text holds all of them."""
        folded = text.replace("\n", " ").casefold()
        if not all(phrase in folded for phrase in self._folded):  # far faster than what follows
            return None
        matches = [pattern.search(text) for pattern in self._patterns]
        places = [match.span() for match in matches if match is not None]
        return min(places) if places and len(places) == len(matches) else None


def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile("[ \n]".join(map(re.escape, phrase.split(" "))), re.IGNORECASE)
