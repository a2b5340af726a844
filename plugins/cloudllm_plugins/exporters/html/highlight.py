"""Code with its words marked by Pygments; the looks of the marks are the page's."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from cloudllm_plugins.exporters.html.parts import written

if TYPE_CHECKING:
    from pygments.lexer import Lexer

_LONGEST_LINE = 1_000
_MOST = 20_000
"""Characters; a lexer may need the square of what no person writes by hand."""

_PATIENCE = 1.0  # seconds of the processor for a block of code
_GIVEN_UP: set[Lexer] = set()

_MARKED = frozenset("kcsmng")  # what the short names of the kinds that have a colour begin with


def highlighted(code: str, language: str) -> str:
    """The code as HTML, marked if its language is known."""
    lexer = _lexer(language.lower())
    short = len(code) <= _MOST and all(len(line) <= _LONGEST_LINE for line in code.splitlines())
    if lexer is None or lexer in _GIVEN_UP or not short:
        return written(code)
    try:
        tokens = _tokens(lexer, code)
    except Exception:  # noqa: BLE001 - one of 500 lexers with a fault must not end the export
        return written(code)
    if "".join(text for _, text in tokens) != code:
        return written(code)
    return "".join(
        f'<i class="{mark}">{written(text)}</i>' if mark else written(text) for mark, text in tokens
    )


def _tokens(lexer: Lexer, code: str) -> list[tuple[str, str]]:
    """Marks and words; of a lexer that takes too long there are none, now and later.

    With the right few characters some lexers need the cube of their number, and one never ends.
    """
    found = []
    end = time.thread_time() + _PATIENCE
    for _, kind, text in lexer.get_tokens_unprocessed(code):
        if text:
            found.append((_mark(kind), text))
        if time.thread_time() > end:
            _GIVEN_UP.add(lexer)
            break
    return found


@cache
def _mark(kind: Any) -> str:  # noqa: ANN401 - Pygments has no types
    """The usual short name of a kind of token, such as "k" for a keyword."""
    from pygments.token import STANDARD_TYPES  # noqa: PLC0415 - only if there is code

    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name: str = STANDARD_TYPES[kind]
    return name if name[:1] in _MARKED and name != "n" else ""


@cache
def _lexer(language: str) -> Lexer | None:
    """The lexer of that name; only Pygments' own, for others would have to be searched."""
    if not language:
        return None
    from pygments import lexers  # noqa: PLC0415 - only if there is code

    name = _names().get(language)
    return getattr(lexers, name)() if name else None


@cache
def _names() -> dict[str, str]:
    """What a fence may say, and the lexer's class."""
    from pygments.lexers import LEXERS  # noqa: PLC0415 - only if there is code

    return {alias: name for name, (_, _, aliases, _, _) in LEXERS.items() for alias in aliases}
