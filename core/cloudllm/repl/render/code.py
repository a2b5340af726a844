"""A fenced code block at the top level, line by line: it never goes through the parser.

What is finished is coloured in windows whose borders depend on the code alone. So its colours do
not depend on how the code came, and long code costs no more by the line than short code.
"""

from __future__ import annotations

import re

from cloudllm.repl.render.cells import expand_tabs
from cloudllm.repl.render.highlight import highlight
from cloudllm.repl.render.inline import safe
from cloudllm.repl.render.wrap import Line

TAB = 4
_STEP, _AHEAD, _BEFORE = 64, 24, 96
"""Lines that are finished at a time; that must have come after them; that are read before them, so
that a lexer knows whether it is in a string.
"""

_GLANCE = 16
"""Lines that are read before new ones, while they are live."""

_OPENING = re.compile(r"( {0,3})(`{3,}|~{3,})[ \t]*(.*?)[ \t]*\n?\Z")


class CodeBlock:
    """Takes the lines after the fence that opens it, without their newlines."""

    def __init__(self, opening: str) -> None:
        match = _OPENING.fullmatch(opening)
        indent, fence, info = match.groups() if match else ("", "```", "")
        self._indent = len(indent)
        self._closing = re.compile(rf" {{0,3}}{fence[0]}{{{len(fence)},}}[ \t]*")
        self._fence = fence
        self._opening: Line = [(("fence",), fence + safe(info))]
        self._language = language(info)
        self._lines: list[str] = []  # from _BEFORE lines before those that are not finished yet
        self._finished = 0
        self._new = 0  # lines that have not been live yet
        self._colored: list[Line] = []  # the last ones that have
        self._begun = False
        self.closed = False

    def add(self, line: str) -> None:
        """Take the next line; it may be the one that closes the block."""
        if self._closing.fullmatch(line):
            self.closed = True
        else:
            self._lines.append(code_text(line, self._indent))
            self._new += 1

    def take(self) -> list[Line]:
        """The rows that are finished and not taken yet."""
        rows = [] if self._begun else [self._opening]
        self._begun = True
        while len(self._lines) - self._finished >= _STEP + _AHEAD:
            rows += self._step()
        return rows

    def end(self) -> list[Line]:
        """All other rows; blank lines at the end of code that was never closed are no code."""
        rows = self.take()
        while not self.closed and self._finished < len(self._lines) and not self._lines[-1].strip():
            self._lines.pop()
        while self._finished < len(self._lines):
            rows += self._step()
        return [*rows, [(("fence",), self._fence)]] if self.closed else rows

    def live(self, part: str, most: int) -> list[Line]:
        """The last rows of what is not finished, with the line that is still coming."""
        coming = [code_text(part, self._indent)] if part.strip(f" {self._fence[0]}") else []
        window = [*self._lines[-(self._new + _GLANCE) :], *coming]
        new = min(self._new, len(self._lines))
        rows = highlight(window, self._language)[len(window) - len(coming) - new :]
        self._new = 0
        self._colored = [*self._colored, *rows[:new]][-max(most, _STEP + _AHEAD) :]
        finished = max(0, len(self._colored) - len(self._lines) + self._finished)
        opening = [] if self._begun else [self._opening]
        return [*opening, *self._colored[finished:], *rows[new:]]

    def _step(self) -> list[Line]:
        end = self._finished + _STEP
        window = self._lines[: end + _AHEAD]
        rows = highlight(window, self._language)[self._finished : end]
        self._finished += len(rows)
        forgotten = max(0, self._finished - _BEFORE)
        del self._lines[:forgotten]
        self._finished -= forgotten
        return rows


def language(info: str) -> str:
    """The language that a fence names."""
    return re.split(r"[\s,{:]", info.strip(), maxsplit=1)[0].lower()


def code_text(line: str, indent: int = 0) -> str:
    """A line of code as it is shown: without the fence's own indent, and with blanks for tabs."""
    line = expand_tabs(line, TAB)
    own = min(indent, len(line) - len(line.lstrip(" ")))
    return line[own:] if line.isascii() and line.isprintable() else safe(line[own:])
