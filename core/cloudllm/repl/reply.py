"""One reply on the terminal: labels, reasoning apart from the answer, a steady frame rate."""

from __future__ import annotations

import asyncio
from typing import Protocol

from cloudllm.events import ReasoningDelta, TextDelta
from cloudllm.repl.render.cells import steady
from cloudllm.repl.render.frame import Renderer, Row
from cloudllm.repl.render.plain import PlainRenderer
from cloudllm.repl.theme import Theme

_INTERVAL = 0.05
"""Seconds between two frames; faster than the eye needs, slower than a fast model writes."""

_SHARE = 0.1
"""The part of the time that drawing may take: a slow frame is followed by a longer pause."""

_LONGEST = 1.0
"""Seconds of such a pause at most: it is for one frame, as the one that ends a huge table."""


class Canvas(Protocol):
    """Where rows go."""

    @property
    def columns(self) -> int:
        """Width in cells."""

    @property
    def live_rows(self) -> int:
        """Height of the live region."""

    def paint(self, commit: list[str], live: list[Row]) -> None:
        """Write rows for good and replace the live ones."""


class ReplyView:
    """Draws the deltas of one reply; the first is shown at once, the rest frame by frame.

    The answer is shown as Markdown or, without `markdown`, as it is; reasoning always as it is. A
    `later` part of an answer has no label.
    """

    def __init__(
        self, canvas: Canvas, theme: Theme, *, markdown: bool, later: bool = False
    ) -> None:
        self._canvas = canvas
        self._theme = theme
        self._markdown = markdown
        self._renderer: Renderer | None = None
        self._part: type[ReasoningDelta | TextDelta] | None = TextDelta if later else None
        self._arrived: list[str] = []
        self._commit: list[str] = []
        self._live: list[Row] = []
        self._size = (0, 0)
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
            self._commit.append(self._theme.paint(label, "bold" if self.answering else "dim"))
        self._arrived.append(delta.text)
        self._draw_in_time()

    def fit(self) -> None:
        """Lay out what is live anew if the screen has another size, though nothing has arrived."""
        if self._live and self._size != (self._canvas.columns, self._canvas.live_rows):
            self._draw()

    def end(self) -> None:
        """Show all of it for good."""
        self._finish_part()
        self._draw()

    def _finish_part(self) -> None:
        self._render()
        renderer, self._renderer = self._renderer, None  # first, should it fail
        self._live = []
        if renderer is not None:
            self._commit += renderer.end().commit

    def _render(self) -> None:
        """Lay out what has arrived since the last time, in one go: that is far cheaper."""
        size = self._canvas.columns, self._canvas.live_rows
        if self._arrived:
            if self._renderer is None:
                self._renderer = self._new_renderer(*size)
            elif size != self._size:
                self._renderer.resize(*size)
            arrived, self._arrived = "".join(self._arrived), []
            frame = self._renderer.feed(arrived)
            self._commit += frame.commit
            self._live = frame.live
        elif self._renderer is not None and size != self._size:
            self._live = self._renderer.resize(*size).live
        self._size = size

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
        loop = asyncio.get_running_loop()
        begin = loop.time()
        self._render()
        commit, self._commit = self._commit, []
        self._canvas.paint(
            commit, [[(look, steady(text)) for look, text in row] for row in self._live]
        )
        now = loop.time()
        self._next_frame = now + min(max(_INTERVAL, (now - begin) / _SHARE), _LONGEST)

    def _new_renderer(self, columns: int, live_rows: int) -> Renderer:
        if self._markdown and self.answering:
            from cloudllm.repl.render.markdown import MarkdownRenderer  # noqa: PLC0415 - if wanted

            return MarkdownRenderer(columns, live_rows, self._theme)
        look = self._theme.look("dim") if self._part is ReasoningDelta else self._theme.look()
        return PlainRenderer(columns, live_rows, look)
