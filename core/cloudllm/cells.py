"""Text that is safe to show, measured in the cells of a terminal and cut to fit them."""

from __future__ import annotations


def width(text: str) -> int:
    """How many cells the text takes."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - rarely needed

    return max(0, wcswidth(text))


def cut(text: str, cells: int) -> str:
    """The text, or as much of its beginning as fits with an ellipsis behind."""
    if width(text) <= cells:
        return text
    return f"{text[: _fitting(text, cells - 1)]}…" if cells > 0 else ""


def cut_before(text: str, cells: int) -> str:
    """The text, or as much of its end as fits with an ellipsis before."""
    if width(text) <= cells:
        return text
    kept = _fitting(text[::-1], cells - 1)
    return f"…{text[len(text) - kept :]}" if cells > 0 else ""


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """The text in exactly so many cells; `right` puts the blanks before it."""
    shown = cut(text, cells)
    blanks = " " * (cells - width(shown))
    return f"{blanks}{shown}" if right else f"{shown}{blanks}"


def _fitting(text: str, cells: int) -> int:
    """How many of its first characters fit."""
    from wcwidth import wcwidth  # noqa: PLC0415 - see above

    for place, character in enumerate(text):
        cells -= max(0, wcwidth(character))
        if cells < 0:
            return place
    return len(text)
