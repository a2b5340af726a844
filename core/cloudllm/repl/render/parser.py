"""markdown-it, set up for text of a model: HTML is text, and nothing is decoded that was encoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference, table
from markdown_it.token import Token
from markdown_it.utils import EnvType

from cloudllm.repl.render.overfull import whole_rows

DEEPEST = 90
"""Levels of blocks in blocks. The parser drops what is deeper, so such text is shown as it is."""

_BRACKETS = re.compile(r"[\[\]]")
_MOST_BRACKETS = 40
"""Open at the same time; looking for the end of each costs the square of their number."""


_OTHER_BLOCK = re.compile(r"(?:[-+*]|\d{1,9}[.)]|#{1,6})[ \t]|>|`{3}[^`\n]*$|~{3}", re.MULTILINE)


class _Parser(MarkdownIt):
    def normalizeLinkText(self, link: str) -> str:  # noqa: N802 - markdown-it's name
        """An address as it was written; decoded it could hold a control."""
        return link

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - markdown-it's name
        """An address as it was written; encoded, one of another script could not be read."""
        return url


def _definition(state: StateBlock, begin: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - theirs
    """A link definition at the top level; in a list or a quote it is text, or it would be lost."""
    return state.level == 0 and reference(state, begin, end, silent)


def _table(state: StateBlock, begin: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - theirs
    """A table, unless its head begins another block: that could not be shown before the next line.

    GitHub has it so, too.
    """
    first = state.bMarks[begin] + state.tShift[begin]
    return not _OTHER_BLOCK.match(state.src, first) and table(state, begin, end, silent)


@cache
def _parser(*, inline: bool) -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "maxNesting": DEEPEST})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.at("reference", _definition)
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    if not inline:
        parser.core.ruler.enableOnly(["block"])
    return parser


def blocks(lines: Sequence[str]) -> list[Token]:
    """The block structure alone; `lines` keep their newlines."""
    return _tokens(lines, {}, inline=False) or []


def parse(lines: Sequence[str], env: EnvType) -> list[Token] | None:
    """All tokens, or None if they cannot be had: then the text is to be shown as it is.

    `env` keeps the link definitions.
    """
    if _open_brackets(lines) > _MOST_BRACKETS:
        return None
    tokens = _tokens(lines, env, inline=True)
    whole = whole_rows(lines, tokens or [])
    if whole is not lines:
        tokens = _tokens(whole, env, inline=True)
    if tokens is None or any(token.level > DEEPEST - 4 for token in tokens):
        return None
    return tokens


def _tokens(lines: Sequence[str], env: EnvType, *, inline: bool) -> list[Token] | None:
    try:
        return _parser(inline=inline).parse("".join(lines), env)
    except Exception:  # noqa: BLE001 - a fault of the parser's must not end the reply
        return None


def _open_brackets(lines: Sequence[str]) -> int:
    """How many `[` are open at most."""
    depth = most = 0
    for bracket in _BRACKETS.finditer("".join(lines)):
        depth = depth + 1 if bracket[0] == "[" else max(0, depth - 1)
        most = max(most, depth)
    return most
