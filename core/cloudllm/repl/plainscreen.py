"""A screen of text that only grows: replies on standard output, all else on standard error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TextIO

from cloudllm import streams
from cloudllm.errors import CloudLLMError, PartialReply, UsageError
from cloudllm.events import (
    Event,
    FellBack,
    ReasoningDelta,
    RequestSent,
    Retrying,
    Stalled,
    Summarizing,
    TextDelta,
    Trimmed,
    TurnFinished,
)
from cloudllm.messages import Message, Role, Status
from cloudllm.repl import wording
from cloudllm.repl.choices import Choice, Peek, chosen, numbered
from cloudllm.repl.ends import ends
from cloudllm.repl.render.sanitize import PipeText, Sanitizer, clean
from cloudllm.repl.waiting import sending

_LONG = 2.0
"""Seconds of connecting after which it is said."""

_SIGN = "> "
_SPEAKERS = {Role.USER: "You", Role.ASSISTANT: "Assistant"}


class PlainScreen:
    """Writes what a chat shows; `code` is the exit code.

    talkative  say what goes on and what a reply took, not only what went wrong
    asks       a person sits there, who can answer and type commands
    reasoning  show the model's reasoning, on standard error; set when the settings are known
    silent     nothing has come for long, and that has been said
    closed     standard output takes no more
    answer     gives the next line that the person types, unseen if told so; `None` if there is none
    """

    has_editor = False
    columns = None
    """Nothing is cut where text only grows; a terminal wraps it."""

    def __init__(self, *, talkative: bool, asks: bool = False) -> None:
        self.asks = asks
        self.reasoning = False
        self.silent = False
        self.closed = False
        self.answer: Callable[[bool], Awaitable[str]] | None = None
        self.code = 0
        self._talkative = talkative
        self._filter: PipeText | Sanitizer = PipeText()
        self._thinking: Sanitizer | None = None
        self._thought_ends = True
        self._began: float | None = None
        self._ends_line = True
        self._begun = False
        self._look: asyncio.TimerHandle | None = None
        self._awaited = False
        self._cut = False

    def await_line(self) -> None:
        """Show the sign that it is the person's turn, where they see it; text may follow on it."""
        err = streams.err()
        if self.asks and not self._awaited and err is not None and err.isatty():
            self._tell(_SIGN)
            self._awaited = True

    def came_back(self) -> None:
        """The program was stopped, and a shell has written meanwhile: show the sign again."""
        if self._awaited:
            self._tell(_SIGN)

    def key_echoed(self) -> None:
        """The terminal has shown a key, such as `^C`, wherever its cursor was."""
        err = streams.err()
        self._cut = err is not None and err.isatty()

    def line_came(self, *, whole: bool) -> None:
        """The person's line is there; if not a `whole` one, it still has to be ended."""
        if self._awaited and not whole:
            self._tell("\n")
        self._awaited = False

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""
        self._look_no_more()
        self._began = self._began or time.monotonic()
        self.silent = isinstance(event, Stalled)
        match event:
            case TextDelta(text):
                self._answer(text)
            case ReasoningDelta(text):
                self._think(text)
            case RequestSent(model):
                self._sent(model)
            case Summarizing():
                self._aside(wording.summarizing_notice(event))
            case Trimmed():
                self.notice(wording.trimmed_notice(event))
            case Retrying():
                self.notice(wording.retrying_notice(event))
            case FellBack():
                self.notice(wording.fell_back_notice(event))
            case Stalled():
                self.notice(wording.stalled_notice(event, asks=self.asks))
            case TurnFinished(reply):
                self._finish()
                self._close(event, reply)

    def output(self, text: str) -> None:
        """Show what a command answers."""
        self._say(clean(text))

    def notice(self, text: str) -> None:
        """Show one line aside."""
        self._say(clean(text, one_line=True))

    def error(self, error: CloudLLMError) -> None:
        """Show what went wrong, in one line, and remember its exit code."""
        self._finish()
        self._began = None
        self.code = error.exit_code
        for line in str(error).splitlines():
            self._say(f"cloudllm: {clean(line, one_line=True)}")

    def stopped(self, reply: Message | None) -> None:
        """Say that the person has stopped a turn, on a line of its own; `reply` is what is kept."""
        self._finish()
        self._began = None
        kept = "Stopped; what came is kept." if reply is not None else "Stopped."
        self.notice(wording.stopped_notice(reply) if self.asks else kept)

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Ask the person, if one sits there, and wait for a line."""
        if self.answer is None:
            raise UsageError(
                "nobody is there who could answer a question",
                advice="Set the variable that holds the key, or name a model: /model PROVIDER/MODEL",
            )
        self.notice(question)
        return await self.answer(secret)

    async def choose(self, what: str, choices: Sequence[Choice], peek: Peek) -> int | None:  # noqa: ARG002 - the contract
        """List them with their numbers, and ask for one."""
        if self.answer is None:
            raise UsageError(
                "nobody is there who could choose", advice="Name the conversation by its ID"
            )
        self.output(numbered(choices))
        return chosen(await self.ask(f"{what}: which number? Enter alone takes none."), choices)

    def recall(self, turn: Sequence[Message]) -> None:
        """Show the ends of what was said, to a person."""
        if self.asks:
            for message in turn:
                head, left_out, tail = ends(message.content)
                middle = f"\n… {left_out}\n" if left_out else ""
                self.output(f"{_SPEAKERS.get(message.role, 'Tool')}:\n{head}{middle}{tail}")

    def offer(self, choices: Mapping[str, str], secrets: Mapping[str, str]) -> bool:  # noqa: ARG002 - the contract
        """What is typed alone is a line like any other."""
        return False

    def put_back(self, text: str) -> None:
        """There is no editor; the text still stands where it was written."""

    def edit(self, text: str) -> None:
        """There is no editor: show the text, to be copied."""
        self.output(text)

    def clipboard(self, text: str) -> bool:  # noqa: ARG002 - what a screen of this kind cannot do
        """Refuse: nothing but text goes out here, and the terminal's clipboard needs a sequence."""
        return False

    def _sent(self, model: str) -> None:
        """Say that a request goes out; its reply begins anew."""
        self._begun = False
        self._filter = Sanitizer() if streams.out().isatty() else PipeText()
        self._aside(sending(model))
        if self._talkative:
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(_LONG, self._say_connecting)

    def _answer(self, text: str) -> None:
        if not self._begun:
            self._begun = True
            self._end_thinking()
            if streams.out().isatty():
                self._aside("Assistant:")
        self._write(self._filter.feed(text))

    def _think(self, text: str) -> None:
        if self._thinking is None:
            self._thinking = Sanitizer()
            self._aside("Thinking:" if self.reasoning else "Thinking…")
        if self.reasoning and (shown := self._thinking.feed(text)):
            self._tell(shown)
            self._thought_ends = shown.endswith("\n")

    def _end_thinking(self) -> None:
        if self._thinking is not None and self.reasoning:
            rest = self._thinking.end()
            if rest or not self._thought_ends:
                self._tell(f"{rest}\n")
        self._thinking, self._thought_ends = None, True

    def _close(self, event: TurnFinished, reply: Message) -> None:
        """Say how a reply ended."""
        self.code = PartialReply.exit_code if reply.status is Status.PARTIAL else 0
        if not reply.content:
            self.notice(wording.EMPTY)
        for notice in wording.ending_notices(reply):
            self.notice(notice)
        if self.asks and (offer := wording.offer(reply)):
            self.notice(offer)
        seconds = time.monotonic() - (self._began or time.monotonic())
        self._began = None
        self._aside(wording.closing(reply, event.attempts, seconds))

    def _say_connecting(self) -> None:
        """Say that the connection is still being made, if it is."""
        from cloudllm import gateway  # noqa: PLC0415 - a request is out, so it is imported

        if gateway.stage() == "connecting":
            self._aside("Still connecting…")

    def _look_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _finish(self) -> None:
        """End the lines that are open."""
        self._look_no_more()
        self._end_thinking()
        self._write(self._filter.end())
        if not self._ends_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._ends_line = text.endswith("\n")
            out = streams.out()
            self._cut = self._cut and not (self._ends_line and out.isatty())
            try:
                out.write(text)
                out.flush()
            except OSError as error:
                self.closed = True
                # What is still buffered must go somewhere when the program ends.
                os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
                gone = isinstance(error, BrokenPipeError)
                why = "was closed" if gone else f"takes no more ({error.strerror})"
                raise CloudLLMError(
                    f"standard output {why}; the rest of the reply is not shown"
                ) from None

    def _aside(self, text: str) -> None:
        if self._talkative:
            self.notice(text)

    def _say(self, text: str) -> None:
        """Write a line; a thought, and a reply's line in the same place, if open, end before.

        What a person types on the line after a sign ends as well, and they get another sign.
        """
        is_open = not self._ends_line and _one_place(streams.out(), streams.err())
        is_open = is_open or not self._thought_ends or self._awaited or self._cut
        self._tell(f"\n{text}\n" if is_open else f"{text}\n")
        self._thought_ends, self._cut = True, False
        if self._awaited:
            self._tell(_SIGN)

    def _tell(self, text: str) -> None:
        err = streams.err()
        if err is not None:
            with contextlib.suppress(OSError):  # it may be full or gone; the reply goes on
                err.write(text)
                err.flush()


def _one_place(out: TextIO, err: TextIO | None) -> bool:
    """Would what is written to these two be read as one text: on a terminal, or in one file?"""
    if out.isatty():
        return True
    return err is not None and os.path.sameopenfile(out.fileno(), err.fileno())
