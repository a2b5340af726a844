"""The words for looks: what may have one, and what one may be made of."""

from __future__ import annotations

import re
from collections.abc import Mapping

COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
"""The terminal's own eight; each has a bright one, too."""

ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "strike": "9"}
"""What a look may have besides a colour, and its SGR parameter."""

PLAIN = "plain"
"""The word for nothing of these."""

NAMES = (
    *("bold", "dim", "strong", "emphasis", "strike", "heading", "heading-1", "heading-3", "bullet"),
    *("quote", "rule", "link", "url", "table", "table-head", "fence", "code", "code-comment"),
    *("code-keyword", "code-string", "code-number", "code-name", "code-deleted", "code-inserted"),
    *("error", "status", "waiting"),
)
"""What has a look of its own."""

RGB = re.compile(r"#[0-9a-f]{6}")


def flaw(looks: Mapping[str, str]) -> str | None:
    """What is wrong with the first of these looks that cannot be used, or `None`."""
    for name, look in looks.items():
        if name not in NAMES:
            return f"{name[:40]!r} has no look of its own; these have: {', '.join(NAMES)}"
        for word in look.lower().split():
            if not _is_word(word):
                return (
                    f"{name}: {word[:40]!r} is no colour; use {', '.join(COLORS)}, one of them"
                    f" after bright-, #rrggbb, {', '.join(ATTRIBUTES)} or {PLAIN}"
                )
    return None


def _is_word(word: str) -> bool:
    known = word in ATTRIBUTES or word == PLAIN or word.removeprefix("bright-") in COLORS
    return known or RGB.fullmatch(word) is not None
