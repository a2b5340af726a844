"""The chat as a plugin's command sees it: every call is brought to the chat's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

from cloudllm.errors import UsageError
from cloudllm.messages import Message, Usage
from cloudllm.plugins.call import Call
from cloudllm.repl.chat import Chat

T = TypeVar("T")


class ChatContext:
    """A `CommandContext` over a chat; its methods block, and must be called off the chat's loop.

    After `stop` everything but reading raises `UsageError`; after `end`, `send` does.
    """

    def __init__(self, chat: Chat, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._chat = chat
        self._loop = loop
        self._name = name
        self._stopped = False
        self._ended = False
        self._sending: set[asyncio.Task[Message]] = set()
        self._work: Call[object] | None = None

    @property
    def model(self) -> str:
        """The model id that the next message goes to."""
        return self._call(lambda: self._chat.model)

    @property
    def history(self) -> tuple[Message, ...]:
        """Every message so far, the system prompt apart."""
        return self._call(lambda: tuple(self._chat.history))

    @property
    def usage(self) -> Usage:
        """Tokens of all replies of this session."""
        return self._call(lambda: session.usage if (session := self._chat.session) else Usage())

    def say(self, text: str) -> None:
        """Show text now; raises `UsageError` when the person has stopped the command."""
        self._act(lambda: self._chat.screen.output(text), text)

    def edit(self, text: str) -> None:
        """Put text into the editor; raises `UsageError` when the person has stopped the command."""
        self._act(lambda: self._chat.screen.put_back(text), text)

    def send(self, text: str) -> Message:
        """Send a user message, show the reply as it comes, and return it.

        Raises:
            UsageError: the command was stopped, or has ended.
            CloudLLMError: no part of a reply came.
        """
        _check_text(text)
        return self._wait(self._send(text))

    def perform(self, work: Callable[[], object]) -> object:
        """Do the command's own work, in a thread that `stop` can end; raises what it raises."""
        call = self._work = Call(work, f"cloudllm-command-{self._name}")
        if self._stopped:
            call.abandon()
        call.wait(None)
        if self._stopped:
            return None
        if call.error is not None:
            raise call.error
        return call.result

    async def stop(self) -> None:
        """The person has stopped the command: it can do nothing more, and ends if it can."""
        self._stopped = True
        await self.end()
        if self._work is not None:
            self._work.abandon()

    async def end(self) -> None:
        """The command is over: what it is sending is stopped, and kept as far as it came."""
        self._ended = True
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, text: str) -> Message:
        if self._ended:
            self._check_running()
            raise UsageError(f"{self._name} is over, so it can't send anything")
        task = asyncio.ensure_future(self._chat.send(text))
        self._sending.add(task)
        try:
            return await task
        finally:
            self._sending.discard(task)

    def _act(self, action: Callable[[], None], text: str) -> None:
        _check_text(text)

        def act() -> None:
            self._check_running()
            action()

        self._call(act)

    def _check_running(self) -> None:
        if self._stopped:
            raise UsageError(f"{self._name} was stopped")

    def _call(self, function: Callable[[], T]) -> T:
        async def call() -> T:
            return function()

        return self._wait(call())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        with suppress(CancelledError):
            return future.result()
        raise UsageError(f"{self._name} was stopped")


def _check_text(text: object) -> None:
    """Blame who gave it, not the chat, which would fail over it later."""
    if not isinstance(text, str):
        raise TypeError(f"text must be str, not {type(text).__name__}")
