"""The conversation behind every front end: its settings, its session, its turns."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudllm.errors import (
    BudgetExceeded,
    CloudLLMError,
    ConfigurationError,
    NetworkError,
    UsageError,
)
from cloudllm.repl.consent import Consent
from cloudllm.repl.opening import Opening
from cloudllm.threads import in_thread

if TYPE_CHECKING:  # they take a while, and the first prompt comes before them
    from cloudllm.accounts import Standing
    from cloudllm.events import Event
    from cloudllm.messages import Message
    from cloudllm.plugins import Plugin
    from cloudllm.provider import Client
    from cloudllm.registry import Registry
    from cloudllm.repl.commands.base import SlashCommand
    from cloudllm.repl.engine import Engine
    from cloudllm.repl.frontend import Screen
    from cloudllm.repl.shelf import Shelf
    from cloudllm.session import LLMSession
    from cloudllm.settings import Settings
    from cloudllm.store.conversations import Loaded


_MOMENT = 0.5  # seconds
_SAVING = 1.0  # seconds that the end waits for what is not on disk yet
_OPENING = Opening()
_NAMING = ("context.strategy", "fallback", "history.title_model")
"""Settings that name what may not be there."""


class Program(NamedTuple):
    """What the command line puts together for a chat: its settings and where clients come from."""

    settings: Settings
    registry: Registry


Compose = Callable[[Mapping[str, object]], Program]
"""Reads the settings under these flags; it may block and raise `ConfigurationError`."""


class Chat:
    """One conversation, as a person at any front end holds it.

    The session is made with the first message, so that a chat can begin, and mend its settings,
    before there is a key. `flags` are what the command line and `/set` have set. `agreed` is what a
    person lets the turn that they have just sent cost, `kept` what came of a reply that they
    stopped; `ready` is set once the settings are there. `shelf` leads to the conversations on disk;
    there is none before `start`, nor in a `private` chat. `given` are the flags of the command line,
    `adopted` those that a conversation brought along when it was taken up.
    """

    def __init__(
        self,
        compose: Compose,
        flags: Mapping[str, object],
        screen: Screen,
        opening: Opening = _OPENING,
    ) -> None:
        self._compose = compose
        self.opening = opening
        self.private = opening.private
        self.shelf: Shelf | None = None
        self.person = False  # somebody sits there, and the chat may do things beside
        self._chores: set[asyncio.Future[None]] = set()
        self.begun = False  # something was sent, or taken up
        self._held: Loaded | None = None  # a conversation for which there is no session yet
        self._engine: Engine | None = None
        self._program: Program | None = None
        self._unsent: str | None = None  # a message for which there was no client
        self.consent = Consent()
        self.agreed: BudgetExceeded | None = None
        self.kept: Message | None = None
        self._loading: asyncio.Future[None] | None = None
        self._stale = False
        self.ready = asyncio.Event()
        self._told: set[str] = set()
        self.known_models: dict[str, tuple[str, ...]] = {}
        self.plugin_commands: Mapping[str, SlashCommand] = {}
        self.flags = dict(flags)
        self.given = dict(flags)
        self.adopted: Mapping[str, object] = {}
        self.screen = screen
        self.leaving = False

    @property
    def session(self) -> LLMSession | None:
        """The session, once there is one."""
        return self._engine.session if self._engine is not None else None

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

    @property
    def settings(self) -> Settings:
        """The settings in force; there are none before `start`."""
        return self._started().settings

    @property
    def model(self) -> str:
        """The model id that the next message goes to."""
        return self.settings.model if self._engine is None else self._engine.session.client.id

    @property
    def registry(self) -> Registry:
        """Where clients come from; there is none before `start`."""
        return self._started().registry

    async def start(self) -> None:
        """Read the settings; raises `ConfigurationError`."""
        self._program = await in_thread(lambda: self._compose(self.flags))
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
        for chore in tuple(self._chores):
            chore.cancel()
        if self._engine is not None:
            await in_thread(partial(self._engine.hooks.finish, patience))
        if self.shelf is not None:
            await in_thread(partial(self.shelf.close, _SAVING))
        if self._program is not None:
            self.registry.plugins.close()
            await asyncio.sleep(0)  # the notices come by way of the loop

    async def settle(self, plugin: Plugin) -> None:
        """Let a plugin deal with the last reply before it is asked of it; for a moment at most."""
        if self._engine is not None:
            await in_thread(partial(self._engine.hooks.settle, plugin, _MOMENT))

    async def standings(self) -> tuple[Standing, ...]:
        """How it stands with each budget that is set; none before there is a session."""
        if self._engine is None:
            return ()
        return await self._engine.accounts.standings(self._engine.session.id)

    async def strategies(self) -> Iterable[str]:
        """The names of the context strategies; none as long as there is no session."""
        return () if self._engine is None else await in_thread(self._engine.strategies.names)

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

    async def connect(self) -> LLMSession:
        """The session, made with its client the first time.

        The client is made anew when its settings have changed, and when the connection failed: a
        server that the provider itself started may have died.

        Raises:
            MissingKey: the provider needs a key and none was found.
            ConfigurationError: model or provider settings are wrong.
        """
        return (await self._connected()).session

    async def _connected(self) -> Engine:
        """What serves the chat, as `connect` makes it."""
        if self._engine is None:
            client = await self._client(self.settings.model)
            engine = (await in_thread(_imported))(
                client,
                self.registry,
                self.screen.notice,
                record=self.shelf.journal if self.shelf is not None else None,
                private=self.private,
            )
            await in_thread(partial(engine.check, self.settings, self.registry))
            if self._engine is None:  # or else another call was quicker
                self._engine = engine
                self._apply()
                if self._held is not None:
                    held, self._held = self._held, None
                    self.hold(held)
        elif self._stale:
            self._engine.session.client = await self._client(self.model)
        self._stale = False
        return self._engine

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

    async def use_model(self, model_id: str) -> Client:
        """Go on with another model; nothing changes if there is no such client."""
        client = await self._client(model_id)
        await self.set("model", client.id)
        if self._engine is not None:
            self._engine.session.client = client
        return client

    async def set(self, key: str, value: object) -> None:
        """Change a setting for this chat; an invalid one raises and changes nothing."""
        flags = {**self.flags, key: value}
        try:
            program = await in_thread(lambda: self._compose(flags))
        except ConfigurationError as error:
            raise ConfigurationError(error.message.replace(f"-o {key}", f"/set {key}")) from None
        if self._engine is not None and key in _NAMING:
            await in_thread(partial(self._engine.check, program.settings, program.registry))
        self._program = program
        self.flags = flags
        self._stale = self._stale or key.startswith("providers.")
        self._apply()

    async def reload(self) -> None:
        """Read the settings again, after a file of theirs was written; raises as `start` does."""
        self._program = await in_thread(lambda: self._compose(self.flags))
        self._stale = True
        self._apply()

    def origin(self, key: str) -> str:
        """Where a value is from: "/set" if it was changed here; raises as `Settings`'."""
        if key not in self.flags or self.flags[key] is self.given.get(key):
            return self.settings.origin(key)
        adopted = key in self.adopted and self.flags[key] is self.adopted[key]
        return "the conversation" if adopted else "/set"

    async def _client(self, model_id: str) -> Client:
        registry = self.registry
        client = await in_thread(lambda: registry.client(model_id))
        for notice in registry.notices(model_id):
            self.screen.notice(notice)
        if client.id not in self._told:
            self._told.add(client.id)
            await self._tell_retirement(client, model_id)
        return client

    async def _tell_retirement(self, client: Client, model_id: str) -> None:
        """Say that the provider shuts the model down, or has; the chat goes on with it."""
        from cloudllm import gateway  # noqa: PLC0415 - see above
        from cloudllm.repl.retirement import retirement_notice  # noqa: PLC0415 - see above

        info = await gateway.model_info(client)
        provider, _ = self.registry.resolve(model_id)
        if notice := retirement_notice(info, provider.name, provider.successors.get(info.name)):
            self.screen.notice(notice)

    def _apply(self) -> None:
        """Bring the session in line with the settings."""
        if self._engine is not None:
            self._engine.apply(self.settings, self.registry)

    def _started(self) -> Program:
        if self._program is None:
            raise CloudLLMError("the settings are not loaded yet")
        return self._program


def _new_shelf() -> Shelf:
    """The way to the conversations; nothing is opened for it yet."""
    from cloudllm.repl.shelf import Shelf  # noqa: PLC0415 - after the first prompt

    return Shelf()


def _imported() -> type[Engine]:
    """The class of what serves the chat; it blocks the first time."""
    from cloudllm.repl.engine import Engine  # noqa: PLC0415 - see above

    return Engine
