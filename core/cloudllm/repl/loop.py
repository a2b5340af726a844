"""The chat on a terminal: takes drafts from the editor, plays turns, answers interruptions."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudllm import paths, streams
from cloudllm.early import EarlyTerminal
from cloudllm.errors import BudgetExceeded, CloudLLMError, Refused
from cloudllm.repl import later
from cloudllm.repl.app import ChatApp
from cloudllm.repl.beginning import Beginning
from cloudllm.repl.chat import Chat
from cloudllm.repl.completion import ChatCompleter
from cloudllm.repl.configured import Compose
from cloudllm.repl.drafts import DraftJournal
from cloudllm.repl.early_settings import EarlySettings, may_be_private
from cloudllm.repl.history import InputHistory
from cloudllm.repl.keys import ChatKeys
from cloudllm.repl.lines import one_line, rows
from cloudllm.repl.opening import Opening
from cloudllm.repl.queue import Queue, Submission
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.screen import TerminalScreen
from cloudllm.repl.secrets import asks_secret
from cloudllm.repl.sentinel import Command, Grammar, UserText
from cloudllm.repl.statusrow import StatusRow, hints
from cloudllm.repl.style import BOLD, DIM
from cloudllm.repl.unsent import Unsent
from cloudllm.threads import in_thread

if TYPE_CHECKING:  # they take a while, and the first key comes before them
    from cloudllm.events import Event
    from cloudllm.messages import Message
    from cloudllm.repl.statuskeeper import StatusKeeper
    from cloudllm.repl.theme import Theme
    from cloudllm.repl.turnview import TurnView

_OPENING = Opening()

_TWICE = 2.0
"""Seconds within which a second Ctrl-C on an empty editor leaves."""

_ENDING = 0.5
"""Seconds that leaving waits for a turn that is under way, and then for the plugins that are told
of it; it takes a fraction of them.
"""

_IS_BACK = "It is back in the editor, to be sent again; Ctrl-C clears it."

_GRACE = 0.03
"""Seconds for showing what was typed ahead, before the settings are imported beside it."""

_TAKES_BACK = ("Up takes the last one back · Ctrl-C stops", "Up takes it back", "Up: back")
"""Hints while something waits, the longest wording first."""


class TerminalChat(TerminalScreen):
    """A chat on a terminal; `run` returns the exit code."""

    def __init__(
        self,
        compose: Compose,
        flags: Mapping[str, object],
        early: EarlySettings,
        terminal: EarlyTerminal,
        opening: Opening,
    ) -> None:
        self._grammar = Grammar(early.sentinel, early.submit)
        self._chat = Chat(compose, flags, self, opening)
        self._history = InputHistory(
            paths.state_dir() / "input-history", self.notice, decided=False
        )
        self._app = ChatApp(
            keys=ChatKeys(self._grammar, self).bindings(),
            history=self._history,
            completer=ChatCompleter(self._chat),
            hint=partial(later.hint, self._chat),
            status=self._status,
            queued=self._queued,
            editing_mode=early.editing_mode,
            terminal=terminal,
        )
        self._queue = Queue()
        self._beginning = Beginning(self._chat, self, self._renew_status)
        self._unsent = Unsent(self._app, self._queue, self._grammar, self.notice)
        self._journal = DraftJournal(self._app.editor, self.notice, self._unsent.under_way)
        self._hints = hints(self._grammar)
        self._row = StatusRow()
        self._keeper: StatusKeeper | None = None
        self._turn: asyncio.Task[None] | None = None
        self._view: TurnView
        self._first_interrupt = -_TWICE
        self._failure: CloudLLMError | None = None
        self._code = 0

    async def run(self) -> tuple[int, CloudLLMError | None]:
        """Hold the chat; gives the exit code and the error that ended it, if one did."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            loop.add_signal_handler(number, self._leave_with, 128 + number)
        loop.set_exception_handler(self._stray)
        work: list[asyncio.Task[None]] = []
        is_there = await self._app.run(
            lambda: work.append(asyncio.ensure_future(self._guard_work()))
        )
        if self._code or not is_there:
            self._chat.break_off()
        ended = await self._end(work)
        comes_back = await self._journal.finish()
        await self._chat.close(patience=_ENDING if ended else 0.0)
        self._app.print()
        private = self._is_private
        self._history.decide(private=private)
        self._unsent.leave(
            comes_back=comes_back, private=private, in_memory=self._history.in_memory
        )
        from cloudllm.repl.farewell import farewell  # noqa: PLC0415 - nothing is needed before

        if line := farewell(self._chat):
            self._app.print(*rows(line, DIM, self._app.columns))
        return self._code, self._failure

    @property
    def _is_private(self) -> bool:
        """Is nothing to be kept? So it is, too, where the settings could not be read to the end."""
        chat = self._chat
        if chat.private or chat.ready.is_set():
            return chat.private
        given = chat.flags.get("history.private")
        return may_be_private(
            os.environ if given is None else {"CLOUDLLM_HISTORY__PRIVATE": str(given)}
        )

    async def _end(self, work: list[asyncio.Task[None]]) -> bool:
        """Stop a turn, if one is under way, as Ctrl-C does: what came stays on the screen."""
        self._chat.leaving = True
        turn = self._turn
        if turn is not None:
            turn.cancel()
            await asyncio.wait(work, timeout=_ENDING)
        if self._keeper is not None:
            self._keeper.close()
        self._beginning.cancel()
        for task in work:
            task.cancel()
        return turn is not None

    # What the keys ask for.

    def submit(self, draft: str) -> None:
        """Queue what a draft means; a blank one is refused."""
        self._first_interrupt = -_TWICE
        means = self._grammar.decode(draft)
        if means is None:
            self.notice("There is nothing to send.")
            return
        if self._chat.session is not None:  # until there is one, the offer stands on the screen
            self._app.questions.end_offer()
        is_command = isinstance(means, Command)
        if is_command and self._turn is None and asks_secret(means.text):
            self._app.questions.hide()
        if self._turn is not None and later.means_wait(means):
            self._chat.wait_on()
            self._view.wait_on()
            return
        self._queue.put(Submission(draft, means))
        self._app.refresh()

    @property
    def has_queued(self) -> bool:
        """Does something wait for the reply that is coming in?"""
        return bool(self._queue)

    def take_back(self) -> None:
        """Give the last thing that waits back for editing."""
        self._unsent.take_back()

    def expects(self, text: str) -> bool:
        """Is this text, with Enter alone, the answer to a question or a choice?"""
        return self._app.questions.expects(text)

    def answer(self, text: str) -> None:
        """Take the answer to a question, or a choice from the offer that is open."""
        questions = self._app.questions
        if questions.take(text):
            return
        command = questions.chosen(text)
        if command:
            self.submit(command)
        else:
            self._beginning.decline()

    def interrupt(self) -> None:
        """Stop the reply; or else have back what waits; or else clear the editor; or else leave."""
        editor = self._app.editor
        if self._turn is not None and not self._turn.done():
            self._turn.cancel()
        elif self._queue:  # as while the settings are read
            self._app.questions.close()
            self._unsent.take_all_back()
        elif editor.text:
            editor.keep_unsent()
            editor.reset()
        elif time.monotonic() - self._first_interrupt < _TWICE:
            self.leave()
        else:
            self._first_interrupt = time.monotonic()
            self.notice("Press Ctrl-C again, or Ctrl-D, to leave.")

    def leave(self) -> None:
        """End the chat, if nothing is lost by it that the person does not know of."""
        if self._chat.may_leave():
            self._app.exit()

    # What the chat shows.

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""
        self._view.event(event)

    def recall(self, turn: Sequence[Message]) -> None:
        """Show a turn again; if a crash has cut it, it may have left its message as a draft, too."""
        from cloudllm.repl.recall import recall  # noqa: PLC0415 - after the first prompt
        from cloudllm.store.recovery import WHY  # noqa: PLC0415 - see above

        if turn[-1].error == WHY:  # a draft that says what was answered is one to send again
            self._journal.was_sent(self._grammar.encode(turn[0].content))
        self._echo(UserText(turn[0].content))
        recall(self._app, self._dressed(), turn, markdown=self._chat.settings.repl.markdown)

    def put_back(self, text: str) -> None:
        """Give a message back for editing, once, even if a crash has left it as a draft, too."""
        self._journal.was_sent(self._grammar.encode(text))
        super().put_back(text)

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
        self._history.decide(private=self._chat.private)
        if not self._chat.private:
            self._journal.start()
        await in_thread(later.import_more)
        from cloudllm.repl.statuskeeper import StatusKeeper  # noqa: PLC0415 - after the first prompt

        self._dressed()
        self._keeper = StatusKeeper(self._chat, self._row, self._app.refresh)
        self._keeper.renew()
        await self._beginning.open()
        self._beginning.connect()
        while not self._chat.leaving:
            submission = await self._queue.next()
            self._beginning.stop_connecting()
            await self._take_turn(submission)
        self._app.exit()

    def _dressed(self) -> Theme:
        """The theme that is chosen; the app wears it from now on."""
        from cloudllm.repl.theme import theme  # noqa: PLC0415 - after the first prompt

        shown, no_color = self._chat.settings.repl, bool(os.environ.get("NO_COLOR"))
        if shown.theme == "auto" and not no_color:
            self._app.ask_background()
        dark = self._app.background.dark
        chosen = theme(shown.theme, shown.colors, dark=dark, no_color=no_color)
        self._app.dress(chosen)
        self._error_look = chosen.look("error").sgr
        return chosen

    async def _take_turn(self, submission: Submission) -> None:
        from cloudllm.repl.commands import submit  # noqa: PLC0415 - after the first prompt
        from cloudllm.repl.turnview import TurnView  # noqa: PLC0415 - after the first prompt

        means = submission.means
        self._unsent.goes_out(submission)
        self._echo(means)
        command = ""
        if isinstance(means, Command):
            command = clean(means.text.split()[0], one_line=True, limit=60)
        shown = self._chat.settings.repl
        self._view = TurnView(
            self._app,
            self._chat.model,
            command,
            shown=shown,
            theme=self._dressed(),
            sent=self._is_gone,  # its message is on disk by then
        )
        self._turn = asyncio.ensure_future(submit(self._chat, means, asks=True))
        indicator = asyncio.ensure_future(self._view.indicate())
        try:
            await asyncio.wait([self._turn])
        finally:
            indicator.cancel()
        try:
            self._view.end()
        except Exception as error:  # noqa: BLE001 - what cannot be drawn must not end the chat
            self.error(one_line(error))
        self._app.questions.close()
        self._settle(self._turn, submission)
        self._is_gone()
        self._turn = None
        self._renew_status()

    def _is_gone(self) -> None:
        """What was sent is on disk, or back in the editor."""
        self._unsent.gone()
        self._journal.look()

    def _settle(self, turn: asyncio.Task[None], submission: Submission) -> None:
        """Say how the turn ended; what was not answered goes back into the editor."""
        if turn.cancelled():
            kept, session = self._chat.kept, self._chat.session
            self._view.stopped(kept, session.attempts if session is not None else ())
            self._unsent.give_back(submission, kept=kept is not None)
            return
        error = turn.exception()
        if error is not None:
            if self._chat.consent.is_open:
                self._commit(*rows(f"{error}.", BOLD, self._app.columns))
            else:
                self.error(one_line(error))
            refused = isinstance(error, Refused) and not isinstance(error, BudgetExceeded)
            if refused:  # as by a guard that has found a secret in it
                self._history.forget(submission.draft)
            self._unsent.give_back(submission, kept=False, refused=refused)
            if isinstance(submission.means, UserText) and not self._chat.consent.is_open:
                self.notice(_IS_BACK)
        elif turn.cancelling():  # it was over already; what waits is not sent all the same
            self._unsent.give_back(submission, kept=True)

    def _stray(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that nobody waits for: prompt_toolkit would stop the chat to show it."""
        error = context.get("exception")
        if error is not None:
            self.error(one_line(error))

    def _leave_with(self, code: int) -> None:
        self._code = code
        self._app.exit()

    def _status(self, columns: int) -> str:
        self._row.hints = _TAKES_BACK if self._queued(columns) else self._hints
        self._row.mode = self._app.mode
        return self._row.text(columns)

    def _renew_status(self) -> None:
        if self._keeper is not None and not self._chat.leaving:
            self._keeper.renew()

    def _queued(self, columns: int) -> Sequence[str]:
        """What waits for the reply, or for the settings; not what is taken up in this moment."""
        busy = self._turn is not None or not self._beginning.is_open
        return self._queue.rows(columns) if busy else ()


def run(
    compose: Compose,
    flags: Mapping[str, object],
    early: EarlySettings,
    terminal: EarlyTerminal,
    opening: Opening = _OPENING,
) -> tuple[int, CloudLLMError | None]:
    """Hold a chat on this terminal; gives the exit code and the error that ended it, if any."""

    async def hold() -> tuple[int, CloudLLMError | None]:
        return await TerminalChat(compose, flags, early, terminal, opening).run()

    # The loop is never closed: closing would wait for threads, and the process ends anyway.
    with streams.contained():
        return asyncio.new_event_loop().run_until_complete(hold())
