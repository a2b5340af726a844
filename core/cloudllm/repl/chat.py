"""The conversation behind every front end: its settings, its session, its turns."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from cloudllm.errors import CloudLLMError, ConfigurationError, NetworkError, UsageError
from cloudllm.events import Event, TurnFinished
from cloudllm.messages import Message, Role, Status
from cloudllm.threads import in_thread

if TYPE_CHECKING:  # they are heavy, and the first prompt comes before them
    from cloudllm.hooks import PluginHooks
    from cloudllm.plugins import Plugin
    from cloudllm.provider import Client
    from cloudllm.registry import Registry
    from cloudllm.repl.commands.base import SlashCommand
    from cloudllm.session import LLMSession
    from cloudllm.settings import Settings


_MOMENT = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Program:
    """What the command line puts together for a chat: its settings and where clients come from."""

    settings: Settings
    registry: Registry


Compose = Callable[[Mapping[str, object]], Program]
"""Reads the settings under these flags; it may block and raise `ConfigurationError`."""


class Screen(Protocol):
    """What a front end shows; each method takes foreign text and makes it safe itself."""

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""

    def output(self, text: str) -> None:
        """Show what a command answers; may be several lines."""

    def notice(self, text: str) -> None:
        """Show one line aside."""

    def put_back(self, text: str) -> None:
        """Give the person's text back for editing, ahead of what they have typed since."""


class Chat:
    """One conversation, as a person at any front end holds it.

    The session is made with the first message, so that a chat can begin, and mend its settings,
    before there is a key. `flags` are what the command line and `/set` have set.
    """

    def __init__(self, compose: Compose, flags: Mapping[str, object], screen: Screen) -> None:
        self._compose = compose
        self._session: LLMSession | None = None
        self._program: Program | None = None
        self._hooks: PluginHooks | None = None
        self._loading: asyncio.Future[None] | None = None
        self._stale = False
        self._told: set[str] = set()
        self.known_models: dict[str, tuple[str, ...]] = {}
        self.plugin_commands: Mapping[str, SlashCommand] = {}
        self.flags = dict(flags)
        self.screen = screen
        self.leaving = False

    @property
    def session(self) -> LLMSession | None:
        """The session, once there is one."""
        return self._session

    @property
    def settings(self) -> Settings:
        """The settings in force; there are none before `start`."""
        return self._started().settings

    @property
    def model(self) -> str:
        """The model id that the next message goes to."""
        return self._session.client.id if self._session is not None else self.settings.model

    @property
    def registry(self) -> Registry:
        """Where clients come from; there is none before `start`."""
        return self._started().registry

    async def start(self) -> None:
        """Read the settings; raises `ConfigurationError`."""
        self._program = await in_thread(lambda: self._compose(self.flags))
        gc.freeze()  # `main` switched the collector off for the imports; they are over
        gc.enable()
        for notice in self.settings.notices:
            self.screen.notice(notice)
        plugins = self.registry.plugins
        plugins.listen(partial(self._hear, asyncio.get_running_loop()))
        await in_thread(plugins.announce_new)

    def _hear(self, loop: asyncio.AbstractEventLoop, line: str) -> None:
        """Show a notice of the plugins, told from any thread."""
        with suppress(RuntimeError):  # the loop has closed; the plugin's story has the line
            loop.call_soon_threadsafe(self.screen.notice, line)

    async def close(self, *, patience: float = 0.0) -> None:
        """Show what is still to be said of plugins, and keep their stories.

        Plugins that are told of replies get `patience` seconds to deal with the last ones.
        """
        if self._hooks is not None:
            await in_thread(partial(self._hooks.finish, patience))
        if self._program is not None:
            self.registry.plugins.close()
            await asyncio.sleep(0)  # the notices come by way of the loop

    async def settle(self, plugin: Plugin) -> None:
        """Let a plugin deal with the last reply before it is asked of it; for a moment at most."""
        if self._hooks is not None:
            await in_thread(partial(self._hooks.settle, plugin, _MOMENT))

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
        if self._session is None:
            from cloudllm.hooks import PluginHooks  # noqa: PLC0415 - see above
            from cloudllm.session import LLMSession  # noqa: PLC0415 - see above

            client = await self._client(self.settings.model)
            self._hooks = PluginHooks(self.registry.plugins)
            self._session = LLMSession(client, hooks=self._hooks)
            self._apply()
        elif self._stale:
            self._session.client = await self._client(self._session.client.id)
        self._stale = False
        return self._session

    async def send(self, text: str) -> Message:
        """Send a message, show the reply and return it; raises `CloudLLMError`."""
        session = await self.connect()
        return await self.play(session.stream_message(Role.USER, text))

    async def play(self, events: AsyncGenerator[Event, None]) -> Message:
        """Show a turn as it happens, and return its reply."""
        reply: Message | None = None
        try:
            async with aclosing(events):
                async for event in events:
                    self.screen.event(event)
                    if isinstance(event, TurnFinished):
                        reply = event.reply
                        self._stale = reply.status is Status.PARTIAL
        except NetworkError:
            self._stale = True
            raise
        if reply is None:
            raise UsageError("the turn was ended while its reply was coming in")
        return reply

    async def use_model(self, model_id: str) -> Client:
        """Go on with another model; nothing changes if there is no such client."""
        client = await self._client(model_id)
        await self.set("model", client.id)
        if self._session is not None:
            self._session.client = client
        return client

    async def set(self, key: str, value: object) -> None:
        """Change a setting for this chat; an invalid one raises and changes nothing."""
        flags = {**self.flags, key: value}
        try:
            self._program = await in_thread(lambda: self._compose(flags))
        except ConfigurationError as error:
            raise ConfigurationError(error.message.replace(f"-o {key}", f"/set {key}")) from None
        self.flags = flags
        self._stale = self._stale or key.startswith("providers.")
        self._apply()

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
        session, settings = self._session, self.settings
        if session is not None:
            session.system_prompt = settings.system_prompt
            session.temperature = settings.temperature
            session.max_output_tokens = settings.max_output_tokens
            session.max_tokens = settings.context.limit
            session.reserve = settings.context.reserve
            session.deadlines = settings.timeout.deadlines()

    def _started(self) -> Program:
        if self._program is None:
            raise CloudLLMError("the settings are not loaded yet")
        return self._program
