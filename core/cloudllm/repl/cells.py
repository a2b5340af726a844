"""Text measured in the cells of a terminal, and cut to fit them."""

from __future__ import annotations

from collections.abc import Sequence


def width(text: str) -> int:
    """How many cells the text takes."""
    if text.isascii():
        return len(text)
    from prompt_toolkit.utils import get_cwidth  # noqa: PLC0415 - not for a plain screen

    # By character: prompt_toolkit remembers every short text that it has ever measured.
    return sum(map(get_cwidth, text))


def cut(text: str, columns: int) -> str:
    """The text, or as much of it as fits with an ellipsis behind."""
    if width(text) <= columns:
        return text
    used = end = 0
    for character in text:
        used += width(character)
        if used >= columns:
            break
        end += 1
    return f"{text[:end]}…" if columns > 0 else ""


def fitting(wordings: Sequence[str], columns: int) -> str:
    """The first of these wordings that fits; else the last one, cut."""
    return next((each for each in wordings if width(each) <= columns), cut(wordings[-1], columns))
