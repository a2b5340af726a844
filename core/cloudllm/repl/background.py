"""Is the terminal's background dark? It is asked, and its answer is kept out of what is typed."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

QUESTION = "\x1b]11;?\x1b\\"
"""OSC 11. A terminal that does not know it says nothing, and shows nothing."""

_ANSWER = re.compile(r"\x1b\]11;(?:rgba?:)?(?P<color>[^\x07\x1b]{0,40})(?:\x07|\x1b\\)")
_BEGUN = re.compile(r"\x1b(?:\](?:1(?:1(?:;[^\x07\x1b]{0,45}\x1b?)?)?)?)?\Z")
_LIGHT = 0.5
_SILENT = ("linux", "dumb")
"""Terminals, by their `TERM`, that show such a question or cannot answer it."""

_GREY, _WHITE = "7", "15"
_PATIENCE = 0.1
"""Seconds in which an answer is expected; after the end it would be typed into the shell."""


class Background:
    """What is known of the background; the keys pass through `without_answer`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.dark = environ.get("COLORFGBG", "").rpartition(";")[2] not in {_GREY, _WHITE}
        self._can_ask = environ.get("TERM", "dumb") not in _SILENT
        self._asked: float | None = None
        self._held = ""

    def ask(self) -> str:
        """What to write to the terminal, once; "" if it must not be asked."""
        if not self._can_ask or self._asked is not None:
            return ""
        self._asked = time.monotonic()
        return QUESTION

    @property
    def patience(self) -> float:
        """Seconds for which the end should still wait for an answer."""
        if self._asked is None or not self._can_ask:
            return 0.0
        return max(0.0, self._asked + _PATIENCE - time.monotonic())

    def without_answer(self, typed: str) -> str:
        """What was typed, without the answer; what may be the beginning of one is held back."""
        if self._asked is None or not self._can_ask:
            return typed
        typed = self._held + typed
        self._held = ""
        if answer := _ANSWER.search(typed):
            self._take(answer["color"])
            return typed[: answer.start()] + typed[answer.end() :]
        if begun := _BEGUN.search(typed):
            self._held = begun[0]
        return typed.removesuffix(self._held)

    def held(self) -> str:
        """What was held back: no more has come, so it was typed."""
        held, self._held = self._held, ""
        return held

    def _take(self, color: str) -> None:
        self._can_ask = False  # there is one answer to one question
        try:
            red, green, blue = (
                int(part, 16) / (16 ** len(part) - 1) for part in color.split("/")[:3]
            )
        except (ValueError, ZeroDivisionError):
            return
        self.dark = 0.299 * red + 0.587 * green + 0.114 * blue < _LIGHT
