"""JSON read value by value out of text that comes in pieces, so that a large file fits anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from cloudllm.errors import UsageError

LONGEST = 64 * 2**20
"""How many characters one value may have: a conversation of 64 million is none."""

_PIECE = 2**16
_BLANKS = re.compile(r"[ \t\r\n]*")
_END = re.compile(r"[ \t\r\n,\]}]")
_CUT = re.compile(r"[-+.\w]*\s*\Z")
_OPEN_STRING, _ESCAPE = "Unterminated string", "Invalid \\uXXXX"
_LONGEST_WORD = 16  # characters; "-Infinity" or half of an escape may be cut off at the end


class Splitter:
    """Values out of the text that `pieces` give; `where` begins every message about it.

    What is whole before the text breaks off, or before `pieces` raise, can be read; then it raises.
    """

    def __init__(self, pieces: Iterator[str], where: str) -> None:
        self._pieces = pieces
        self._where = where
        self._text = ""
        self._at = 0
        self._gone = 0
        self._lines = 1
        self._columns = 1
        self._failure: UsageError | None = None
        self._decode = json.JSONDecoder().raw_decode

    @property
    def line(self) -> int:
        """The line that is being read."""
        return self._lines + self._text.count("\n", 0, self._at)

    @property
    def position(self) -> int:
        """How many characters have been read."""
        return self._gone + self._at

    def peek(self) -> str:
        """The next character that is no blank; "" at the end."""
        while True:
            found = _BLANKS.match(self._text, self._at)
            self._at = self._at if found is None else found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                if self._failure is not None:
                    raise self._failure
                return ""

    def value(self) -> object:
        """The next value, whatever it is."""
        if not self.peek():
            raise self._ended()
        while True:
            try:
                found, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._may_be_cut(error):
                    raise self.wrong(_lower(error.msg), error.pos) from None
                place = error.pos - self._at
                if not self._more():
                    raise self._cut_or_wrong(error.msg, self._at + place) from None
            except RecursionError:
                raise self.wrong("it is nested too deeply") from None
            except ValueError:
                raise self.wrong("a number is too long") from None
            else:
                length = end - self._at
                if self._is_whole(end) or not self._more():
                    self._at += length
                    return found

    def elements(self) -> Iterator[object]:
        """The values of an array, one by one."""
        self._skip("[")
        if self.peek() != "]":
            yield self.value()
            while self.peek() == ",":
                self._skip(",")
                yield self.value()
        self._skip("]")

    def names(self) -> Iterator[str]:
        """The names in an object; whoever takes one reads its value before the next."""
        self._skip("{")
        if self.peek() != "}":
            yield self._name()
            while self.peek() == ",":
                self._skip(",")
                yield self._name()
        self._skip("}")

    def wrong(self, what: str, at: int | None = None) -> UsageError:
        """An error that says what is wrong here, or at this place in the text."""
        at = self._at if at is None else at
        line = self._lines + self._text.count("\n", 0, at)
        start = self._text.rfind("\n", 0, at) + 1
        column = at - start + (self._columns if start == 0 else 1)
        return UsageError(f"{self._where}: line {line}, column {column}: {what}")

    def _name(self) -> str:
        name = self.value() if self.peek() == '"' else None
        if not isinstance(name, str):
            raise self.wrong("the name of a field is missing")
        self._skip(":")
        return name

    def _skip(self, character: str) -> None:
        found = self.peek()
        if not found:
            raise self._ended()
        if found != character:
            raise self.wrong(f"{character!r} is missing")
        self._at += 1

    def _ended(self) -> UsageError:
        return self._failure or self.wrong("it breaks off here", len(self._text))

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """May what is wrong be right once there is more of the text?"""
        return error.msg.startswith(_OPEN_STRING) or error.pos >= len(self._text) - _LONGEST_WORD

    def _is_whole(self, end: int) -> bool:
        """Is a value that ends here over? A number may go on: a "1" as "1.5"."""
        is_closed = self._text[end - 1] in '}]"'
        return (
            is_closed or len(self._text) - end >= _LONGEST_WORD or bool(_END.match(self._text, end))
        )

    def _cut_or_wrong(self, message: str, at: int) -> UsageError:
        """What is said at the end of the text, where nothing more can come."""
        is_cut = _CUT.match(self._text, at) or message.startswith((_OPEN_STRING, _ESCAPE))
        return self._ended() if is_cut else self.wrong(_lower(message), at)

    def _more(self) -> bool:
        """Read as much again as there is, so that a long value is not tried over and over."""
        self._drop()
        if len(self._text) > LONGEST:
            raise self.wrong(f"a value has more than {LONGEST // 2**20} million characters")
        found = [self._text]
        wanted = min(max(_PIECE, len(self._text)), LONGEST + 1 - len(self._text))
        while wanted > 0 and (piece := self._piece()):
            found.append(piece)
            wanted -= len(piece)
        self._text = "".join(found)
        return len(found) > 1

    def _piece(self) -> str:
        try:
            return next(self._pieces, "")
        except UsageError as error:
            self._failure = error
            return ""

    def _drop(self) -> None:
        """Forget what has been read."""
        gone, self._text, self._at = self._text[: self._at], self._text[self._at :], 0
        self._gone += len(gone)
        lines = gone.count("\n")
        self._lines += lines
        self._columns = len(gone) - gone.rfind("\n") if lines else self._columns + len(gone)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
