"""On which line of a TOML text each key stands; the standard parser does not tell."""

from __future__ import annotations

import re
import tomllib

from cloudllm.settings.text import Key

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\n=\[\]{},.]"
    r"|[^\s\"'\#=\[\]{},.]+",
    re.DOTALL,
)


def line_numbers(text: str) -> dict[Key, int]:
    """The first line, from 1, of every table and key of a text that is valid TOML."""
    scan = _Scan()
    for match in _TOKEN.finditer(text):
        scan.take(match.group())
    return scan.lines


def unquote(part: str) -> str:
    """One part of a dotted key without its quotes and escapes."""
    return next(iter(tomllib.loads(f"{part}=0"))) if part[0] in "\"'" else part


class _Scan:
    """Follows tables, keys and inline tables, token by token; values are skipped."""

    def __init__(self) -> None:
        self.lines: dict[Key, int] = {}
        self.line = 1
        self.table: Key = ()
        self.parts: list[str] = []
        self.key: Key = ()
        self.in_value = False
        # Each open inline table or array: its key, and whether it is a table.
        self.open: list[tuple[Key, bool]] = []

    def take(self, token: str) -> None:
        if self.in_value:
            self._take_in_value(token)
        else:
            self._take_in_key(token)
        self.line += token.count("\n")

    def _take_in_key(self, token: str) -> None:
        match token:
            case "=":
                self.key = (*(self.open[-1][0] if self.open else self.table), *self.parts)
                self._record(self.key)
                self.in_value = True
            case "]":
                if self.parts:
                    self.table = tuple(self.parts)
                    self._record(self.table)
            case "}":
                self._close()
            case "[" | "\n":
                self.parts = []
            case "." | ",":
                pass
            case _ if not token.startswith("#"):
                self.parts.append(unquote(token))

    def _take_in_value(self, token: str) -> None:
        match token:
            case "[":
                self.open.append((self.key, False))
            case "{":
                self.open.append((self.key, True))
                self.in_value = False
            case "]" | "}":
                self._close()
            case ",":
                self.in_value = not self.open[-1][1]
            case "\n":
                self.in_value = bool(self.open)

    def _close(self) -> None:
        self.key, _ = self.open.pop()
        self.in_value = True

    def _record(self, key: Key) -> None:
        self.parts = []
        for end in range(1, len(key) + 1):
            self.lines.setdefault(key[:end], self.line)
