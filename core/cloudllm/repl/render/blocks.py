"""Cuts Markdown that is still coming into pieces that no later line can change.

CommonMark is decided line by line: of complete lines, every block at the top level but the last is
final, and so is every item of a list at the top level but its last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cloudllm.repl.render import parser

if TYPE_CHECKING:
    from markdown_it.token import Token

_MAY_BE_TITLES = {"paragraph_open", "heading_open", "table_open"}


class Piece(NamedTuple):
    """A block at the top level, or one item of a list there, with the lines up to the next.

    `begin` is where it stands among the lines that were cut. `fence` says that it is fenced code.
    `number` counts the items of a list that came before it, or is None.
    """

    begin: int
    fence: bool = False
    number: int | None = None


def pieces(lines: Sequence[str], number: int | None = None) -> list[Piece]:
    """The pieces of complete lines, in order; the last one may not be final.

    With `number` the first line begins an item, and as many items of its list were cut off before.
    """
    found = list(_pieces(parser.blocks(lines), lines, number))
    if not lines or (found and found[0].begin == 0):
        return found
    if not found or found[0].fence:  # link definitions alone
        return [Piece(0), *found]
    return [found[0]._replace(begin=0), *found[1:]]


def _pieces(tokens: Sequence[Token], lines: Sequence[str], number: int | None) -> Iterator[Piece]:
    before = 0
    for at, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        begin, end = token.map
        first = number if begin == 0 and token.tag in {"ul", "ol"} else None
        # A link definition right before it may still get a title from the lines that follow.
        defined = begin > before and lines[begin - 1].strip()
        if not (defined and token.type in _MAY_BE_TITLES):
            yield Piece(begin, token.type == "fence", first)
        if token.tag in {"ul", "ol"}:
            yield from _items(tokens, at, first or 0)
        before = end


def _items(tokens: Sequence[Token], at: int, number: int) -> Iterator[Piece]:
    """All items but the first, which begins with its list."""
    begins = []
    for token in tokens[at + 1 :]:
        if token.level == 0:
            break
        if token.level == 1 and token.type == "list_item_open" and token.map:
            begins.append(token.map[0])
    for later, begin in enumerate(begins[1:], number + 1):
        yield Piece(begin, number=later)
