"""Code to coloured lines, by Pygments; its text is never changed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from cloudllm.repl.render.wrap import Line, merged

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_LONGEST_LINE = 1_000
_MOST = 20_000
"""Characters; a lexer may need the square of what no person writes by hand."""

_LOOKS = (
    ("Token.Comment.Preproc", "code-keyword"),
    ("Token.Comment", "code-comment"),
    ("Token.Keyword", "code-keyword"),
    ("Token.Operator.Word", "code-keyword"),
    ("Token.Literal.String", "code-string"),
    ("Token.Literal", "code-number"),
    ("Token.Name.Function", "code-name"),
    ("Token.Name.Class", "code-name"),
    ("Token.Name.Decorator", "code-name"),
    ("Token.Name.Builtin", "code-name"),
    ("Token.Name.Tag", "code-keyword"),
    ("Token.Name.Attribute", "code-name"),
    ("Token.Generic.Deleted", "code-deleted"),
    ("Token.Generic.Inserted", "code-inserted"),
    ("Token.Generic.Heading", "bold"),
    ("Token.Generic.Subheading", "bold"),
    ("Token.Generic.Strong", "bold"),
)


def highlight(code: list[str], language: str) -> list[Line]:
    """Each line of `code`, safe already and without newlines, as styled text."""
    lexer = _lexer(language) if language else None
    text = "".join(f"{line}\n" for line in code)
    if lexer is None or len(text) > _MOST or any(len(line) > _LONGEST_LINE for line in code):
        return [_plain(line) for line in code]
    try:
        lines = _lexed(lexer, text)
    except Exception:  # noqa: BLE001 - one of 500 lexers with a fault must not end the reply
        lines = []
    same = ["".join(text for _, text in line) for line in lines] == code
    return lines if same else [_plain(line) for line in code]


def _lexed(lexer: Lexer, text: str) -> list[Line]:
    lines: list[Line] = [[]]
    for _, kind, value in lexer.get_tokens_unprocessed(text):
        look = _look(str(kind))
        first, *others = value.split("\n")
        if first:
            lines[-1].append((look, first))
        lines += [[(look, piece)] if piece else [] for piece in others]
    # A lexer may take an emoji apart, character by character: then its width would be wrong.
    return [merged(line) for line in lines[:-1]]


def _plain(line: str) -> Line:
    return [((), line)] if line else []


@cache
def _look(kind: str) -> tuple[str, ...]:
    for prefix, look in _LOOKS:
        if kind.startswith(prefix):
            return (look,)
    return ()


@cache
def _lexer(language: str) -> Lexer | None:
    """The lexer of that name, or None; only Pygments' own, for others would have to be searched."""
    from pygments import lexers  # noqa: PLC0415 - only if there is code

    name = _names().get(language.lower())
    return getattr(lexers, name)() if name else None


@cache
def _names() -> dict[str, str]:
    """What a fence may say, and the lexer's class."""
    from pygments.lexers import LEXERS  # noqa: PLC0415 - only if there is code

    return {alias: name for name, (_, _, aliases, _, _) in LEXERS.items() for alias in aliases}
