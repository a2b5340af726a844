"""Keeps a conversation on disk as it happens: every message, and the reply that is coming in."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cloudllm.errors import StoreDamaged
from cloudllm.events import ReasoningDelta, TextDelta
from cloudllm.messages import Message, Role, Status
from cloudllm.recording import Start
from cloudllm.store import entries, titles
from cloudllm.store.alive import alive
from cloudllm.store.branch import Loaded, uncollected
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.kept import NOTHING, Kept, Place
from cloudllm.store.pending import PAUSE, Change, Pending
from cloudllm.store.running import Running
from cloudllm.store.worker import Worker
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from sqlite3 import Connection

Result = TypeVar("Result")

_BATCH = 0.15  # seconds after the first piece that is unsaved; 250 ms are allowed
_MOST_WAIT = 1.0  # seconds that a turn waits for the disk; the thread goes on
_FOLDING = 0.1  # seconds that the end waits for the log to be folded into the file
_LONG_PAUSE = 2.0  # seconds before what has failed is tried again while no reply is coming in


class Journal:
    """Keeps one conversation at a time in the store at `path`, and goes on whatever the disk does.

    Nothing is opened before the first turn. What can't be written stays in memory and is tried
    again; what is wrong is told to the listeners, once. `folder` is where the conversation is held,
    `patience` how many seconds another process may hold the file, and `clock` gives the time in
    seconds since 1970. It is used in one event loop.
    """

    def __init__(
        self,
        path: Path,
        *,
        folder: str = "",
        patience: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._store = Store(path, patience=patience)
        self._alive = alive(path.parent)
        self._conversations = Conversations(self._store, clock=clock)
        self._worker = Worker(self._store.close)
        self._pending = Pending(self._store, self._tell_soon)
        self._listeners: list[Callable[[str], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = False
        self._again = False
        self._ended = False
        self._broken_off: Running | None = None
        self._kept: Kept | None = None
        self._path: list[Place] = []
        self._unanswered: Place | None = None

    def listen(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called, in the event loop, with a line for the user."""
        self._listeners.append(listener)

    @property
    def key(self) -> str | None:
        """Names the conversation among all; `None` before its first message."""
        return None if self._kept is None else self._kept.key

    @property
    def lacks_message(self) -> bool:
        """Is a message that it was told of not on disk yet?"""
        return self._pending.lacks_message

    @property
    def cannot_save(self) -> bool:
        """Is a message not on disk because it could not be written?"""
        return self._pending.failing and self._pending.lacks_message

    @property
    def unanswered(self) -> str:
        """The user message at the end of the branch that has no reply; "" if there is none."""
        return "" if self._unanswered is None else self._unanswered.message.content

    def resume(self, loaded: Loaded) -> None:
        """Go on with that conversation: what follows is written behind its branch."""
        self._let_go()
        entry = loaded.entry
        self._kept = Kept(
            key=entry.key,
            title=entry.title,
            folder=entry.folder,
            created=entry.created,
            alive=self._alive,
            model=entry.model,
            system_prompt=loaded.system_prompt,
            id=entry.id,
            head=loaded.head or NOTHING,
        )
        place = None
        with uncollected():
            for message, at in zip(loaded.messages, loaded.ids, strict=True):
                place = Place(message, place, entry.created, at, self._kept.era)
                self._path.append(place)
        if loaded.unanswered_id is not None:
            message = Message(Role.USER, loaded.unanswered)
            at = loaded.unanswered_id
            self._unanswered = Place(message, place, entry.created, at, self._kept.era)
        now = self._now()
        self._put(self._kept, partial(self._kept.claim, folder=self._folder, now=now))

    async def ask(self, job: Callable[[Conversations], Result]) -> Result:
        """Run `job` in the thread of the store, after all that is to be written; raises as it does."""
        self._loop = asyncio.get_running_loop()

        def run() -> Result:
            self._pending.write()
            try:
                return job(self._conversations)
            except StoreDamaged as error:
                self._pending.notice(str(error))
                return job(self._conversations)  # of a new file

        return await in_thread(run, start=self._worker.put)

    async def place(self, end: int | None = None) -> int | None:
        """The message on disk with which this chat's history ends, whatever another chat goes on with.

        It is the one without a reply, if there is one; with `end` the last of so many messages of
        the history. `None` is the beginning. Raises `StoreError`.
        """
        at = self._unanswered or self._last() if end is None else self._before(end)
        kept = self._kept
        return await self.ask(lambda _: None if kept is None else kept.on_disk(at))

    async def begin(self, start: Start, *, model: str, system_prompt: str) -> None:
        """A turn is about to go out: have its user message on disk when this returns."""
        running = self._started(start, model)
        running.kept.model, running.kept.system_prompt = model, system_prompt
        self._put(running.kept, running.begin, durable=True)
        self._pending.running = running
        await self.saved()

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        """A piece of the reply has come; it is on disk within 250 ms, if the disk allows."""
        running = self._pending.running
        if running is None:
            return
        running.add(delta)
        if not self._due:
            self._due = True
            self._worker.put_later(_BATCH, self._write_pieces)

    def settle(self, keep: int, messages: Sequence[Message]) -> None:
        """The turn that began is over: these stand in the history from `keep` on, the reply last."""
        running = self._pending.running
        is_whole = bool(messages) and messages[-1].status is Status.COMPLETE
        if running is None or (running is self._broken_off and not is_whole):
            return
        self._pending.running = None
        if not messages:
            self._put(running.kept, running.take_back)
            if running.first:
                self._kept, self._path = None, []
            return
        turn = self._placed(running, messages)
        self._path[keep:] = turn
        self._unanswered = None
        change = partial(running.settle, place=turn[-1], now=self._now())
        self._put(running.kept, change, durable=True)

    async def saved(self) -> None:
        """Wait until all that it was told before is on disk, for a second at most."""
        self._loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout(_MOST_WAIT):
                await in_thread(self._write, start=self._worker.put)
        self._tell()

    def cut(self, keep: int) -> None:
        """The history ends before `keep` now; what followed stays as a branch."""
        if keep < len(self._path) and self._kept is not None:
            del self._path[keep:]
            self._unanswered = None
            self._put(self._kept, partial(self._move, self._kept, self._last()))

    def clear(self) -> None:
        """The history is empty now, and the next message begins a conversation of its own."""
        self._let_go()

    def append(self, message: Message) -> None:
        """A message was added without a turn."""
        kept = self._kept or self._new(message)
        place = Place(message, self._last(), self._now())
        self._path.append(place)
        self._unanswered = None
        self._put(kept, partial(self._move, kept, place), durable=True)

    def pin(self, place: int, pinned: bool) -> None:  # noqa: FBT001 - reads well
        """The turn that begins at `place` is pinned, or is so no longer."""
        if self._kept is None or place >= len(self._path):
            return
        end = place + 1
        while end < len(self._path) and self._path[end].message.role is not Role.USER:
            end += 1
        turn = self._path[place:end]
        for each in turn:
            each.message = replace(each.message, pinned=pinned and each is turn[0])
        self._put(self._kept, partial(self._kept.pin, turn=turn))

    def break_off(self) -> None:
        """The program is ended from outside: a reply that is coming in is cut, as by a crash.

        The next chat puts it together, unless all of it has come by now.
        """
        self._broken_off = self._pending.running

    def close(self, seconds: float) -> None:
        """Write what is still to be written, for so many seconds at most, and close the file.

        If nobody else has it open, its log is folded into it then, so that the file holds all; where
        that takes too long it is left to the next one.

        A reply that is not settled by then is one that was broken off, as after a crash.
        """
        self._ended = True
        if self._kept is not None and self._pending.running is None:
            self._put(self._kept, self._kept.release)
        end = time.monotonic() + seconds
        written, closed = threading.Event(), threading.Event()

        def write() -> None:
            self._pending.write()
            if self._pending.failing and time.monotonic() + PAUSE < end:
                self._worker.put_later(PAUSE, write)
            else:
                written.set()
                self._store.close()
                closed.set()

        self._worker.put(write)
        if written.wait(seconds):
            closed.wait(_FOLDING)
        self._tell()

    def _started(self, start: Start, model: str) -> Running:
        """Find the place of a turn: its first messages are there already if it is run again."""
        if self._pending.running is not None:
            self.settle(start.keep, ())
        is_new = self._kept is None
        kept = self._kept or self._new(start.head[0])
        head = self._known(start)
        new = [] if head else self._chain(self._before(start.keep), start.head)
        head = head or new
        return Running(
            kept=kept,
            place=Place(Message(Role.ASSISTANT, "", model=model), head[-1], self._now()),
            head=head,
            new=new,
            first=is_new,
            continued=start.continued,
        )

    def _known(self, start: Start) -> list[Place]:
        """The messages that the reply follows, if they are on the branch already."""
        known = self._path[start.keep : start.keep + len(start.head)]
        if self._unanswered is not None and start.keep == len(self._path):
            known = [self._unanswered]
        said = [(each.role, each.content) for each in start.head]
        same = said == [(each.message.role, each.message.content) for each in known]
        return known if same else []

    def _placed(self, running: Running, messages: Sequence[Message]) -> list[Place]:
        """The turn as it ended; what came between its beginning and the reply comes before it."""
        head = list(running.head)
        between = self._chain(head[-1], messages[len(head) : -1])
        place = running.place
        if between:
            place = Place(messages[-1], between[-1], place.created)
        else:
            place.message = messages[-1]
        return [*head, *between, place]

    def _chain(self, before: Place | None, messages: Sequence[Message]) -> list[Place]:
        found: list[Place] = []
        for message in messages:
            before = Place(message, before, self._now())
            found.append(before)
        return found

    def _before(self, keep: int) -> Place | None:
        return self._path[min(keep, len(self._path)) - 1] if keep and self._path else None

    def _last(self) -> Place | None:
        return self._path[-1] if self._path else None

    def _new(self, message: Message) -> Kept:
        now = self._now()
        self._kept = Kept(
            key=entries.new_key(now),
            title=titles.title_of(message.content),
            folder=self._folder,
            created=now,
            alive=self._alive,
        )
        return self._kept

    def _let_go(self) -> None:
        """Leave the conversation, if there is one."""
        if self._kept is not None:
            self._put(self._kept, self._kept.release)
        self._kept, self._path, self._unanswered = None, [], None

    def _move(self, kept: Kept, place: Place | None, connection: Connection) -> None:
        kept.hold(connection)
        kept.move(connection, place, self._now())

    def _put(
        self, kept: Kept, make: Callable[[Connection], None], *, durable: bool = False
    ) -> None:
        self._pending.put(Change(kept, make, durable))
        self._worker.put(self._write)

    def _write(self) -> None:
        self._pending.write()
        self._try_again()

    def _write_pieces(self) -> None:
        """Write what has come; in the thread, so that a busy event loop delays nothing."""
        self._due = False
        if not self._pending.rests:
            self._pending.write()
        self._try_again()

    def _try_again(self) -> None:
        """If it has failed, do so later, as long as this chat has not ended."""
        if self._pending.failing and not (self._again or self._ended):
            self._again = True
            pause = _LONG_PAUSE if self._pending.running is None else PAUSE
            self._worker.put_later(pause, self._write_again)

    def _write_again(self) -> None:
        self._again = False
        self._write()

    def _tell_soon(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # it is closed: they are told when there is one again
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        while self._pending.notices:
            line = self._pending.notices.popleft()
            for listener in self._listeners:
                listener(line)

    def _now(self) -> int:
        return round(self._clock() * 1000)
