"""Table rows with more cells than the table has columns: the parser would drop the text beyond."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it.token import Token

_CODE = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_BAR = re.compile(r"(?<!\\)\|")


def whole_rows(lines: Sequence[str], tokens: Sequence[Token]) -> Sequence[str]:
    """The lines, with bars escaped in rows that have too many, first in code, then from the end."""
    changed: dict[int, str] = {}
    for at, token in enumerate(tokens):
        if token.type == "table_open" and token.map:
            columns = _columns(tokens, at)
            for number in range(token.map[0] + 2, min(token.map[1], len(lines))):
                if _count(lines[number]) > columns:
                    changed[number] = _whole_row(lines[number], columns)
    if not changed:
        return lines
    return [changed.get(number, line) for number, line in enumerate(lines)]


def _columns(tokens: Sequence[Token], at: int) -> int:
    columns = 0
    while tokens[at].type != "thead_close":
        columns += tokens[at].type == "th_open"
        at += 1
    return columns


def _count(row: str) -> int:
    return len(_BAR.split(row.strip(" \t\n>").removeprefix("|").removesuffix("|")))


def _whole_row(row: str, columns: int) -> str:
    row = _CODE.sub(lambda code: _BAR.sub(r"\\|", code[0]), row)
    bars = [bar.start() for bar in _BAR.finditer(row)]
    if row.strip(" \t\n>").endswith("|"):
        bars.pop()
    first = columns if row.strip(" \t\n>").startswith("|") else columns - 1
    begins = [0, *bars[first:]]
    return "\\".join(row[a:b] for a, b in zip(begins, [*begins[1:], len(row)], strict=True))
