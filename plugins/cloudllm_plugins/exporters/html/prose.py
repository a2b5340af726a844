"""Markdown to HTML: HTML in it is text, pictures are links, and links lead to the web or to mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from cloudllm_plugins.exporters.html.parts import plain
from cloudllm_plugins.exporters.visible import shown

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_DEEPEST = 40
"""Levels of blocks in blocks. The parser drops what is deeper, so such text is shown as it is."""

_LONGEST = 100_000  # characters; for more, the parser may take seconds
_BRACKETS = re.compile(r"[\[\]]")
_MOST_BRACKETS = 40  # open at the same time; looking for the end of each costs their square
_CELL = re.compile(r"(?<!\\)\|")


def prose(text: str) -> str:
    """The text as HTML; shown as it is where it can't be had without leaving something out."""
    source = shown(text)
    tokens = _tokens(source)
    if tokens is None or any(token.level > _DEEPEST - 4 for token in tokens):
        return plain(text)
    parser = _parser()
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered


def _tokens(source: str) -> list[Token] | None:
    if len(source) > _LONGEST or _open_brackets(source) > _MOST_BRACKETS:
        return None
    try:
        tokens = _parser().parse(source)
        return None if _is_overfull(source, tokens) else tokens
    except Exception:  # noqa: BLE001 - a fault of the parser's must not end the export
        return None


def _open_brackets(text: str) -> int:
    """How many `[` are open at most."""
    depth = most = 0
    for bracket in _BRACKETS.finditer(text):
        depth = depth + 1 if bracket[0] == "[" else max(0, depth - 1)
        most = max(most, depth)
    return most


def _is_overfull(source: str, tokens: Sequence[Token]) -> bool:
    """Has a row of a table more cells than the head? The parser drops them."""
    lines = source.splitlines()
    for token in tokens:
        if token.type == "table_open" and token.map:
            head, *rows = (_cells(line) for line in lines[slice(*token.map)])
            if any(row > head for row in rows):
                return True
    return False


def _cells(line: str) -> int:
    return len(_CELL.findall(line.strip().strip("|")))


@cache
def _parser() -> MarkdownIt:
    from cloudllm_plugins.exporters.html.parser import parser  # noqa: PLC0415 - needs markdown-it

    return parser(deepest=_DEEPEST)
