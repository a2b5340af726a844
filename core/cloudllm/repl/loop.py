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
from cloudllm.errors import BudgetExceeded, CloudLLMError, MissingKey, Refused, UsageError
from cloudllm.repl import later
from cloudllm.repl.app import ChatApp
from cloudllm.repl.chat import Chat
from cloudllm.repl.completion import ChatCompleter
from cloudllm.repl.drafts import DraftJournal
from cloudllm.repl.early_settings import EarlySettings
from cloudllm.repl.history import InputHistory
from cloudllm.repl.keys import ChatKeys
from cloudllm.repl.lines import one_line, rows
from cloudllm.repl.opening import Opening
from cloudllm.repl.queue import Queue, Submission
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.screen import TerminalScreen
from cloudllm.repl.secrets import asks_secret
from cloudllm.repl.sentinel import Command, Grammar, UserText
from cloudllm.repl.served import Compose
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
_OPENING_WAIT = 1.0  # seconds

_HEAD_START = 0.3
"""Seconds that the store has to itself before litellm is imported, which takes the processor."""

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
        self._unsent = Unsent(self._app, self._queue, self._grammar, self.notice)
        self._journal = DraftJournal(self._app.editor, self.notice, self._unsent.under_way)
        self._hints = hints(self._grammar)
        self._row = StatusRow()
        self._keeper: StatusKeeper | None = None
        self._turn: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._opened = False
        self._declined = False
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
        await self._app.run(lambda: work.append(asyncio.ensure_future(self._guard_work())))
        ended = await self._end(work)
        comes_back = await self._journal.finish()
        await self._chat.close(patience=_ENDING if ended else 0.0)
        self._app.print()
        self._history.decide(private=self._chat.private)
        self._unsent.leave(comes_back=comes_back, private=self._chat.private)
        from cloudllm.repl.farewell import farewell  # noqa: PLC0415 - nothing is needed before

        if line := farewell(self._chat):
            self._app.print(*rows(line, DIM, self._app.columns))
        return self._code, self._failure

    async def _end(self, work: list[asyncio.Task[None]]) -> bool:
        """Stop a turn, if one is under way, as Ctrl-C does: what came stays on the screen."""
        self._chat.leaving = True
        turn = self._turn
        if turn is not None:
            turn.cancel()
            await asyncio.wait(work, timeout=_ENDING)
        if self._keeper is not None:
            self._keeper.close()
        for task in filter(None, (*work, self._opening)):
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
            self._declined = True
            self._connecting = asyncio.ensure_future(self._connect())

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
        """End the chat."""
        self._app.exit()

    # What the chat shows.

    def event(self, event: Event) -> None:
        """Show what a turn emitted; when its request goes out, its message is on disk."""
        from cloudllm.events import RequestSent  # noqa: PLC0415 - after the first prompt

        if isinstance(event, RequestSent):
            self._is_gone()
        self._view.event(event)

    def recall(self, turn: Sequence[Message]) -> None:
        """Show a turn again; its message is no draft, even if a crash has left it as one, too."""
        from cloudllm.repl.recall import recall  # noqa: PLC0415 - after the first prompt

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
        from cloudllm import gateway  # noqa: PLC0415 - after the first prompt
        from cloudllm.repl import render  # noqa: PLC0415 - see above
        from cloudllm.repl.statuskeeper import StatusKeeper  # noqa: PLC0415 - see above

        self._dressed()
        self._keeper = StatusKeeper(self._chat, self._row, self._app.refresh)
        self._keeper.renew()
        self._opening = asyncio.ensure_future(self._open())
        await asyncio.wait([self._opening], timeout=_HEAD_START)
        gateway.preload()
        render.preload()
        loading = asyncio.ensure_future(self._chat.load_plugins())
        loading.add_done_callback(self._renew_status)
        await asyncio.wait([self._opening], timeout=self._patience)
        self._opened = True
        self._connecting = asyncio.ensure_future(self._connect())
        while not self._chat.leaving:
            submission = await self._queue.next()
            self._connecting.cancel()  # the turn makes its own, and Ctrl-C can stop that one
            await self._take_turn(submission)
        loading.cancel()
        self.leave()

    async def _open(self) -> None:
        """Begin with the conversation that is wanted; what is sent meanwhile waits for it."""
        try:
            await self._chat.open(person=True)
        except UsageError as error:
            self.notice(f"{error.message[:1].upper()}{str(error)[1:].rstrip('.')}.")
        except Exception as error:  # noqa: BLE001 - a new conversation begins all the same
            self.error(one_line(error))
        self._renew_status()

    @property
    def _patience(self) -> float | None:
        """Seconds that the first message waits for the opening, if the store is slow."""
        return _OPENING_WAIT if self._chat.opening == _OPENING else None

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

    async def _connect(self) -> None:
        """Make the client before it is needed, so that a missing key is said at once."""
        try:
            await self._chat.connect()
            self._renew_status()
        except MissingKey as error:
            await self._offer_ways(error)
        except Exception as error:  # noqa: BLE001 - a provider may raise anything
            self.error(one_line(error))

    async def _offer_ways(self, error: MissingKey) -> None:
        """Offer ways to begin without this key, once, to a person who has chosen no model yet."""
        from cloudllm.repl import onboarding  # noqa: PLC0415 - after the first prompt

        if self._declined or not onboarding.is_first_start(self._chat):
            self.error(error)
        else:
            await onboarding.offer(self._chat, error.message)

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
        self.leave()

    def _status(self, columns: int) -> str:
        self._row.hints = _TAKES_BACK if self._queued(columns) else self._hints
        self._row.mode = self._app.mode
        return self._row.text(columns)

    def _renew_status(self, _done: object = None) -> None:
        if self._keeper is not None and not self._chat.leaving:
            self._keeper.renew()

    def _queued(self, columns: int) -> Sequence[str]:
        """What waits for the reply, or for the settings; not what is taken up in this moment."""
        busy = self._turn is not None or not self._opened
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
