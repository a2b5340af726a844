"""Keeps the status row true: after each turn what it used and cost, what is left, what plugins say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from cloudllm.accounts import Standing
from cloudllm.messages import Cost
from cloudllm.repl.chat import Chat
from cloudllm.repl.statusrow import StatusRow, tokens_text
from cloudllm.repl.toolbar import Toolbar
from cloudllm.repl.wording import priced
from cloudllm.session import LLMSession

_NEAR = 80
"""Percent of a budget from which on it is said how much of it is used."""


class StatusKeeper:
    """Fills the row of a chat, and calls `changed` when there is something new to see."""

    def __init__(self, chat: Chat, row: StatusRow, changed: Callable[[], None]) -> None:
        self._chat = chat
        self._row = row
        self._changed = changed
        self._toolbar = Toolbar(chat.registry.plugins, chat.settle)
        self._window: tuple[str, int | None] = "", None  # of which model
        self._standings: tuple[Standing, ...] = ()
        # Apart: a plugin may take its time, and no number is to be wrong so long.
        self._works = _Work(self._ask), _Work(self._ask_plugins)

    def renew(self) -> None:
        """Something has changed: show at once what is known, and what must be asked for later."""
        self._show()
        for work in self._works:
            work.want()

    def close(self) -> None:
        """Ask for nothing more."""
        for work in self._works:
            work.stop()

    async def _ask(self) -> None:
        """Ask for what takes a while."""
        session = self._chat.session
        if session is not None:
            self._window = session.client.id, await _window(session)
            self._standings = await self._chat.standings()
        self._show()

    async def _ask_plugins(self) -> None:
        self._row.plugins = await self._toolbar.texts()
        self._changed()

    def _show(self) -> None:
        chat, row, session = self._chat, self._row, self._chat.session
        row.parts = chat.settings.repl.status
        row.model = chat.model
        marks = {"private": chat.private, "plain": not chat.settings.repl.markdown}
        row.marks = [*(name for name, holds in marks.items() if holds), *_near(self._standings)]
        if session is not None:
            model, window = self._window
            row.tokens = _tokens(session, window if model == session.client.id else None)
            row.cost = "" if session.cost == Cost() else priced(session.cost)
        self._changed()


class _Work:
    """Something that is done as often as what it asks for may have changed, one at a time."""

    def __init__(self, do: Callable[[], Awaitable[None]]) -> None:
        self._do = do
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def want(self) -> None:
        """Do it; once more, if it is under way."""
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())

    def stop(self) -> None:
        """Do it no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._again:
            self._again = False
            await self._do()


async def _window(session: LLMSession) -> int | None:
    try:
        return await session.limit()
    except Exception:  # noqa: BLE001 - a provider may raise anything; it is said when it matters
        return None


def _tokens(session: LLMSession, window: int | None) -> str:
    reply = session.last_reply
    if reply is None:
        return tokens_text(0, window, estimated=False)
    if reply.usage is None:
        return tokens_text(None, window, estimated=False)
    estimated = reply.usage.estimated or reply.model != session.client.id
    return tokens_text(reply.usage.total_tokens, window, estimated=estimated)


def _near(standings: Iterable[Standing]) -> list[str]:
    """A mark for each budget of which most is used."""
    percents = ((each.name, _percent(each)) for each in standings)
    return [f"{name} budget {percent}%" for name, percent in percents if percent >= _NEAR]


def _percent(standing: Standing) -> int:
    return 100 * standing.spent // standing.limit if standing.limit else 100
