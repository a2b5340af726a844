"""What a chat stands on: the settings in force, and the engine that serves it, once needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cloudllm.errors import CloudLLMError, ConfigurationError
from cloudllm.threads import in_thread

if TYPE_CHECKING:  # they take a while, and the first prompt comes before them
    from cloudllm.accounts import Standing
    from cloudllm.provider import Client
    from cloudllm.registry import Registry
    from cloudllm.repl.engine import Engine
    from cloudllm.repl.frontend import Screen
    from cloudllm.repl.shelf import Shelf
    from cloudllm.session import LLMSession
    from cloudllm.settings import Settings

_NAMING = ("context.strategy", "fallback", "history.title_model")
"""Settings that name what may not be there."""


class Program(NamedTuple):
    """What the command line puts together for a chat: its settings and where clients come from."""

    settings: Settings
    registry: Registry


Compose = Callable[[Mapping[str, object]], Program]
"""Reads the settings under these flags; it may block and raise `ConfigurationError`."""


class Configured:
    """Settings that can be changed, and a session that is kept to them.

    The session is made when it is first needed, so that a chat can begin, and mend its settings,
    before there is a key. `flags` are what the command line and `/set` have set, `given` those of
    the command line alone, `adopted` those that a conversation brought along when it was taken up.
    `shelf` leads to the conversations on disk; there is none before the start, nor in a `private`
    chat.
    """

    def __init__(
        self, compose: Compose, flags: Mapping[str, object], screen: Screen, *, private: bool
    ) -> None:
        self.screen = screen
        self.private = private
        self.shelf: Shelf | None = None
        self.flags = dict(flags)
        self.given = dict(flags)
        self.adopted: Mapping[str, object] = {}
        self._compose = compose
        self._program: Program | None = None
        self._engine: Engine | None = None
        self._stale = False  # the client is to be made anew
        self._told: set[str] = set()  # models of which it was said when they end

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

    @property
    def session(self) -> LLMSession | None:
        """The session, once there is one."""
        return self._engine.session if self._engine is not None else None

    async def standings(self) -> tuple[Standing, ...]:
        """How it stands with each budget that is set; none before there is a session."""
        if self._engine is None:
            return ()
        return await self._engine.accounts.standings(self._engine.session.id)

    async def strategies(self) -> Iterable[str]:
        """The names of the context strategies; none as long as there is no session."""
        return () if self._engine is None else await in_thread(self._engine.strategies.names)

    async def connect(self) -> LLMSession:
        """The session, made with its client the first time.

        The client is made anew when its settings have changed, and when the connection failed: a
        server that the provider itself started may have died.

        Raises:
            MissingKey: the provider needs a key and none was found.
            ConfigurationError: model or provider settings are wrong.
        """
        return (await self._connected()).session

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
        await self._load()
        self._stale = True
        self._apply()

    def origin(self, key: str) -> str:
        """Where a value is from: "/set" if it was changed here; raises as `Settings`'."""
        if key not in self.flags or self.flags[key] is self.given.get(key):
            return self.settings.origin(key)
        adopted = key in self.adopted and self.flags[key] is self.adopted[key]
        return "the conversation" if adopted else "/set"

    async def _connected(self) -> Engine:
        """What serves the chat, made the first time."""
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
        elif self._stale:
            self._engine.session.client = await self._client(self.model)
        self._stale = False
        return self._engine

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

    async def _load(self) -> None:
        """Read the settings under the flags; raises `ConfigurationError`."""
        self._program = await in_thread(lambda: self._compose(self.flags))

    def _apply(self) -> None:
        """Bring the session in line with the settings."""
        if self._engine is not None:
            self._engine.apply(self.settings, self.registry)

    def _started(self) -> Program:
        if self._program is None:
            raise CloudLLMError("the settings are not loaded yet")
        return self._program


def _imported() -> type[Engine]:
    """The class of what serves the chat; it blocks the first time."""
    from cloudllm.repl.engine import Engine  # noqa: PLC0415 - after the first prompt

    return Engine
