"""From inline tokens to styled text: emphasis, code, links with their address, images."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.render.wrap import Line

if TYPE_CHECKING:
    from markdown_it.token import Token

_LOOKS = {"strong_open": "strong", "em_open": "emphasis", "s_open": "strike"}


def safe(text: object) -> str:
    """A text of the parser's, filtered again: it decodes entities, and joins what was apart."""
    text = str(text)
    if text.isascii() and text.isprintable():
        return text
    shown = clean(text, one_line=True)
    # A mark that stood after markup would be added to those of the text before it, without end.
    return f"◌{shown}" if shown and unicodedata.category(shown[0])[0] == "M" else shown


def lines(tokens: Sequence[Token]) -> list[Line]:
    """The text's lines, still to be laid out: one, and one more after each hard break."""
    return _Inline().lines(tokens)


class _Inline:
    def __init__(self) -> None:
        self._lines: list[Line] = [[]]
        self._looks: list[tuple[str, ...]] = [()]  # each with those that it is in
        self._links: list[tuple[str, str, tuple[int, int]]] = []

    def lines(self, tokens: Sequence[Token]) -> list[Line]:
        for token in tokens:
            self._token(token)
        return self._lines

    def _token(self, token: Token) -> None:
        kind = token.type
        if kind == "text":
            self._add(safe(token.content))
        elif kind == "softbreak":
            self._add(" ")
        elif kind == "hardbreak":
            self._lines.append([])
        elif kind == "code_inline":
            self._add(safe(token.content), "code")
        elif kind == "link_open":
            self._open_link(token)
        elif kind == "link_close":
            self._close_link()
        elif kind == "image":
            self._image(token)
        elif kind in _LOOKS:
            self._open_look(_LOOKS[kind])
        elif token.nesting < 0:
            self._looks.pop()
        else:
            self._add(safe(token.content))

    def _add(self, text: str, *looks: str) -> None:
        if text:
            self._lines[-1].append(((*self._looks[-1], *looks), text))

    def _open_look(self, look: str) -> None:
        """Each look counts once: emphasis may be thousands deep, and would cost the square."""
        looks = self._looks[-1]
        self._looks.append(looks if look in looks else (*looks, look))

    def _open_link(self, token: Token) -> None:
        address = "" if token.info == "auto" else safe(token.attrGet("href") or "")
        begin = len(self._lines) - 1, len(self._lines[-1])
        self._links.append((address, safe(token.attrGet("title") or ""), begin))
        self._open_look("link")

    def _close_link(self) -> None:
        self._looks.pop()
        address, title, begin = self._links.pop()
        text = self._text_from(*begin)
        if address in {text, f"mailto:{text}"}:
            address = ""
        self._address(address, title)

    def _image(self, token: Token) -> None:
        self._add("[image: ")
        for child in token.children or ():
            self._token(child)
        self._add("]")
        self._address(safe(token.attrGet("src") or ""), safe(token.attrGet("title") or ""))

    def _address(self, address: str, title: str) -> None:
        shown = " ".join(filter(None, (address, title and f'"{title}"')))
        if shown:
            self._add(" (")
            self._add(shown, "url")
            self._add(")")

    def _text_from(self, line: int, span: int) -> str:
        first, *others = self._lines[line:]
        return "".join(text for spans in (first[span:], *others) for _, text in spans)
