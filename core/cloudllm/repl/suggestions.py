"""How a line went on when it was typed before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from prompt_toolkit.history import History

_ENTRIES, _CHARACTERS = 500, 1_000
"""How many entries are looked at, and how much of each: this is done between two keys."""


class Suggestions:
    """Finds lines of the history that begin with what is typed; remembers the last answer."""

    def __init__(self) -> None:
        self._last = (("", 0), "")

    def rest(self, line: str, history: History) -> str:
        """The rest of the newest such line; "" if there is none, or the history is not loaded."""
        if not line.strip():
            return ""
        entries = history.get_strings()
        asked = line, len(entries)
        if self._last[0] != asked:
            self._last = asked, _rest(line, entries)
        return self._last[1]


def _rest(line: str, entries: Sequence[str]) -> str:
    for entry in islice(reversed(entries), _ENTRIES):
        known = f"\n{entry[:_CHARACTERS]}"
        at = known.find(f"\n{line}")
        if at >= 0:
            rest = known[at + 1 + len(line) :].partition("\n")[0]
            if rest:
                return rest
    return ""
