"""Keeps the unsent draft on disk while it is written, and brings back the one of a chat that died."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cloudllm.errors import StoreDamaged, StoreError
from cloudllm.repl.buffer import DraftBuffer, without
from cloudllm.threads import in_thread

if TYPE_CHECKING:  # they take a while, and the first key comes before them
    from cloudllm.store.drafts import Drafts
    from cloudllm.store.worker import Worker

_MOMENT, _PERIOD = 0.05, 0.15
"""Seconds from a key to the writing, for the echo comes first, and from that to the next."""

_HUGE = 1_000_000
"""A draft of so many characters is written half as often, a longer one less often still."""

_AFTER_FAILURE = 10.0  # seconds
_PATIENCE = 2.0  # seconds that a writer waits for other processes
_ENDING = 0.3  # seconds that leaving waits for the last write

_BACK = "A draft that was not sent is back in the editor; Ctrl-C clears it."


class DraftJournal:
    """The journal of what stands in the editor; `tell` gets a line when a draft comes back.

    `under_way` gives what was sent and is not on disk yet: it is kept ahead of what stands in the
    editor, until `look` finds that it need be no more. What must not be kept, such as a secret,
    takes the draft off the disk.
    """

    def __init__(
        self,
        editor: DraftBuffer,
        tell: Callable[[str], None],
        under_way: Callable[[], str] = lambda: "",
    ) -> None:
        self._editor = editor
        self._tell = tell
        self._under_way = under_way
        self._drafts: Drafts
        self._worker: Worker
        self._changed = asyncio.Event()
        self._found = ""
        self._sent = ""  # what a crash may have left as a draft, and in the conversation too
        self._came_back = ""
        self._kept: str | None = None  # what is on disk, if that is known
        self._pause = _PERIOD
        self._watching: asyncio.Task[None] | None = None
        self._is_loaded = self._has_failed = False

    def start(self) -> None:
        """Bring a draft back, then write what changes, until `finish`; in the event loop."""
        self._watching = asyncio.ensure_future(self._watch())

    def look(self) -> None:
        """Something that was sent is on disk now: it is a draft no more."""
        self._changed.set()

    def was_sent(self, draft: str) -> None:
        """Take this off the beginning of what came back: the conversation has it already."""
        self._sent = draft
        self._found = without(self._found, draft)
        came_back, self._came_back = self._came_back, ""
        if without(came_back, draft) != came_back:
            self._editor.take_off(draft)

    async def finish(self) -> bool:
        """Write the last state; is there a draft on disk?"""
        if self._watching is not None:
            self._watching.cancel()
        if self._is_loaded:
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(_ENDING):
                    await self._write()
                    await in_thread(self._drafts.close, self._worker.put)
        return bool(self._kept)

    async def _watch(self) -> None:
        await in_thread(self._open)
        await self._load()
        self._editor.on_text_changed += lambda _editor: self._changed.set()
        self._is_loaded = True
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._bring_back()
            await asyncio.sleep(_MOMENT)
            await self._write()
            await asyncio.sleep(self._pause)

    def _open(self) -> None:
        from cloudllm.store.database import Store, default_path  # noqa: PLC0415 - after the first prompt
        from cloudllm.store.drafts import Drafts  # noqa: PLC0415 - see above
        from cloudllm.store.worker import Worker  # noqa: PLC0415 - see above

        self._drafts = Drafts(Store(default_path(), patience=_PATIENCE))
        self._worker = Worker(self._drafts.close)

    async def _load(self) -> None:
        try:
            found = await in_thread(self._drafts.load, self._worker.put)
        except StoreError as error:
            found = ""
            self._fail(error)
        self._kept, self._found = found, without(found, self._sent)

    def _bring_back(self) -> None:
        if self._found and not self._editor.is_answer:
            self._came_back, self._found = self._found, ""
            self._editor.put_ahead(self._came_back)
            self._tell(_BACK)

    async def _write(self) -> None:
        # What was found waits, while a question is open, for the editor to be free.
        parts = (self._found, self._under_way(), self._editor.to_keep())
        draft = "\n".join(filter(None, parts))
        if draft == self._kept:
            return
        self._kept = None
        try:
            await in_thread(partial(self._drafts.save, draft), self._worker.put)
        except StoreError as error:
            self._fail(error)
        else:
            self._kept = draft
            self._pause = _PERIOD * (1 + len(draft) // _HUGE)

    def _fail(self, error: StoreError) -> None:
        self._changed.set()  # it is tried again, also if nothing more is typed
        if isinstance(error, StoreDamaged):  # there is a new file to write into
            self._tell(str(error))
            return
        self._pause = _AFTER_FAILURE
        if not self._has_failed:
            self._has_failed = True
            self._tell(f"What you write is not kept against a crash: {error}")
