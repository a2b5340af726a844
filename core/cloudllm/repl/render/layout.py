"""From block tokens to rows: headings, lists, quotes, code, tables and rules, one in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from cloudllm.repl.render import inline
from cloudllm.repl.render.code import code_text, language
from cloudllm.repl.render.highlight import highlight
from cloudllm.repl.render.tables import Align, Table, table_rows
from cloudllm.repl.render.wrap import Line, Span, wrap

if TYPE_CHECKING:
    from markdown_it.token import Token

_BULLETS = "•◦▪"
_BOXES = {"[ ] ": "[ ] ", "[x] ": "[x] ", "[X] ": "[x] "}
_NARROWEST = 12
"""Cells that the innermost block has at least; deeper ones are cut off at the right."""
_RULE = 40
_BAR: Span = (("quote",), "│ ")


class Layout:
    """Lays the tokens of `source` out; the parser has made them of exactly these lines.

    `width` is that of the screen in cells.
    `start` is the number of the first item of an ordered list that has begun before `source`.
    """

    def __init__(self, source: Sequence[str], width: int, start: int | None = None) -> None:
        self._source = source
        self._narrowest = min(_NARROWEST, max(1, width // 2))
        self._start = start
        self._depth = 0

    def rows(self, tokens: Sequence[Token], width: int) -> list[Line]:
        """The rows of sibling blocks; one row is blank where lines between them are."""
        rows: list[Line] = []
        at = 0
        while at < len(tokens):
            end = _end(tokens, at)
            block = self._block(tokens[at : end + 1], width)
            begin = (tokens[at].map or [0])[0]
            if rows and block and begin and not self._source[begin - 1].strip(" \t\n>"):
                rows.append([])
            rows += block
            at = end + 1
        return rows

    def _block(self, tokens: Sequence[Token], width: int) -> list[Line]:
        lay_out = self._BLOCKS.get(tokens[0].type, Layout._other)
        return lay_out(self, tokens, max(self._narrowest, width))

    def _other(self, tokens: Sequence[Token], width: int) -> list[Line]:
        """Text that we have no form for."""
        return [row for token in tokens for row in _wrapped(inline.safe(token.content), width)]

    def _paragraph(self, tokens: Sequence[Token], width: int) -> list[Line]:
        lines = inline.lines(tokens[1].children or ())
        return [row for line in lines for row in wrap(line, width)] if any(lines) else []

    def _heading(self, tokens: Sequence[Token], width: int) -> list[Line]:
        level = int(tokens[0].tag[1])
        look = ("heading", *{1: ["heading-1"], 2: []}.get(level, ["heading-3"]))
        return [
            [((*look, *looks), text) for looks, text in row]
            for row in self._paragraph(tokens, width)
        ]

    def _rule(self, _tokens: Sequence[Token], width: int) -> list[Line]:
        return [[(("rule",), "─" * min(_RULE, width))]]

    def _code(self, tokens: Sequence[Token], _width: int) -> list[Line]:
        token = tokens[0]
        content = token.content.removesuffix("\n").split("\n") if token.content else []
        lines = [code_text(line) for line in content]
        rows = highlight(lines, language(token.info))
        if token.type == "code_block":
            return [[((), "    "), *row] if row else [] for row in rows]
        fence: Span = (("fence",), token.markup)
        closing: list[Line] = (
            [[fence]] if token.map and token.map[1] - token.map[0] > len(lines) + 1 else []
        )
        return [[(("fence",), token.markup + inline.safe(token.info.strip()))], *rows, *closing]

    def _quote(self, tokens: Sequence[Token], width: int) -> list[Line]:
        return [
            [_BAR, *((("quote", *looks), text) for looks, text in row)] if row else [_BAR]
            for row in self.rows(tokens[1:-1], width - 2)
        ]

    def _list(self, tokens: Sequence[Token], width: int) -> list[Line]:
        number, self._start = self._start, None
        if number is None:
            number = int(
                tokens[0].attrGet("start") or 0 if tokens[0].attrGet("start") is not None else 1
            )
        rows: list[Line] = []
        at = 1
        while at < len(tokens) - 1:
            end = _end(tokens, at)
            begin = (tokens[at].map or [0])[0]
            if rows and not self._source[begin - 1].strip(" \t\n>"):
                rows.append([])
            mark = f"{number}{tokens[at].markup} " if tokens[0].tag == "ol" else ""
            rows += self._item(tokens[at + 1 : end], mark, width)
            number += 1
            at = end + 1
        return rows

    def _item(self, tokens: Sequence[Token], mark: str, width: int) -> list[Line]:
        box = _take_box(tokens)
        mark = mark + box or f"{_BULLETS[self._depth % len(_BULLETS)]} "
        self._depth += 1
        rows = self.rows(tokens, width - len(mark)) or [[]]
        self._depth -= 1
        first, *others = rows
        indent: Span = ((), " " * len(mark))
        return [[(("bullet",), mark), *first], *([indent, *row] if row else [] for row in others)]

    def _table(self, tokens: Sequence[Token], width: int) -> list[Line]:
        rows: list[list[Line]] = []
        aligns: list[Align] = []
        for number, token in enumerate(tokens):
            if token.type == "tr_open":
                rows.append([])
            elif token.type in {"th_open", "td_open"}:
                cell = [
                    span
                    for line in inline.lines(tokens[number + 1].children or ())
                    for span in line
                ]
                if token.type == "th_open":
                    aligns.append(_align(token))
                    cell = [(("table-head", *looks), text) for looks, text in cell]
                rows[-1].append(cell)
        return table_rows(Table(rows, aligns), width)

    _BLOCKS: ClassVar[dict[str, Callable[[Layout, Sequence[Token], int], list[Line]]]] = {
        "paragraph_open": _paragraph,
        "heading_open": _heading,
        "hr": _rule,
        "fence": _code,
        "code_block": _code,
        "blockquote_open": _quote,
        "bullet_list_open": _list,
        "ordered_list_open": _list,
        "table_open": _table,
    }


def plain(lines: Sequence[str], width: int) -> list[Line]:
    """Source lines as they are, wrapped."""
    return [row for line in lines for row in _wrapped(code_text(line.rstrip("\n")), width)]


def _wrapped(text: str, width: int) -> list[Line]:
    return wrap([((), text)] if text else [], width)


def _end(tokens: Sequence[Token], at: int) -> int:
    """Where the block that begins at `at` ends."""
    if tokens[at].nesting == 0:
        return at
    level = tokens[at].level
    return next(
        n for n in range(at + 1, len(tokens)) if tokens[n].level == level and tokens[n].nesting < 0
    )


def _take_box(tokens: Sequence[Token]) -> str:
    """The box of a task, `[ ] ` or `[x] `, which is taken away from the text; "" if it is none."""
    children = tokens[1].children if tokens and tokens[0].type == "paragraph_open" else None
    if not children or children[0].type != "text":
        return ""
    text = children[0]
    box = _BOXES.get(text.content[:4], "")
    if box:
        text.content = text.content[4:]
    return box


def _align(token: Token) -> Align:
    style = str(token.attrGet("style") or "")
    return "right" if "right" in style else "center" if "center" in style else "left"
