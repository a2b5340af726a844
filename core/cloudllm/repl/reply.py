"""One reply on the terminal: labels, reasoning apart from the answer, a steady frame rate."""

from __future__ import annotations

import asyncio
from typing import Protocol

from cloudllm.events import ReasoningDelta, TextDelta
from cloudllm.repl.render.plain import PlainRenderer
from cloudllm.repl.style import BOLD, DIM, styled

_INTERVAL = 0.04
"""Seconds between two frames; faster than the eye needs, slower than a fast model writes."""


class Canvas(Protocol):
    """Where rows go."""

    @property
    def columns(self) -> int:
        """Width in cells."""

    @property
    def live_rows(self) -> int:
        """Height of the live region."""

    def paint(self, commit: list[str], live: list[tuple[str, str]]) -> None:
        """Write rows for good and replace the live ones."""


class ReplyView:
    """Draws the deltas of one reply; the first is shown at once, the rest frame by frame."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._renderer = self._new_renderer()
        self._part: type[ReasoningDelta | TextDelta] | None = None
        self._commit: list[str] = []
        self._live: list[str] = []
        self._next_frame = 0.0
        self._scheduled: asyncio.TimerHandle | None = None

    @property
    def begun(self) -> bool:
        """Has anything of the reply been shown?"""
        return self._part is not None

    @property
    def answering(self) -> bool:
        """Has the answer itself begun?"""
        return self._part is TextDelta

    def feed(self, delta: ReasoningDelta | TextDelta) -> None:
        """Take the next piece."""
        if type(delta) is not self._part:
            self._finish_part()
            self._part = type(delta)
            label = "Assistant:" if self.answering else "Thinking:"
            self._commit.append(styled(label, BOLD if self.answering else DIM))
        frame = self._renderer.feed(delta.text)
        self._take(frame.commit)
        self._live = frame.live
        self._draw_in_time()

    def end(self) -> None:
        """Show all of it for good."""
        self._finish_part()
        self._draw()

    def _finish_part(self) -> None:
        self._take(self._renderer.end().commit)
        self._live = []
        self._renderer = self._new_renderer()

    def _take(self, rows: list[str]) -> None:
        dim = self._part is ReasoningDelta
        self._commit += [styled(row, DIM) for row in rows] if dim else rows

    def _draw_in_time(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._next_frame:
            self._draw()
        elif self._scheduled is None:
            self._scheduled = loop.call_at(self._next_frame, self._draw)

    def _draw(self) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        self._next_frame = asyncio.get_running_loop().time() + _INTERVAL
        if self._live:
            resized = self._renderer.resize(self._canvas.columns, self._canvas.live_rows)
            self._live = resized.live
        style = "class:dim" if self._part is ReasoningDelta else ""
        commit, self._commit = self._commit, []
        self._canvas.paint(commit, [(style, row) for row in self._live])

    def _new_renderer(self) -> PlainRenderer:
        return PlainRenderer(self._canvas.columns, self._canvas.live_rows)
