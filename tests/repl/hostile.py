"""Hostile text for tests, and what may stand in the bytes that a terminal gets of us."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

_HERE = Path(__file__).parent
CORPUS: list[dict[str, str]] = json.loads((_HERE / "hostile.json").read_text())
MARKDOWN: list[dict[str, str]] = json.loads((_HERE / "hostile_markdown.json").read_text())

EVIL = (
    "Aa\x1b[31337mBb\x1b]0;pwned\x07Cc\x9b31337mDd\x9d0;pwned\x9cEe\x1bP31337q\x1b\\Ff\x1b_G31337"
    "\x1b\\Gg\x07\x08\x0b\x0cHh\x7fIi\u202eJj\u200bKk\U000e0041Ll\rMm\x01\x1b[31337m\x02Nn\x1b[31337;1H"
    "Oo\u2066Pp\ufeffQq\x1b]52;c;AAAA\x07Rr\x1b]8;;file:///x\x07Ss\x1b]8;;\x07Tt\u2028Uu\u0085Vv\x1bcWw"
)
"""One line with something of everything; letters tell whether a part of it was lost."""

SHORT = "Aa\x1b[31337mBb\x9b31337mCc\u202eDd\x07Ee\u200bFf\rGg"
"""The same for places with little room."""

FLAT = SHORT.replace("\r", "")
"""The same for what must stay one line when it is pasted."""

_COLOURS = r"3[0-7]|9[0-7]|4[0-7]|10[0-7]|[34]8;5;\d+|[34]8;2;\d+;\d+;\d+|39|49"
_OURS = re.compile(
    rf"\x1b\[(?:(?:\d|2[2-9]|{_COLOURS})(?:;(?:\d|2[2-9]|{_COLOURS}))*)?m"  # styles
    r"|\x1b\[\d{0,3}[ABCDJK]|\x08"  # the cursor, and what prompt_toolkit erases
    r"|\x1b\[\?(?:1|7|12|25|2004|2026)[hl]"  # modes of a prompt
    r"|\x1b\[2J\x1b\[0;0H"  # Ctrl-L
    r"|\x1b\]11;\?(?:\x07|\x1b\\)|\x1b\[c"  # the question for the background
)


def leaks(raw: bytes) -> list[str]:
    """What a terminal got that is neither text nor a sequence of ours, with what stands around."""
    text = _OURS.sub("", raw.decode(errors="surrogateescape"))
    found = [at for at, c in enumerate(text) if forbidden(c) and c not in "\r\n"]
    return [ascii(text[max(0, at - 20) : at + 20]) for at in found]


def missing(shown: str, pieces: str) -> list[str]:
    """The pairs of letters of `EVIL` or `SHORT` that are not on the screen."""
    dense = re.sub(r"\s", "", shown)
    return [pair for pair in re.findall("[A-Z][a-z]", pieces) if pair not in dense]


def forbidden(character: str) -> bool:
    """A code point that must not reach a terminal; written from the rules, not from the code."""
    number = ord(character)
    kept = {0x61C, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x600, 0x606), 0x6DD, 0x70F}
    kept |= {0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
    return (
        (unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} and character not in "\n\t")
        or (unicodedata.category(character) == "Cf" and number not in kept)
        or 0xE0000 <= number <= 0xE0FFF
        or number & 0xFFFE == 0xFFFE
        or 0xFDD0 <= number <= 0xFDEF
    )
