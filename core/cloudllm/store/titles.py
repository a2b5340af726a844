"""The title of a conversation, made of its first message."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from cloudllm.codepoints import is_invisible

UNTITLED = "(empty)"
"""The title of a text that has nothing to read."""

LONGEST = 200
"""Characters of a title, at most."""

_COLUMNS = 60
_MOST_READ = 10_000  # characters
_LONGEST_LINE = 500
_NESTED = 3
_FENCE = re.compile(r"\s*(```|~~~)")
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)")
_LEADING = re.compile(r"^\s*(#{1,6}\s+|>\s?|[-*+]\s+(\[[ xX]\]\s+)?|\d{1,3}[.)]\s+)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*( \"[^\"]*\")?\)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1(?!\w)")


def title_of(text: str) -> str:
    """Its first line that says something, without Markdown's marks, in 60 columns at most.

    Never empty, and without control or invisible characters.
    """
    lines = [*_lines(text[:_MOST_READ])]
    prose = [line for line, is_code in lines if not is_code]
    every = [line for line, _ in lines]
    for line in (*prose, *every):
        if any(character.isalnum() for character in line):
            return _cut(line)
    return _cut(next(iter(filter(None, every)), UNTITLED))


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line without its marks, and whether it stands in a block of code."""
    is_code = False
    for whole in _ESCAPES.sub("", text).splitlines():
        line = whole[:_LONGEST_LINE]
        if _FENCE.match(line) and "`" not in line.strip().lstrip("`"):
            is_code = not is_code
        elif is_code:
            yield _visible(line), True
        else:
            yield _visible(_without_marks(line)), False


def _without_marks(line: str) -> str:
    for _ in range(_NESTED):
        line = _LEADING.sub("", line)
    line = _LINK.sub(r"\1", line)
    for _ in range(_NESTED):
        line = _EMPHASIS.sub(r"\2", line)
    return line.strip()


def _visible(line: str) -> str:
    """The line with single blanks, and without what acts on a terminal or shows as nothing."""
    shown = ("" if _is_hidden(c) else c for c in " ".join(line.split()))
    return " ".join("".join(shown).split())


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") or is_invisible(character)


def _cut(line: str) -> str:
    """The line, or as much of it as fits, at the end of a word if one ends near."""
    if len(line) <= LONGEST and _columns(line) <= _COLUMNS:
        return line
    kept = line[: LONGEST - 1]  # marks over letters take no columns
    while _columns(kept) >= _COLUMNS:  # room for the mark
        kept = kept[:-1]
    if not line[len(kept)].isspace():
        whole = kept.rpartition(" ")[0]
        kept = whole if len(whole) > len(kept) // 2 else kept
    return f"{kept.rstrip(' ,;:-')}…"


def _columns(text: str) -> int:
    from wcwidth import wcwidth  # noqa: PLC0415 - not before a conversation begins

    return sum(max(0, wcwidth(character)) for character in text)
