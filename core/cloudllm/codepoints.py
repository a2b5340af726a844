"""Which characters would act on a terminal or hide in a text, and what is shown in their place."""

from __future__ import annotations

import unicodedata

DIRECTION_MARKS = "\u061c\u200e\u200f"
JOINERS = "\u200c\u200d"
_NUMBER_SIGNS = (
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_HANGUL_FILLERS = "\u115f\u1160\u3164\uffa0"


def visible(character: str) -> str:
    """What is shown for one character: itself, if it is plain to see.

    Controls are shown as their symbols, format characters as `<U+202E>`, separators as newlines.
    """
    number = ord(character)
    if character in "\u2028\u2029":
        return "\n"
    if number < 0x20:  # noqa: PLR2004 - the C0 controls; U+2400 begins their pictures
        return chr(0x2400 + number)
    if character == "\x7f":
        return "\u2421"
    if "\x80" <= character <= "\x9f":
        return f"<{number:02X}>"
    return code_point(character) if is_invisible(character) else character


def is_invisible(character: str) -> bool:
    """Is it shown as nothing at all, or not assigned on purpose?"""
    number = ord(character)
    return (
        (unicodedata.category(character) == "Cf" and character not in _NUMBER_SIGNS)
        or "\u2060" <= character <= "\u206f"
        or "\ufff0" <= character <= "\ufffb"
        or "\ufdd0" <= character <= "\ufdef"
        or number & 0xFFFE == 0xFFFE  # noqa: PLR2004 - the last two of each plane are noncharacters
        or character in _HANGUL_FILLERS
    )


def code_point(character: str) -> str:
    """Its number, such as `<U+202E>`."""
    return f"<U+{ord(character):04X}>"
