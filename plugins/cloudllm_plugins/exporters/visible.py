"""Text in which every character can be seen: what would act or hide is shown as what it is."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]|[\U000e0000-\U000e0fff]+"
)


def shown(text: str) -> str:
    """The text with controls as their symbols, and what is invisible as `<U+202E>`.

    Newlines and tabs stay, and so do joiners and marks of direction: scripts need them.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_replaced, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 300) -> str:
    """The same on one line, with an ellipsis for what is more than `limit` characters."""
    line = " ".join(shown(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _replaced(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character[0])
    if number >= 0xE0000:  # noqa: PLR2004 - tags, which spell a text that nobody sees
        return f"<{len(character)} hidden>"
    if 0xD800 <= number <= 0xDFFF:  # noqa: PLR2004 - half a character
        return "\ufffd"
    if character in "\u2028\u2029":
        return "\n"
    if number < 0x20:  # noqa: PLR2004 - U+2400 begins the pictures of these controls
        return chr(0x2400 + number)
    return "\u2421" if character == "\x7f" else f"<U+{number:04X}>"
