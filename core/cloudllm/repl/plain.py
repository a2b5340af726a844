"""The chat without a screen: for pipes, files, dumb terminals and `--plain`; text only ever grows.

The reply goes to standard output, everything else to standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any, BinaryIO

from cloudllm import streams
from cloudllm.errors import CloudLLMError, PartialReply, UsageError
from cloudllm.events import Event, RequestSent, TextDelta, Trimmed, TurnFinished
from cloudllm.messages import Status
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import submit
from cloudllm.repl.render.sanitize import PipeText, Sanitizer, clean
from cloudllm.repl.sentinel import Blank, BlockReader, Command, Grammar, UserText
from cloudllm.repl.wording import described, ending_notices, one_line, trimmed_notice
from cloudllm.threads import in_thread

_INTERRUPTED = 130
_TWICE = 2.0
_PATIENCE = 2.0  # seconds that the end waits for plugins that write replies down


class PlainScreen:
    """Writes replies to standard output, all else to standard error; `code` is the exit code."""

    def __init__(self, *, talkative: bool) -> None:
        self._talkative = talkative
        self._filter: PipeText | Sanitizer = PipeText()
        self._began = 0.0
        self._ends_line = True
        self._begun = False
        self.code = 0

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""
        match event:
            case RequestSent(model):
                self._began = time.monotonic()
                self._begun = False
                self._filter = Sanitizer() if streams.out().isatty() else PipeText()
                self._aside(f"Sending message… {model}")
                if streams.out().isatty():
                    self._aside("Assistant:")
            case TextDelta(text):
                self._begun = True
                self._write(self._filter.feed(text))
            case Trimmed():
                self.notice(trimmed_notice(event))
            case TurnFinished(reply):
                self._finish()
                self._begun = False
                self.code = 0
                if reply.status is Status.PARTIAL:
                    self.code = PartialReply.exit_code
                for notice in ending_notices(reply):
                    self.notice(notice)
                seconds = time.monotonic() - self._began
                self._aside(f"{described(reply.usage)} · {seconds:.1f} s")

    def output(self, text: str) -> None:
        """Show what a command answers."""
        self._say(clean(text))

    def notice(self, text: str) -> None:
        """Show one line aside."""
        self._say(clean(text, one_line=True))

    def error(self, error: CloudLLMError) -> None:
        """Show what went wrong, in one line, and remember its exit code."""
        self._finish()
        self.code = error.exit_code
        for line in str(error).splitlines():
            self._say(f"cloudllm: {clean(line, one_line=True)}")

    def stopped(self) -> None:
        """Say that the reply was stopped, on a line of its own."""
        self._finish()
        self.notice("Stopped; what came is kept." if self._begun else "Stopped.")
        self._begun = False

    def put_back(self, text: str) -> None:
        """There is no editor; the text still stands where it was written."""

    def _finish(self) -> None:
        self._write(self._filter.end())
        if not self._ends_line:
            self._write("\n")

    def _write(self, text: str) -> None:
        if text:
            self._ends_line = text.endswith("\n")
            out = streams.out()
            try:
                out.write(text)
                out.flush()
            except OSError as error:
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
        err = streams.err()
        if err is not None:
            with contextlib.suppress(OSError):  # it may be full or gone; the reply goes on
                err.write(f"{text}\n")
                err.flush()


class PlainChat:
    """A chat that reads the REPL's own grammar line by line; `run` returns the exit code."""

    def __init__(
        self,
        make_chat: Callable[[PlainScreen], Chat],
        lines: BinaryIO,
        *,
        name: str,
        interactive: bool,
    ) -> None:
        self._screen = PlainScreen(talkative=True)
        self._chat = make_chat(self._screen)
        self._lines = lines
        self._name = name
        self._number = 0
        self._interactive = interactive
        self._turn: asyncio.Task[None] | None = None
        self._reader = BlockReader(Grammar())
        self._first_interrupt = -_TWICE

    def stopped(self) -> None:
        """Say that Ctrl-C has ended it."""
        self._screen.stopped()

    async def run(self) -> int:
        """Read to the end, or to `/quit`, or to the first turn that fails in a pipe."""
        try:
            return await self._hold()
        finally:
            await self._chat.close(patience=_PATIENCE)

    async def _hold(self) -> int:
        if self._interactive:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            loop.add_signal_handler(signal.SIGINT, self._interrupt, task)
        await self._chat.start()
        settings = self._chat.settings.repl
        if self._interactive:
            self._screen.notice(f"{settings.sentinel} on a line of its own sends; Ctrl-D leaves.")
        self._reader = BlockReader(Grammar(settings.sentinel))
        while (line := await self._next_line()) is not None:
            if not await self._submit(self._reader.feed(line)):
                return self._code
        await self._submit(self._reader.end())
        return self._code

    @property
    def _code(self) -> int:
        """A person who leaves has seen what failed; a script has to be told."""
        return 0 if self._interactive else self._screen.code

    async def _submit(self, submission: Command | UserText | Blank | None) -> bool:
        """Take what a line completed, if anything; may the chat go on?"""
        if isinstance(submission, Blank):
            self._screen.notice("There is nothing to send.")
        elif submission is not None:
            await self._settle(submit(self._chat, submission))
            return not self._chat.leaving and (self._interactive or self._screen.code == 0)
        return True

    async def _settle(self, turn: Awaitable[None]) -> None:
        self._turn = asyncio.ensure_future(turn)
        try:
            await asyncio.wait([self._turn])
        except asyncio.CancelledError:  # Ctrl-C in a pipe ends the turn and the program
            self._turn.cancel()
            await asyncio.wait([self._turn])
            raise
        if self._turn.cancelled():
            self._screen.stopped()
        elif error := self._turn.exception():
            self._screen.error(one_line(error))
        self._turn = None

    async def _next_line(self) -> str | None:
        raw = await in_thread(self._lines.readline)
        self._number += 1
        return decoded(raw, self._name, self._number).removesuffix("\n") if raw else None

    def _interrupt(self, chat: asyncio.Task[Any] | None) -> None:
        """Stop the reply; or leave, at the second time."""
        if self._turn is not None:
            self._turn.cancel()
        elif chat is not None and time.monotonic() - self._first_interrupt < _TWICE:
            chat.cancel()
        else:
            if self._reader.end() is not None:
                self._screen.notice("What you have typed of this message is dropped.")
            self._first_interrupt = time.monotonic()
            self._screen.notice("Press Ctrl-C again, or Ctrl-D, to leave.")


