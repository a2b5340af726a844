"""One submission on the terminal: what is waited for, the reply as it comes, and how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from cloudllm import gateway
from cloudllm.events import (
    Event,
    FellBack,
    ReasoningDelta,
    RequestSent,
    Retrying,
    Stalled,
    TextDelta,
    Trimmed,
    TurnFinished,
)
from cloudllm.messages import Attempt, Message
from cloudllm.repl import wording
from cloudllm.repl.app import ChatApp
from cloudllm.repl.lines import rows
from cloudllm.repl.reply import ReplyView
from cloudllm.repl.style import BOLD, DIM, styled
from cloudllm.repl.theme import Theme
from cloudllm.repl.waiting import PERIOD, Waiting, sending
from cloudllm.settings.fields import Repl


class TurnView:
    """Shows what comes of a message to `model`, or of a command, which may send several.

    `sent` is called when a request goes out. `shown` are the settings of what is. With `reasoning`
    the model's thoughts are shown, apart from the answer; without it they are only waited for.
    Without `indicator` nothing moves while it is waited.
    """

    def __init__(
        self,
        app: ChatApp,
        model: str,
        command: str,
        *,
        shown: Repl,
        theme: Theme,
        sent: Callable[[], None],
    ) -> None:
        self._app = app
        self._sent = sent
        self._theme = theme
        self._markdown = shown.markdown
        self._command = command
        self._reasoning = shown.reasoning
        self._indicator = shown.indicator
        self._begin(f"Running {command}…" if command else sending(model))

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""
        now = time.monotonic()
        if isinstance(event, RequestSent) and event.attempt == 1 and self._command:
            self._waiting.began = now
        self._waiting.event(event, now)
        match event:
            case TextDelta():
                self._show(event)
            case ReasoningDelta() if self._reasoning:
                self._show(event)
            case RequestSent():
                self._sent()
            case Trimmed():
                self._notice(wording.trimmed_notice(event))
            case Retrying():
                self._notice(wording.retrying_notice(event))
            case FellBack():
                self._notice(wording.fell_back_notice(event))
            case Stalled() if not self._indicator:
                self._notice(wording.stalled_notice(event, asks=True, answer="/wait"))
            case TurnFinished(reply, attempts):
                self._close(reply, attempts)

    async def indicate(self) -> None:
        """Keep the waiting indicator alive, also below a reply that is coming in, and all in shape."""
        if self._command:
            await asyncio.sleep(PERIOD)
        while True:
            if self._indicator:
                self._say_what_is_waited_for()
            self._reply.fit()
            await asyncio.sleep(PERIOD)

    def wait_on(self) -> None:
        """The deadlines do not hold any more."""
        self._waiting.wait_on()
        if not (self._indicator and self._waiting.silent):  # or else the indicator says it
            self._notice(wording.WAITING_ON)

    def end(self) -> None:
        """Show all that came for good; nothing is waited for."""
        self._app.indicate(None)
        self._reply.end()

    def stopped(self, kept: Message | None, attempts: Sequence[Attempt]) -> None:
        """Say that the person has stopped it, and what of a reply is kept."""
        self._notice(wording.stopped_notice(kept))
        if kept is not None:
            self._sum_up(kept, attempts)

    def _begin(self, doing: str) -> None:
        self._reply = ReplyView(self._app, self._theme, markdown=self._markdown)
        self._waiting = Waiting(doing, time.monotonic())

    def _show(self, delta: TextDelta | ReasoningDelta) -> None:
        if self._indicator and not self._reply.begun:  # at once, or it would deny what is seen
            self._say_what_is_waited_for()
        self._reply.feed(delta)

    def _say_what_is_waited_for(self) -> None:
        stage = gateway.stage()
        if stage == "loading" and self._command:  # which may not need what is loaded
            stage = ""
        text = self._waiting.row(time.monotonic(), self._app.columns, stage)
        self._app.indicate([("class:waiting", text)])

    def _close(self, reply: Message, attempts: Sequence[Attempt]) -> None:
        self._reply.end()
        if not reply.content:
            label = [] if self._reply.answering else [styled("Assistant:", BOLD)]
            self._app.commit([*label, styled(wording.EMPTY, DIM)])
        for notice in wording.ending_notices(reply):
            self._app.commit(rows(notice, self._theme.look("error").sgr, self._app.columns))
        if offer := wording.offer(reply):
            self._notice(offer)
        self._sum_up(reply, attempts)
        if self._command:  # which may go on, and send more
            self._begin(f"Running {self._command}…")

    def _sum_up(self, reply: Message, attempts: Sequence[Attempt]) -> None:
        """What a reply used, cost and took."""
        seconds = time.monotonic() - self._waiting.began
        closing = wording.closing(reply, attempts, seconds)
        self._app.commit([*rows(closing, DIM, self._app.columns), ""])

    def _notice(self, text: str) -> None:
        self._app.commit(rows(text, DIM, self._app.columns))
