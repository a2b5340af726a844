"""The chat without a screen: for pipes, files, dumb terminals and `--plain`; text only ever grows."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any, BinaryIO

from cloudllm import streams
from cloudllm.errors import PartialReply, UsageError
from cloudllm.messages import Message, Status
from cloudllm.repl import chores
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import is_wait, submit
from cloudllm.repl.farewell import farewell
from cloudllm.repl.jsonscreen import JsonScreen
from cloudllm.repl.lines import one_line
from cloudllm.repl.plainscreen import PlainScreen
from cloudllm.repl.sentinel import Blank, BlockReader, Command, Grammar, UserText
from cloudllm.repl.unseen import unseen
from cloudllm.repl.wording import STOPPED_AT_LENGTH, WAITING_ON
from cloudllm.threads import in_thread

_INTERRUPTED = 130
_TWICE = 2.0
_GLANCE = 0.03  # seconds in which a line that was typed ahead is there
_PATIENCE = 2.0  # seconds that the end waits for plugins that write replies down
_SETTLING = 1.0  # seconds that a turn has to settle; with a session's end come two signals at once


class PlainChat:
    """A chat that reads the REPL's own grammar line by line; `run` returns the exit code.

    Where a person sits at the other end, lines are read while a reply is coming in, too: what they
    type ahead waits, and /wait is carried out at once.
    """

    def __init__(
        self,
        make_chat: Callable[[PlainScreen], Chat],
        lines: BinaryIO,
        *,
        name: str,
        interactive: bool,
    ) -> None:
        self._screen = PlainScreen(talkative=True, asks=interactive)
        self._chat = make_chat(self._screen)
        self._lines = lines
        self._name = name
        self._number = 0
        self._interactive = interactive
        self._turn: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[str | None] | None = None
        self._ahead: deque[str | None] = deque()
        self._asked: asyncio.Future[str] | None = None
        self._grammar = Grammar()
        self._reader = BlockReader(self._grammar)
        self._first_interrupt = -_TWICE

    def stopped(self) -> None:
        """Say that Ctrl-C has ended it."""
        self._screen.stopped(self._chat.kept)

    def break_off(self) -> bool:
        """A signal ends it; is there anything to be stopped?"""
        return self._chat.break_off()

    async def run(self) -> int:
        """Read to the end, or to `/quit`, or to the first turn that fails in a pipe."""
        try:
            code = await self._hold()
            if not self._interactive:
                await chores.expire(self._chat)
            return code
        finally:
            self._screen.line_came(whole=False)
            await self._chat.close(patience=_PATIENCE)
            if self._interactive and (line := farewell(self._chat)):
                self._screen.notice(line)

    async def _hold(self) -> int:
        if self._interactive:
            self._screen.answer = self._answer
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            loop.add_signal_handler(signal.SIGINT, self._interrupt, task)
            loop.add_signal_handler(signal.SIGCONT, self._screen.came_back)
        await self._chat.start()
        settings = self._chat.settings.repl
        if self._interactive:
            self._screen.notice(f"{settings.sentinel} on a line of its own sends; Ctrl-D leaves.")
        self._grammar = Grammar(settings.sentinel)
        self._reader = BlockReader(self._grammar)
        await self._open()
        while True:
            line = await self._next_line()
            submission = self._reader.end() if line is None else self._reader.feed(line)
            if not await self._submit(submission) or (line is None and self._chat.may_leave()):
                return self._code

    async def _open(self) -> None:
        """Begin with the conversation that is wanted; a person can go on without it.

        Raises:
            UsageError: there is no such conversation, and nobody is there to be told.
        """
        opening = self._chat.open(person=self._interactive)
        if self._interactive:
            await self._settle(opening)
        else:
            await opening

    @property
    def _code(self) -> int:
        """A person who leaves has seen what failed; a script has to be told."""
        return 0 if self._interactive else self._screen.code

    async def _submit(self, submission: Command | UserText | Blank | None) -> bool:
        """Take what a line completed, if anything; may the chat go on?"""
        if isinstance(submission, Blank):
            self._screen.notice("There is nothing to send.")
        elif submission is not None:
            self._screen.reasoning = self._interactive and self._chat.settings.repl.reasoning
            await self._settle(submit(self._chat, submission, asks=self._interactive))
            return not self._chat.leaving and (self._interactive or self._screen.code == 0)
        return True

    async def _settle(self, turn: Awaitable[None]) -> None:
        self._turn = asyncio.ensure_future(turn)
        try:
            while not self._turn.done():
                await asyncio.wait({self._turn, *self._typing()}, return_when="FIRST_COMPLETED")
                self._take_typed()
        except asyncio.CancelledError:  # Ctrl-C in a pipe ends the turn and the program
            self._turn.cancel()
            await asyncio.wait([self._turn])
            raise
        if self._turn.cancelled():
            self.stopped()
            self._drop_ahead()
        elif error := self._turn.exception():
            self._screen.error(one_line(error))
        self._turn = None

    def _typing(self) -> set[asyncio.Task[str | None]]:
        """What reads the next line while a turn is under way, unless there will be none."""
        if not self._interactive or (self._ahead and self._ahead[-1] is None):
            return set()
        self._reading = self._reading or asyncio.ensure_future(self._read_line())
        return set() if self._reading.done() else {self._reading}

    def _take_typed(self) -> None:
        """Wait on if that is what was typed; all else is for later, an error included."""
        if self._reading is None or not self._reading.done():
            return
        asked = self._asked if self._asked is not None and not self._asked.done() else None
        if error := self._reading.exception():
            if asked is not None:
                self._reading = None
                asked.set_exception(error)
            return
        line = self._reading.result()
        self._reading = None
        if asked is not None:
            asked.set_result(line or "")
            if line is not None:
                return
        if line is not None and self._means_wait(line):
            self._chat.wait_on()
            self._screen.notice(WAITING_ON)
        else:
            self._ahead.append(line)

    async def _answer(self, secret: bool) -> str:  # noqa: FBT001 - the screen's contract
        """The next line that is typed; "" at the end of the input.

        What was typed ahead waits, but not where a secret is asked for: it could be sent.
        Raises what was wrong with the line that was read last, if it waits to be said.
        """
        if self._reading is not None and self._reading.done() and self._reading.exception():
            failed, self._reading = self._reading, None
            return failed.result() or ""
        if secret and self._ahead and self._ahead[0] is not None:
            return self._ahead.popleft() or ""
        if self._ahead and self._ahead[-1] is None:
            return ""
        self._asked = asyncio.get_running_loop().create_future()
        with unseen(self._lines.fileno()) if secret else nullcontext():
            await self._show_turn(self._asked)
            return await self._asked

    def _means_wait(self, line: str) -> bool:
        """Is this line an answer to the silence, or /wait, rather than a part of a message?"""
        if not is_wait(line):
            return self._screen.silent and not self._ahead and not line.strip()
        begun = BlockReader(self._grammar)
        for each in self._ahead:
            begun.feed(each or "")
        return begun.end() is None

    def _drop_ahead(self) -> None:
        """Forget what was typed before a Ctrl-C, as a terminal does; the end of the input stays."""
        lines = len(self._ahead)
        self._ahead = deque(line for line in self._ahead if line is None)
        if len(self._ahead) < lines:
            self._screen.notice("What you have typed ahead is dropped.")

    async def _next_line(self) -> str | None:
        if self._ahead or (self._reading is not None and self._reading.done()):
            self._chat.consent.withdraw()  # who typed this had not read the question
        if self._ahead:
            return self._ahead.popleft()
        reading, self._reading = self._reading or asyncio.ensure_future(self._read_line()), None
        if not self._reader.begun:
            await self._show_turn(reading)
        return await reading

    async def _show_turn(self, line: asyncio.Future[Any]) -> None:
        """Let the person see that it is their turn, unless they have typed the line already."""
        if self._interactive:
            await asyncio.wait([line], timeout=_GLANCE)
            if not line.done():
                self._screen.await_line()

    async def _read_line(self) -> str | None:
        raw = await in_thread(self._lines.readline)
        self._screen.line_came(whole=raw.endswith(b"\n"))
        self._number += 1
        return decoded(raw, self._name, self._number).removesuffix("\n") if raw else None

    def _interrupt(self, chat: asyncio.Task[Any] | None) -> None:
        """Stop the reply; or leave, at the second time."""
        self._screen.key_echoed()
        if self._turn is not None:
            self._turn.cancel()
        elif chat is not None and time.monotonic() - self._first_interrupt < _TWICE:
            if self._chat.may_leave():
                chat.cancel()
            else:
                self._screen.await_line()
        else:
            if self._reader.end() is not None:
                self._screen.notice("What you have typed of this message is dropped.")
            self._first_interrupt = time.monotonic()
            self._screen.notice("Press Ctrl-C again, or Ctrl-D, to leave.")
            self._screen.await_line()


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
    return _run(chat.run(), chat.stopped, chat.break_off)


def ask(make_chat: Callable[[PlainScreen], Chat], text: str, *, as_json: bool = False) -> int:
    """One turn: the reply, or its events, on standard output; gives the exit code."""
    screen = JsonScreen(_INTERRUPTED) if as_json else PlainScreen(talkative=False)
    chat = make_chat(screen)
    if isinstance(screen, JsonScreen):
        screen.attempts = lambda: chat.session.attempts if chat.session is not None else ()

    async def turn() -> int:
        try:
            await chat.start()
            await chat.open(person=False)
            code = _one_shot_code(await chat.send(text))
            await chores.expire(chat)
            return code
        finally:
            await chat.close(patience=_PATIENCE)

    try:
        return _run(turn(), lambda: screen.stopped(chat.kept), chat.break_off)
    except Exception as error:  # noqa: BLE001 - a person, or a program, gets one line
        screen.error(one_line(error))
        return screen.code


def _one_shot_code(reply: Message) -> int:
    """A script must see that an answer is not whole, also where its length was the limit."""
    cut = reply.status is Status.PARTIAL or reply.finish_reason in STOPPED_AT_LENGTH
    return PartialReply.exit_code if cut else 0


def _run(main: Awaitable[int], stopped: Callable[[], None], break_off: Callable[[], bool]) -> int:
    ended: list[int] = []

    async def entry() -> int:
        """Let a signal end it as Ctrl-C does, with a code of its own."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        stopping = -_SETTLING

        def end(number: int) -> None:
            nonlocal stopping
            ended.append(number)
            now = time.monotonic()
            if break_off() and task is not None and now - stopping >= _SETTLING:
                stopping = now
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            loop.add_signal_handler(number, end, number)
        return await main

    # Never closed: that would wait for threads that may hang, and the process ends anyway.
    runner = asyncio.Runner()
    with streams.contained():
        try:
            code = runner.run(entry())
            return 128 + ended[0] if ended else code
        except KeyboardInterrupt:
            stopped()
        except asyncio.CancelledError:  # the second Ctrl-C of a person, or a signal
            if ended:
                stopped()
                return 128 + ended[0]
    return _INTERRUPTED
