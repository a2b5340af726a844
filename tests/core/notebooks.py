"""A record in memory: what a session told it, word by word, and the history that follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from cloudllm import Message, ReasoningDelta, TextDelta
from cloudllm.recording import Start


class Notebook:
    """Writes down each call and, from these alone, keeps the history; wrong calls fail the test.

    lines    the names of the calls, those of events that `hear` is given among them
    starts   what each turn began with: the start, the model and the system prompt
    pieces   what came of the reply under way
    gates    the asynchronous calls that wait, by name, until their event is set
    waiting  is set when one of them has come to its gate
    """

    def __init__(self) -> None:
        self.lines: list[object] = []
        self.history: list[Message] = []
        self.starts: list[tuple[Start, str, str]] = []
        self.pieces: list[TextDelta | ReasoningDelta] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.waiting = asyncio.Event()
        self._open: Start | None = None

    async def begin(self, start: Start, *, model: str, system_prompt: str) -> None:
        assert self._open is None
        there = self.history[start.keep :]
        assert not there or there[: len(start.head)] == list(start.head)
        assert start.continued is None or there == [*start.head, start.continued]
        self.lines.append("begin")
        self.starts.append((start, model, system_prompt))
        self._open, self.pieces = start, []
        await self._pass("begin")

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        assert self._open is not None
        assert delta.text
        self.lines.append(f"add {delta.text}")
        self.pieces.append(delta)

    def settle(self, keep: int, messages: Sequence[Message]) -> None:
        assert self._open is not None
        assert keep == self._open.keep
        self.lines.append("settle" if messages else "settle with nothing")
        if messages:
            self._check(self._open, messages)
            self.history[keep:] = messages
        else:
            assert not self.pieces
        self._open = None

    async def saved(self) -> None:
        assert self._open is None
        self.lines.append("saved")
        await self._pass("saved")

    def cut(self, keep: int) -> None:
        assert self._open is None
        self.lines.append(f"cut {keep}")
        del self.history[keep:]

    def clear(self) -> None:
        assert self._open is None
        self.lines.append("clear")
        self.history.clear()

    def append(self, message: Message) -> None:
        assert self._open is None
        self.lines.append(f"append {message.content}")
        self.history.append(message)

    def pin(self, place: int, pinned: bool) -> None:
        assert self._open is None
        self.lines.append(f"{'pin' if pinned else 'unpin'} {place}")

    def _check(self, start: Start, messages: Sequence[Message]) -> None:
        """The reply is made of the pieces, and of what it goes on with."""
        *head, reply = messages
        assert tuple(head) == start.head
        before = start.continued
        text = "".join(each.text for each in self.pieces if isinstance(each, TextDelta))
        thought = "".join(each.text for each in self.pieces if isinstance(each, ReasoningDelta))
        assert reply.content == (before.content if before else "") + text
        known = [before.reasoning] if before else []
        assert reply.reasoning == "\n\n".join(filter(None, [*known, thought]))

    async def _pass(self, name: str) -> None:
        if name not in self.gates:
            await asyncio.sleep(0)
            return
        self.waiting.set()
        await self.gates[name].wait()
