"""Makes foreign text safe to show: each code point that would act on a terminal becomes visible.

Code points are replaced one by one, never whole escape sequences: then it cannot matter where a
stream is cut, and an unterminated sequence swallows nothing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from cloudllm.codepoints import DIRECTION_MARKS, JOINERS, code_point, visible

MAX_MARKS = 10
"""Combining marks, selectors and joiners shown after one character; an ellipsis stands for more."""

_HALF = re.compile(r"[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_ACTIVE_ASCII = re.compile(r"[^\t\n\x20-\x7e]")


@cache
def _plain() -> re.Pattern[str]:
    """Runs that need no look at each character; compiled late, for it takes longer than a key.

    Nothing in here is a control, a mark, invisible or unassigned on purpose. A character that is
    missing costs time only.
    """
    return re.compile(
        r"[\t\n\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff\u2010-\u2027"
        r"\u2030-\u205e\u20a0-\u20cf\u2100-\u2cee\u2e00-\u3029\u3030-\u3098\u309b-\u3163\u3165-\u9fff"
        r"\uac00-\ud7a3\uf900-\ufaff\uff01-\uff9f\U0001f000-\U0001fbff\U00020000-\U0002fa1d]+"
    )


@cache
def _not_ours() -> re.Pattern[str]:
    return re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def own_styles_only(row: str) -> str:
    """A row on its last step to the terminal: nothing but SGR may act there.

    Foreign text has passed the filter long before. This holds even if one road forgets it.
    """
    return _not_ours().sub(lambda found: visible(found[0]), row)


class PipeText:
    """Whole characters from a stream: joins surrogate halves that were cut apart.

    A half without its partner becomes U+FFFD; nothing else changes. This is all that a pipe needs.
    """

    def __init__(self) -> None:
        self.half = ""

    def feed(self, text: str) -> str:
        """The part of the stream that is certain now."""
        text = self.half + text
        self.half = ""
        if text.isascii():
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self.half = text[:-1], text[-1]
        return _HALF.sub(_join, text)

    def end(self) -> str:
        """What is left when the stream is over."""
        return "\ufffd" if self.half else ""


class Sanitizer:
    """The filter for one stream; its output does not depend on where the stream was cut.

    Newlines and tabs stay. Controls are shown as their symbols, format characters as `<U+202E>`,
    tag characters as `<3 hidden>`.
    """

    def __init__(self) -> None:
        self._characters = PipeText()
        self._return = ""  # a carriage return at the end of a piece: half of a CR LF?
        self._hidden = 0
        self._base = ""
        self._marks = 0
        self._waiting = False

    def feed(self, text: str) -> str:
        """The part of the stream that can be shown now."""
        if not self._waiting and text.isascii() and not _ACTIVE_ASCII.search(text):
            if text:
                self._based_on(text[-1])
            return text
        text = self._return + self._characters.feed(text)
        self._return = "\r" if text.endswith("\r") else ""
        shown = self._filter(text.removesuffix("\r"))
        self._waiting = bool(self._return or self._characters.half or self._hidden)
        return shown

    def end(self) -> str:
        """What is left when the stream is over."""
        return self._filter(self._return + self._characters.end()) + self._shown_hidden()

    def _filter(self, text: str) -> str:
        text = text.replace("\r\n", "\n")
        shown: list[str] = []
        position = 0
        plain = _plain()
        while position < len(text):
            if run := plain.match(text, position):
                position = run.end()
                shown += (self._shown_hidden(), run[0])
                self._based_on(run[0][-1])
            else:
                shown.append(self._special(text[position]))
                position += 1
        return "".join(shown)

    def _special(self, character: str) -> str:
        if "\U000e0000" <= character <= "\U000e0fff":
            self._hidden += 1
            return ""
        shown = self._shown_hidden()
        if character in JOINERS and not _takes_joiner(self._base):
            self._based_on("")
            return f"{shown}{code_point(character)}"
        if _clings(character):
            return shown + self._mark(character)
        seen = visible(character)
        self._based_on(seen if seen == character else "")
        return shown + seen

    def _mark(self, mark: str) -> str:
        if mark in JOINERS:
            self._base = ""  # a second joiner in a row joins nothing
        self._marks += 1
        if self._marks > MAX_MARKS:
            return "…" if self._marks == MAX_MARKS + 1 else ""
        return mark

    def _shown_hidden(self) -> str:
        if not self._hidden:
            return ""
        shown = f"<{self._hidden} hidden>"
        self._hidden = 0
        self._based_on("")
        return shown

    def _based_on(self, character: str) -> None:
        self._base = character
        self._marks = 0


def clean(text: str, *, one_line: bool = False, limit: int | None = None) -> str:
    """The whole of a foreign string, safe to show.

    `one_line` is for titles, names and status rows: newlines become U+2424, tabs blanks. `limit`
    is in characters; what is cut off is marked by an ellipsis.
    """
    sanitizer = Sanitizer()
    shown = sanitizer.feed(text) + sanitizer.end()
    if one_line:
        shown = shown.replace("\n", "\u2424").replace("\t", " ")
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 1]}…"


def _join(half: re.Match[str]) -> str:
    pair = half[0]
    if len(pair) == 1:
        return "\ufffd"
    return chr(0x10000 + ((ord(pair[0]) & 0x3FF) << 10) + (ord(pair[1]) & 0x3FF))


def _takes_joiner(base: str) -> bool:
    """Joiners shape scripts and emoji; after Latin text they only hide."""
    return (
        base >= "\u0370"
        and unicodedata.category(base)[0] in "LS"
        and "LATIN" not in unicodedata.name(base, "")
    )


def _clings(character: str) -> bool:
    """Whether it takes no cell of its own, or is drawn into the one before it."""
    return (
        unicodedata.category(character)[0] == "M"
        or character in DIRECTION_MARKS
        or character in JOINERS
        or "\u1161" <= character <= "\u11ff"
        or "\ud7b0" <= character <= "\ud7fb"
    )
