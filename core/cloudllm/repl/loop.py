"""The chat on a terminal: takes drafts from the editor, plays turns, answers interruptions."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudllm import paths, streams
from cloudllm.early import EarlyTerminal
from cloudllm.errors import CloudLLMError, Refused
from cloudllm.events import (
    Event,
    ReasoningDelta,
    RequestSent,
    TextDelta,
    Trimmed,
    TurnFinished,
)
from cloudllm.messages import Message, Status
from cloudllm.repl import waiting
from cloudllm.repl.app import ChatApp, Row
from cloudllm.repl.chat import Chat, Compose
from cloudllm.repl.completion import CommandCompleter, Offer
from cloudllm.repl.early_settings import EarlySettings
from cloudllm.repl.history import InputHistory
from cloudllm.repl.keys import ChatKeys
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.secrets import without_secret
from cloudllm.repl.sentinel import Command, Grammar, UserText
from cloudllm.repl.style import BOLD, DIM, RED, styled
from cloudllm.repl.wording import described, ending_notices, one_line, trimmed_notice, wrapped

if TYPE_CHECKING:
    from cloudllm.repl.reply import ReplyView

_TWICE = 2.0
"""Seconds within which a second Ctrl-C on an empty editor leaves."""

_GRACE = 0.03
"""Seconds for showing what was typed ahead, before the settings are imported beside it."""

_ECHOED, _ECHOED_LINES = 8_000, 100
"""Characters and lines of a sent message that are repeated on the screen; all of it is sent."""


class Submission(NamedTuple):
    """A draft as the input history has it, and what it means."""

    draft: str
    means: Command | UserText


class TerminalChat:
    """A chat on a terminal; `run` returns the exit code."""

    def __init__(
        self,
        compose: Compose,
        flags: Mapping[str, object],
        early: EarlySettings,
        terminal: EarlyTerminal,
    ) -> None:
        self._grammar = Grammar(early.sentinel, early.submit)
        self._chat = Chat(compose, flags, self)
        self._history = InputHistory(paths.state_dir() / "input-history", self.notice)
        self._app = ChatApp(
            keys=ChatKeys(self._grammar, self).bindings(),
            history=self._history,
            completer=CommandCompleter(self._commands, self._arguments, self._fetch),
            status=self._status,
            editing_mode=early.editing_mode,
            terminal=terminal,
        )
        self._pending: deque[Submission] = deque()
        self._arrived = asyncio.Event()
        self._turn: asyncio.Task[None] | None = None
        self._reply: ReplyView
        self._command = ""
        self._doing = ""
        self._began = 0.0
        self._first_interrupt = -_TWICE
        self._failure: CloudLLMError | None = None
        self._code = 0

    async def run(self) -> tuple[int, CloudLLMError | None]:
        """Hold the chat; gives the exit code and the error that ended it, if one did."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._leave_with, 128 + number)
        loop.set_exception_handler(self._stray)
        work: list[asyncio.Task[None]] = []
        await self._app.run(lambda: work.append(asyncio.ensure_future(self._guard_work())))
        if self._turn is not None:
            self._turn.cancel()
        for task in work:
            task.cancel()
        await self._chat.close()
        self._app.print()
        self._keep_draft()
        return self._code, self._failure

    # What the keys ask for.

    def submit(self, draft: str) -> None:
        """Queue what a draft means; a blank one is refused."""
        means = self._grammar.decode(draft)
        if means is None:
            self.notice("There is nothing to send.")
            return
        self._pending.append(Submission(draft, means))
        self._arrived.set()
        if self._turn is not None:
            self.notice("It waits for the reply; Ctrl-C gives it back.")

    def interrupt(self) -> None:
        """Stop the reply; or else clear the editor; or else leave, at the second time."""
        editor = self._app.editor
        if self._turn is not None and not self._turn.done():
            self._turn.cancel()
        elif editor.text:
            editor.keep_unsent()
            editor.reset()
        elif time.monotonic() - self._first_interrupt < _TWICE:
            self.leave()
        else:
            self._first_interrupt = time.monotonic()
            self.notice("Press Ctrl-C again, or Ctrl-D, to leave.")

    def leave(self) -> None:
        """End the chat."""
        self._app.exit()

    # What the chat shows.

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""
        match event:
            case RequestSent():
                self._doing = self._sending()
                if self._command:
                    self._began = time.monotonic()
            case TextDelta() | ReasoningDelta():
                self._reply.feed(event)
            case Trimmed():
                self.notice(trimmed_notice(event))
            case TurnFinished(reply):
                self._reply.end()
                self._close(reply)
                if self._command:  # which may go on, and send more
                    self._begin(f"Running {self._command}…")

    def output(self, text: str) -> None:
        """Show what a command answers."""
        self._commit(*clean(text).expandtabs().split("\n"), "")

    def notice(self, text: str) -> None:
        """Show one line aside."""
        self._commit(*self._rows(text, DIM))

    def error(self, error: CloudLLMError) -> None:
        """Show what went wrong, in one line."""
        self._commit(*self._rows(f"Error: {error}", RED))

    def put_back(self, text: str) -> None:
        """Give a message back for editing."""
        self._app.put_back(self._grammar.encode(text))

    # The work behind.

    async def _guard_work(self) -> None:
        try:
            await self._work()
        except Exception as error:  # noqa: BLE001 - the editor must not outlive what serves it
            self._failure = one_line(error)
            self._leave_with(self._failure.exit_code)

    async def _work(self) -> None:
        await asyncio.sleep(_GRACE)
        await self._chat.start()
        from cloudllm import gateway  # noqa: PLC0415 - after the first prompt

        gateway.preload()
        self._app.refresh()
        connecting = asyncio.ensure_future(self._connect())
        loading = asyncio.ensure_future(self._chat.load_plugins())
        while not self._chat.leaving:
            await self._arrived.wait()
            if not self._pending:
                self._arrived.clear()
                continue
            connecting.cancel()  # the turn makes its own, and Ctrl-C can stop that one
            await self._take_turn(self._pending.popleft())
        loading.cancel()
        self.leave()

    async def _connect(self) -> None:
        """Make the client before it is needed, so that a missing key is said at once."""
        try:
            await self._chat.connect()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything
            self.error(one_line(error))

    async def _take_turn(self, submission: Submission) -> None:
        from cloudllm.repl.commands import submit  # noqa: PLC0415 - after the first prompt

        means = submission.means
        self._echo(means)
        self._command = ""
        if isinstance(means, Command):
            self._command = clean(means.text.split()[0], one_line=True, limit=60)
        self._begin(f"Running {self._command}…" if self._command else self._sending())
        self._turn = asyncio.ensure_future(submit(self._chat, means))
        indicator = asyncio.ensure_future(self._indicate(means))
        try:
            await asyncio.wait([self._turn])
        finally:
            indicator.cancel()
        self._reply.end()
        self._settle(self._turn, submission)
        self._turn = None
        self._app.refresh()

    def _begin(self, doing: str) -> None:
        """Something is under way that may bring a reply."""
        from cloudllm.repl.reply import ReplyView  # noqa: PLC0415 - after the first prompt

        self._doing = doing
        self._reply = ReplyView(self._app)
        self._began = time.monotonic()

    def _sending(self) -> str:
        return f"Sending message… {clean(self._chat.model, one_line=True, limit=60)}"

    def _settle(self, turn: asyncio.Task[None], submission: Submission) -> None:
        """Say how the turn ended; what was not answered goes back into the editor."""
        if turn.cancelled():
            kept = self._reply.begun
            self.notice("Stopped; what came is kept." if kept else "Stopped.")
            self._return(submission, kept=kept)
            return
        error = turn.exception()
        if error is not None:
            self.error(one_line(error))
            refused = isinstance(error, Refused)
            if refused:  # as by a guard that has found a secret in it
                self._history.forget(submission.draft)
            self._return(submission, kept=False, refused=refused)

    def _return(self, submission: Submission, *, kept: bool, refused: bool = False) -> None:
        """Put an unanswered message and all that waited behind it back into the editor."""
        returned = [] if kept else [submission.means]
        returned += [each.means for each in self._pending]
        self._pending.clear()
        texts = [item.text for item in returned if isinstance(item, UserText)]
        for item in returned[not kept :]:
            if isinstance(item, Command):
                self.notice(f"Not run: {without_secret(item.text)}")
        if texts:
            self._app.put_back(self._grammar.encode("\n".join(texts)), refused=refused)

    async def _indicate(self, submission: Command | UserText) -> None:
        """Keep the waiting indicator alive while there is nothing else to see."""
        if isinstance(submission, Command):
            await asyncio.sleep(waiting.PERIOD)
        while True:
            if not self._reply.begun:
                seconds = time.monotonic() - self._began
                row: Row = ("class:waiting", waiting.describe(self._doing, seconds))
                self._app.paint([], [row])
            await asyncio.sleep(waiting.PERIOD)

    def _echo(self, submission: Command | UserText) -> None:
        text = without_secret(submission.text)
        shown = "\n".join(text[:_ECHOED].split("\n", _ECHOED_LINES)[:_ECHOED_LINES])
        lines = clean(shown).expandtabs().split("\n")
        rows = [f"{'  ' if number else '> '}{line}" for number, line in enumerate(lines)]
        if hidden := len(text) - len(shown):
            rows.append(styled(f"  … {hidden:,} more characters", DIM))
        self._commit(*rows)

    def _close(self, reply: Message) -> None:
        seconds = time.monotonic() - self._began
        if not self._reply.begun:
            self._commit(styled("Assistant:", BOLD), styled("(an empty reply)", DIM))
        for notice in ending_notices(reply):
            self._commit(*self._rows(notice, RED))
        if reply.status is Status.PARTIAL:
            self.notice("What came is kept; /retry asks again.")
        self._commit(styled(f"{described(reply.usage)} · {seconds:.1f} s", DIM), "")

    def _rows(self, text: str, style: str) -> list[str]:
        """One line of foreign text as rows that end between words."""
        rows = wrapped(clean(text, one_line=True), self._app.columns)
        return [styled(row, style) for row in rows]

    def _commit(self, *rows: str) -> None:
        self._app.commit(rows)

    def _keep_draft(self) -> None:
        """Leaving: what was not sent can be recalled from the history, where the queue is already."""
        editor = self._app.editor
        kept = bool(editor.text.strip()) and editor.keep_unsent()
        if kept or self._pending:
            self._app.print("What was not sent is in the input history: press Up next time.")

    def _stray(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody waits for: prompt_toolkit would stop the chat to show it."""
        error = context.get("exception")
        if error is not None:
            self.error(one_line(error))

    def _leave_with(self, code: int) -> None:
        self._code = code
        self.leave()

    def _status(self, columns: int) -> str:
        try:
            model = self._chat.settings.model
        except CloudLLMError:
            model = "…"
        sends = (
            "Enter" if self._grammar.submit == "enter" else f"{self._grammar.sentinel} or Alt-Enter"
        )
        hint = f"{clean(sends, one_line=True)} sends · Ctrl-C stops · /help"
        return f"{clean(model, one_line=True, limit=50)}  {hint}"[:columns]

    def _commands(self) -> Iterable[Offer]:
        from cloudllm.repl.commands import known  # noqa: PLC0415 - after the first prompt

        return ((command.name, command.summary) for command in known(self._chat).values())

    def _arguments(self, name: str) -> Iterable[str]:
        from cloudllm.repl.commands import known  # noqa: PLC0415 - after the first prompt

        command = known(self._chat).get(name)
        try:
            return command.complete(self._chat) if command and command.complete else ()
        except CloudLLMError:  # the settings are not there yet
            return ()

    async def _fetch(self, name: str, typed: str) -> None:
        from cloudllm.repl.commands import known  # noqa: PLC0415 - after the first prompt

        command = known(self._chat).get(name)
        if command is not None and command.fetch is not None:
            await command.fetch(self._chat, typed)


def run(
    compose: Compose,
    flags: Mapping[str, object],
    early: EarlySettings,
    terminal: EarlyTerminal,
) -> tuple[int, CloudLLMError | None]:
    """Hold a chat on this terminal; gives the exit code and the error that ended it, if any."""

    async def hold() -> tuple[int, CloudLLMError | None]:
        return await TerminalChat(compose, flags, early, terminal).run()

    # The loop is never closed: closing would wait for threads, and the process ends anyway.
    with streams.contained():
        return asyncio.new_event_loop().run_until_complete(hold())
