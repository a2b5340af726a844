"""Has a plugin write: it runs in its guard, and what it reads comes from the thread that asked.

A conversation comes out of the store, which one thread alone may use; a plugin runs in another. So
while the plugin is waited for, this thread is at its service, and the time that it takes to read is
not the plugin's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue

from cloudllm.archive import Archive
from cloudllm.errors import PluginError
from cloudllm.exporting.offers import Offer
from cloudllm.hooks import ask_plugin
from cloudllm.plugins import Plugins
from cloudllm.plugins.call import current_call
from cloudllm.words import kind_of

_ENOUGH = 1 << 18  # characters that are taken in one call
_OVER = object()
_SOON = 0.2  # seconds after which no further piece is waited for in the same call


def pieces(plugins: Plugins, offer: Offer, archives: Iterable[Archive]) -> Iterator[str]:
    """What the exporter writes, in pieces; see `Exporters.write`."""
    what = f"exporter {offer.exporter.name}"
    source = _Source(iter(archives))
    writer = _Writer(partial(offer.exporter.write, source), f"plugin {offer.plugin}: {what}")
    try:
        while not writer.over:
            yield source.serve(partial(ask_plugin, plugins, offer.plugin, what, writer.some))
    finally:
        source.close()


class _Writer:
    """Takes pieces from what the plugin's function gives; inside the guard."""

    def __init__(self, write: Callable[[], Iterable[str]], name: str) -> None:
        self.over = False
        self._write = write
        self._name = name
        self._written: Iterator[object] | None = None

    def some(self) -> str:
        """The next pieces, as one."""
        if self._written is None:
            self._written = iter(self._checked(self._write()))
        found, size, end = [], 0, time.monotonic() + _SOON
        # Pieces without text do not count: one that gives them for ever must run into its deadline.
        while not size or (size < _ENOUGH and time.monotonic() < end):
            piece = next(self._written, _OVER)
            if piece is _OVER:
                self.over = True
                break
            if not isinstance(piece, str):
                raise PluginError(f"{self._name} gave {kind_of(piece)}, which is no text")
            found.append(piece)
            size += len(piece)
        return "".join(found)

    def _checked(self, written: object) -> Iterable[str]:
        if isinstance(written, str):  # one piece; it would be taken character by character
            return (written,)
        if not isinstance(written, Iterable):
            raise PluginError(f"{self._name} gave {kind_of(written)}, not text in pieces")
        return written


class _Source:
    """The conversations as the plugin gets them; `serve` reads them for it, in its own thread."""

    def __init__(self, archives: Iterator[Archive]) -> None:
        self._archives = archives
        self._asked: SimpleQueue[Callable[[], str] | None] = SimpleQueue()
        self._answers: SimpleQueue[Archive | None] = SimpleQueue()
        self._error: Exception | None = None
        self._over = False

    def __iter__(self) -> Iterator[Archive]:
        return self

    def __next__(self) -> Archive:
        call = current_call()
        with call.paused() if call else nullcontext():
            answer = None if self._over else self._next()
        if answer is None:
            raise StopIteration
        return answer

    def _next(self) -> Archive | None:
        self._asked.put(None)
        answer = self._answers.get()
        self._over = answer is None
        return answer

    def serve(self, write: Callable[[], str]) -> str:
        """What `write` gives; it runs in a thread of its own, and may read from this."""

        def run() -> None:
            try:
                result = write()
            except BaseException as error:  # noqa: BLE001 - it is raised again below
                self._asked.put(partial(_raised, error))
            else:
                self._asked.put(lambda: result)

        run_here = partial(copy_context().run, run)
        threading.Thread(target=run_here, name="cloudllm-export", daemon=True).start()
        while (outcome := self._asked.get()) is None:
            self._answers.put(self._read())
        if self._error is not None:
            raise self._error
        return outcome()

    def close(self) -> None:
        """Nobody serves any more: whoever still reads finds the end."""
        self._over = True
        self._answers.put(None)

    def _read(self) -> Archive | None:
        """The next conversation; an error is the store's, not the plugin's, and ends it all."""
        try:
            return next(self._archives, None)
        except Exception as error:  # noqa: BLE001 - it is raised again where the export is asked for
            self._error = error
            return None


def _raised(error: BaseException) -> str:
    raise error
