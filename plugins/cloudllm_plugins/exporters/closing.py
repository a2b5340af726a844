"""Ends what a piece of Markdown has begun, so that what follows is not swallowed by it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_MAY_STAY_OPEN = re.compile(r"```|~~~|<[!?a-zA-Z]")
_ENDS_OF_HTML = ("-->", "?>", "]]>", ">", "</pre>")
_MARK = "what comes after it"


def closed(text: str) -> str:
    """The text as it is, and behind it what ends its last block, if that is open.

    A fence that is never closed, or an HTML comment, reaches to the end of the document.
    """
    if not _MAY_STAY_OPEN.search(text):
        return text
    for end in ("", *_fences(text), *_ENDS_OF_HTML):
        complete = f"{text}\n{end}" if end else text
        if _ends(complete):
            return complete
    return text


def _ends(text: str) -> bool:
    """Would a heading after it be one?"""
    tokens = _parser().parse(f"{text}\n\n# {_MARK}\n")
    return len(tokens) > 1 and tokens[-1].type == "heading_close" and tokens[-2].content == _MARK


def _fences(text: str) -> list[str]:
    """The fence that the last block began with, if it is code."""
    last = next(reversed(_parser().parse(text)), None)
    return [last.markup] if last is not None and last.type == "fence" else []


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - not when the chat loads its plugins

    parser = MarkdownIt("commonmark", {"maxNesting": 100})
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser
