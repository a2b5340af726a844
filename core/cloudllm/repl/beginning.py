"""Begins a chat behind its prompt: opens the wanted conversation, loads what is slow, connects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cloudllm.errors import MissingKey, UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.lines import one_line
from cloudllm.repl.opening import Opening
from cloudllm.repl.screen import TerminalScreen

_USUAL = Opening()
_PATIENCE = 1.0  # seconds

_HEAD_START = 0.3
"""Seconds that the store has to itself before litellm is imported, which takes the processor."""


class Beginning:
    """Gets `chat` ready to be talked to; `changed` is called when the status row may be another.

    What goes wrong is told on `screen`, and the chat begins all the same.

    Once it `is_open`, the first message may go out; what is sent before waits.
    """

    def __init__(self, chat: Chat, screen: TerminalScreen, changed: Callable[[], None]) -> None:
        self._chat = chat
        self._screen = screen
        self._changed = changed
        self._opening: asyncio.Task[None] | None = None
        self._loading: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._declined = False
        self.is_open = False

    async def open(self) -> None:
        """Open the conversation that is wanted; have litellm and the plugins loaded meanwhile."""
        from cloudllm import gateway  # noqa: PLC0415 - after the first prompt
        from cloudllm.repl import render  # noqa: PLC0415 - see above

        self._opening = asyncio.ensure_future(self._open())
        await asyncio.wait([self._opening], timeout=_HEAD_START)
        gateway.preload()
        render.preload()
        self._loading = asyncio.ensure_future(self._chat.load_plugins())
        self._loading.add_done_callback(lambda _done: self._changed())
        await asyncio.wait([self._opening], timeout=self._patience)
        self.is_open = True

    def connect(self) -> None:
        """Make the client before it is needed, so that a missing key is said at once."""
        self._connecting = asyncio.ensure_future(self._connect())

    def stop_connecting(self) -> None:
        """Let a turn make the client: Ctrl-C can stop that one."""
        if self._connecting is not None:
            self._connecting.cancel()

    def decline(self) -> None:
        """The person wants none of the ways that were offered to begin without a key."""
        self._declined = True
        self.connect()

    def cancel(self) -> None:
        """The chat ends, begun or not."""
        for task in filter(None, (self._opening, self._loading)):
            task.cancel()

    async def _open(self) -> None:
        try:
            await self._chat.open(person=True)
        except UsageError as error:
            self._screen.notice(f"{error.message[:1].upper()}{str(error)[1:].rstrip('.')}.")
        except Exception as error:  # noqa: BLE001 - a new conversation begins all the same
            self._screen.error(one_line(error))
        self._changed()

    @property
    def _patience(self) -> float | None:
        """Seconds that the first message waits for the opening, if the store is slow."""
        return _PATIENCE if self._chat.opening == _USUAL else None

    async def _connect(self) -> None:
        try:
            await self._chat.connect()
            self._changed()
        except MissingKey as error:
            await self._offer_ways(error)
        except Exception as error:  # noqa: BLE001 - a provider may raise anything
            self._screen.error(one_line(error))

    async def _offer_ways(self, error: MissingKey) -> None:
        """Offer ways to begin without this key, once, to a person who has chosen no model yet."""
        from cloudllm.repl import onboarding  # noqa: PLC0415 - after the first prompt

        if self._declined or not onboarding.is_first_start(self._chat):
            self._screen.error(error)
        else:
            await onboarding.offer(self._chat, error.message)
