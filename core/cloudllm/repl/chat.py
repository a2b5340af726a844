"""The conversation behind every front end: its begin, its turns, its end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cloudllm.errors import BudgetExceeded, NetworkError, UsageError
from cloudllm.repl.configured import Compose, Configured
from cloudllm.repl.consent import Consent
from cloudllm.repl.opening import Opening
from cloudllm.threads import in_thread

if TYPE_CHECKING:  # they take a while, and the first prompt comes before them
    from cloudllm.events import Event
    from cloudllm.messages import Message
    from cloudllm.plugins import Plugin
    from cloudllm.repl.commands.base import SlashCommand
    from cloudllm.repl.engine import Engine
    from cloudllm.repl.frontend import Screen
    from cloudllm.repl.shelf import Shelf
    from cloudllm.store.conversations import Loaded


_MOMENT = 0.5  # seconds
_SAVING = 1.0  # seconds that the end waits for what is not on disk yet
_CLOSING = 0.1  # seconds that it waits for the ledger to be closed
_OPENING = Opening()
_NOT_SAVED = (
    "Not all that was said is saved. /save FILE writes this conversation elsewhere; to leave all"
    " the same, do so again."
)


class Chat(Configured):
    """One conversation, as a person at any front end holds it.

    `agreed` is what a person lets the turn that they have just sent cost, `kept` what came of a
    reply that they stopped; `ready` is set once the settings are there.
    """

    def __init__(
        self,
        compose: Compose,
        flags: Mapping[str, object],
        screen: Screen,
        opening: Opening = _OPENING,
    ) -> None:
        super().__init__(compose, flags, screen, private=opening.private)
        self.opening = opening
        self.ready = asyncio.Event()
        self.leaving = False
        self._closing = False
        self._warned = False
        self.person = False  # somebody sits there, and the chat may do things beside
        self._chores: set[asyncio.Future[None]] = set()
        self.begun = False  # something was sent, or taken up
        self._held: Loaded | None = None  # a conversation for which there is no session yet
        self._unsent: str | None = None  # a message for which there was no client
        self.consent = Consent()
        self.agreed: BudgetExceeded | None = None
        self.kept: Message | None = None
        self._loading: asyncio.Future[None] | None = None
        self.plugin_commands: Mapping[str, SlashCommand] = {}
        self.known_models: dict[str, tuple[str, ...]] = {}

    @property
    def history(self) -> Sequence[Message]:
        """Every message so far, the system prompt apart, also before there is a session."""
        if self._held is not None:
            return self._held.messages
        return () if self._engine is None else self._engine.session.history

    @property
    def last_reply(self) -> Message | None:
        """The newest message of the model, if there is one."""
        return next((m for m in reversed(self.history) if m.role == "assistant"), None)

    async def start(self) -> None:
        """Read the settings; raises `ConfigurationError`."""
        await self._load()
        self.private = self.private or self.settings.history.private
        self.ready.set()
        gc.freeze()  # `main` switched the collector off for the imports; they are over
        gc.enable()
        for notice in self.settings.notices:
            self.screen.notice(notice)
        plugins = self.registry.plugins
        plugins.listen(partial(self._hear, asyncio.get_running_loop()))
        await in_thread(plugins.announce_new)
        if not self.private:
            self.shelf = await in_thread(_new_shelf)
            self.shelf.listen(self.screen.notice)

    async def open(self, *, person: bool) -> None:
        """Begin with the conversation that was asked for, or that was broken off where one sits.

        Raises:
            UsageError: there is no such conversation.
            StoreError: what is on disk cannot be used.
        """
        from cloudllm.repl import chores, resuming  # noqa: PLC0415 - after the first prompt

        self.person = person
        await resuming.open_chat(self, person=person)
        if person:
            self._do_beside(chores.expire(self))

    def _do_beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Have this done while the chat goes on; it ends with the chat."""
        chore = asyncio.ensure_future(work)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)

    def _hear(self, loop: asyncio.AbstractEventLoop, line: str) -> None:
        """Show a notice of the plugins, told from any thread."""
        with suppress(RuntimeError):  # the loop has closed; the plugin's story has the line
            loop.call_soon_threadsafe(self.screen.notice, line)

    async def close(self, *, patience: float = 0.0) -> None:
        """Show what is still to be said of plugins, and keep their stories and the conversation.

        Plugins that are told of replies get `patience` seconds to deal with the last ones.
        """
        self._closing = True
        for chore in tuple(self._chores):
            chore.cancel()
        if self._engine is not None:
            await in_thread(partial(self._engine.hooks.finish, patience))
            await in_thread(partial(self._engine.accounts.close, _CLOSING))
        if self.shelf is not None:  # the last to close its file, which is whole then
            await in_thread(partial(self.shelf.close, _SAVING))
        if self._program is not None:
            self.registry.plugins.close()
            await asyncio.sleep(0)  # the notices come by way of the loop

    def may_leave(self) -> bool:
        """May the chat end? A person is told first, once, if what was said could not be saved."""
        unsaved = self.shelf is not None and self.shelf.journal.cannot_save
        if self._warned or not (self.person and unsaved):
            return True
        self._warned = True
        self.screen.notice(_NOT_SAVED)
        return False

    def break_off(self) -> bool:
        """The program is ended from outside: the next chat offers to go on with what is under way.

        Is that to be stopped? A chat that is closing comes to its end soon, and what it still writes
        would be lost.
        """
        if self.shelf is not None:
            self.shelf.journal.break_off()
        return not self._closing

    async def settle(self, plugin: Plugin) -> None:
        """Let a plugin deal with the last reply before it is asked of it; for a moment at most."""
        if self._engine is not None:
            await in_thread(partial(self._engine.hooks.settle, plugin, _MOMENT))

    async def load_plugins(self) -> None:
        """Have the plugins of the chat loaded, once, and their commands; waits until they are."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(in_thread(self._load_plugins))
        await asyncio.shield(self._loading)

    def _load_plugins(self) -> None:
        from cloudllm.repl.commands import COMMANDS  # noqa: PLC0415 - it imports this module
        from cloudllm.repl.commands.plugin import collect  # noqa: PLC0415 - see above

        plugins = self.registry.plugins
        plugins.load_sessions()
        self.plugin_commands = collect(plugins, COMMANDS)

    async def send(self, text: str) -> Message:
        """Send a message, show the reply and return it; raises `CloudLLMError`."""
        self._unsent, self.begun = text, True
        engine = await self._connected()
        self._unsent = None
        return await self._play(engine, engine.session.stream_message("user", text))

    async def retry(self) -> Message:
        """Send again what failed, or ask for the last reply again; shows and returns the reply."""
        if self._unsent is not None:
            return await self.send(self._unsent)
        if self._engine is None and self._held is None:
            raise UsageError("there is nothing to retry yet")
        engine = await self._connected()
        return await self._play(engine, engine.session.retry_message())

    async def go_on(self) -> Message:
        """Go on with a reply that was cut, stopped, or came to the limit of its length."""
        if self._engine is None and self._held is None:
            raise UsageError("there is no reply to continue yet")
        engine = await self._connected()
        return await self._play(engine, engine.session.continue_message())

    def hold(self, loaded: Loaded) -> None:
        """Go on with this conversation: in the session, as soon as there is one."""
        self._unsent, self.begun = None, True
        if self._engine is None:
            self._held = loaded
        else:
            self._engine.session.load(loaded.messages, unanswered=loaded.unanswered)

    def forget(self) -> None:
        """Begin a new conversation; one that is kept stays on disk."""
        self._unsent = None
        if self._engine is not None:
            self._engine.session.clear_history()
        elif self._held is not None and self.shelf is not None:
            self._held = None
            self.shelf.journal.clear()

    def wait_on(self) -> None:
        """Wait for the reply that is coming in, whatever the deadlines say."""
        if self._engine is not None:
            self._engine.session.wait_on()

    async def _connected(self) -> Engine:
        engine = await super()._connected()
        if self._held is not None:
            held, self._held = self._held, None
            self.hold(held)
        return engine

    async def _play(self, engine: Engine, events: AsyncGenerator[Event, None]) -> Message:
        """Show a turn as it happens, and return its reply."""
        from cloudllm import gateway  # noqa: PLC0415 - after the first prompt
        from cloudllm.repl import chores  # noqa: PLC0415 - see above

        before = engine.session.last_reply
        if self.agreed is not None:
            engine.session.consent(self.agreed)
        await gateway.ready()  # or else its loading would count as the provider's time
        try:
            reply = await engine.shown(events, self.screen.event)
        except asyncio.CancelledError:
            last = engine.session.last_reply
            self.kept = last if last is not before else None
            raise
        except NetworkError:
            self._stale = True
            raise
        self._stale = reply.error is not None
        if self.person:
            self._do_beside(chores.entitle(self, engine))
        return reply


def _new_shelf() -> Shelf:
    """The way to the conversations; nothing is opened for it yet."""
    from cloudllm.repl.shelf import Shelf  # noqa: PLC0415 - after the first prompt

    return Shelf()
