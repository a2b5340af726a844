"""Pieces of Markdown to rows, one after the other, with what each must know of those before it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudllm.repl.render import parser
from cloudllm.repl.render.code import CodeBlock
from cloudllm.repl.render.layout import Layout, plain
from cloudllm.repl.render.wrap import Line

if TYPE_CHECKING:
    from markdown_it.token import Token

    from cloudllm.repl.render.blocks import Piece


class Flow:
    """What the rows so far mean for the next: blank rows, item numbers, link definitions."""

    def __init__(self) -> None:
        self._definitions: Any = {}
        self._begun = False
        self._open_line = False  # the last line was not blank
        self._first_number = 1

    def branch(self) -> Flow:
        """One that goes on from here and leaves this one as it is.

        A definition that is half received must not be remembered: the first one holds for ever.
        """
        flow = Flow()
        flow.__dict__.update(self.__dict__)
        flow._definitions = ChainMap({}, self._definitions)
        return flow

    def piece(self, lines: Sequence[str], piece: Piece, width: int) -> list[Line]:
        """The rows of one piece, and the blank row before it."""
        if piece.fence:
            return self._fenced(lines, width)
        tight = piece.number is not None and self._open_line
        rows = self._blocks(lines, piece.number, width)
        self._open_line = bool(lines[-1].strip())
        return self.spaced(rows, tight=tight)

    def spaced(self, rows: list[Line], *, tight: bool = False) -> list[Line]:
        """The rows of a block, after a blank one unless they are the first, or `tight`."""
        if not rows:
            return []
        blank: list[Line] = [[]] if self._begun and not tight else []
        self._begun = True
        return blank + rows

    def _fenced(self, lines: Sequence[str], width: int) -> list[Line]:
        code = CodeBlock(lines[0])
        used = 1
        while used < len(lines) and not code.closed:
            code.add(lines[used].rstrip("\n"))
            used += 1
        rows = self.spaced(code.end())
        if any(line.strip() for line in lines[used:]):
            rows += self.spaced(self._blocks(lines[used:], None, width))
        return rows

    def _blocks(self, lines: Sequence[str], number: int | None, width: int) -> list[Line]:
        """Nearly always one block; and link definitions, which are shown as they are."""
        env = {"references": self._definitions}
        tokens = parser.parse(lines, env)
        if tokens is None:
            return plain(lines, width)
        if number is None:
            self._first_number = _start(tokens)
            layout = Layout(lines, width)
        else:
            layout = Layout(lines, width, self._first_number + number)
        groups: list[list[Line]] = []
        at = 0
        for begin, end, block in _tops(tokens):
            groups += [_definitions(lines[at:begin], width), layout.rows(block, width)]
            at = end
        groups.append(_definitions(lines[at:], width))
        rows: list[Line] = []
        for group in filter(None, groups):
            rows += [[], *group] if rows else group
        return rows


def _tops(tokens: Sequence[Token]) -> list[tuple[int, int, Sequence[Token]]]:
    """The blocks at the top level: where each begins and ends in the source, and its tokens."""
    tops: list[tuple[int, int, Sequence[Token]]] = []
    at = 0
    for number, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            begin, end = tokens[at].map or (0, 0)
            tops.append((begin, end, tokens[at : number + 1]))
            at = number + 1
    return tops


def _definitions(lines: Sequence[str], width: int) -> list[Line]:
    """Lines that the parser took as link definitions: shown, or a reader would never see them."""
    return [
        [(("url", *looks), text) for looks, text in row]
        for row in plain([line for line in lines if line.strip()], width)
    ]


def _start(tokens: Sequence[Token]) -> int:
    """The number of an ordered list's first item."""
    start = tokens[0].attrGet("start") if tokens else None
    return 1 if start is None else int(start)