def decoded(raw: bytes, name: str, number: int) -> str:
    r"""A line as text; `\r\n` becomes `\n`. Raises `UsageError` if it is not UTF-8."""
    try:
        return raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = number + raw.count(b"\n", 0, error.start)
        raise UsageError(
            f"{name}, line {line}: byte 0x{raw[error.start]:02x} is not UTF-8",
            advice="Convert it first, for instance with iconv",
        ) from None


def converse(
    make_chat: Callable[[PlainScreen], Chat], lines: BinaryIO, *, name: str, interactive: bool
) -> int:
    """Hold a plain chat over these lines; gives the exit code."""
    chat = PlainChat(make_chat, lines, name=name, interactive=interactive)
    return _run(chat.run(), chat.stopped)


def ask(make_chat: Callable[[PlainScreen], Chat], text: str) -> int:
    """One turn: the reply on standard output; gives the exit code."""
    screen = PlainScreen(talkative=False)
    chat = make_chat(screen)

    async def turn() -> int:
        try:
            await chat.start()
            await chat.send(text)
        finally:
            await chat.close(patience=_PATIENCE)
        return screen.code

    try:
        return _run(turn(), screen.stopped)
    except CloudLLMError as error:
        screen.error(error)
        return screen.code


def _run(main: Awaitable[int], stopped: Callable[[], None]) -> int:
    async def entry() -> int:
        return await main

    # Never closed: that would wait for threads that may hang, and the process ends anyway.
    runner = asyncio.Runner()
    with streams.contained():
        try:
            return runner.run(entry())
        except KeyboardInterrupt:
            stopped()
        except asyncio.CancelledError:  # the second Ctrl-C of a person
            pass
    return _INTERRUPTED
