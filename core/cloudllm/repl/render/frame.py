"""What a renderer gives: rows for the scrollback, and rows that are still repainted."""

from __future__ import annotations

from typing import NamedTuple, Protocol

Fragment = tuple[str, str]
"""A prompt_toolkit style string, "" for none, and a text that is safe to show."""

Row = list[Fragment]
"""One row of the live region, at most as wide as the screen."""


class Frame(NamedTuple):
    """What to show next: `commit` to the scrollback, in order, then `live` in place of the last.

    A committed row carries our own SGR and nothing else that acts on a terminal. It may be longer
    than the screen is wide: then the terminal wraps it, and copying gives the whole line back.
    """

    commit: list[str]
    live: list[Row]


class Renderer(Protocol):
    """Turns one foreign text that comes in pieces into frames.

    Whatever the pieces, all commits together are the same.
    """

    def feed(self, delta: str) -> Frame:
        """Take the next piece."""

    def end(self) -> Frame:
        """The text is over: commits what is open."""

    def resize(self, width: int, max_live_rows: int) -> Frame:
        """The screen has another size, in cells and rows: gives the live rows anew."""
