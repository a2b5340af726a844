"""Who printed what during a chat: it goes into the plugin's story, and one line tells of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from cloudllm import streams
from cloudllm.plugins.discovery import Plugin

_PERIOD = 1.0
"""Seconds after which what was printed outside of any guarded call is told at the latest."""

_OURSELVES = "cloudllm"
_CALLERS = 4
"""Frames between `_printers` and who prints: this module's and those of `cloudllm.streams`."""

_BACKGROUND = "a thread or process of it"

_running: ContextVar[Plugin | None] = ContextVar("cloudllm-plugin", default=None)

Printers = tuple[Plugin, ...]
"""Who printed something: one plugin, or several of which it was one."""

Keep = Callable[[Plugin, str, int], None]
Tell = Callable[[Plugin, str], None]
TellShared = Callable[[Printers, str, str], None]


class Printing:
    """Attributes all that comes into the sink of `cloudllm.streams` while there is one.

    `keep` gets the plugin, the beginning of a text and the length of all of it; `tell` gets a line
    to be shown. Of each plugin one line tells for each thing it does, however often it prints.
    Where it can be any of several plugins, `tell_shared` gets them, one line, and the text.
    """

    def __init__(self, keep: Keep, tell: Tell, tell_shared: TellShared) -> None:
        self._keep = keep
        self._tell = tell
        self._tell_shared = tell_shared
        self._lock = threading.RLock()  # a finalizer may print while it is held
        self._guarded: list[Plugin] = []
        self._loaded: dict[str, Plugin] = {}
        self._untold: dict[Printers, int] = {}
        self._shared: dict[Printers, str] = {}
        self._told: set[tuple[Printers, str]] = set()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def during(self, plugin: Plugin, what: str) -> Iterator[None]:
        """The time of a guarded call, seen from the thread that waits for it."""
        self._attend()
        with self._lock:
            self._guarded.append(plugin)
            self._loaded[plugin.module] = plugin
            if not plugin.bundled:
                self._loaded.setdefault(plugin.module.partition(".")[0], plugin)
        try:
            yield
        finally:
            self._take()
            with self._lock:
                self._guarded.remove(plugin)
            self._report(plugin, what)
            self._report_shared()

    def entered(self, plugin: Plugin) -> None:
        """Called in the plugin's thread: what this context prints from now on is the plugin's."""
        _running.set(plugin)

    def settle(self) -> None:
        """Attribute and tell everything that has come so far."""
        self._take()
        with self._lock:
            alone = [printers[0] for printers in self._untold if len(printers) == 1]
            waiting = [plugin for plugin in alone if plugin not in self._guarded]
        for plugin in waiting:
            self._report(plugin, _BACKGROUND)
        self._report_shared()

    def _attend(self) -> None:
        """Be the one who is told what is printed, and look once in a while what else came."""
        sink = streams.sink()
        if sink is None:
            return
        sink.hear = self._hear
        with self._lock:
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._watch, name="cloudllm-output", daemon=True
                )
                self._watcher.start()

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(_PERIOD):
            self.settle()

    def _hear(self, text: str) -> None:
        plugin = _running.get()
        self._note((plugin,) if plugin else self._printers(), text, len(text))

    def _take(self) -> None:
        """Look at what came by file descriptor; it can be anybody's who is running now."""
        sink = streams.sink()
        text, length = sink.take() if sink is not None else ("", 0)
        if not length:
            return
        self._note(self._suspects(), text, length)

    def _suspects(self) -> Printers:
        """Those who are running in a guard, or else all; of what ships with cloudllm, nobody."""
        with self._lock:
            running = [plugin for plugin in self._guarded if not plugin.bundled]
            loaded = [plugin for plugin in self._loaded.values() if not plugin.bundled]
            return tuple(sorted({*(running or loaded)}, key=lambda plugin: plugin.key))

    def _note(self, printers: Printers, text: str, length: int) -> None:
        if not printers:
            return
        if len(printers) == 1:
            self._keep(printers[0], text, length)
        with self._lock:
            self._untold[printers] = self._untold.get(printers, 0) + length
            if len(printers) > 1:
                self._shared.setdefault(printers, text)

    def _report(self, plugin: Plugin, what: str) -> None:
        if line := self._line((plugin,), what):
            self._tell(plugin, line)

    def _report_shared(self) -> None:
        with self._lock:
            waiting = [each for each in self._untold if len(each) > 1]
        for printers in waiting:
            if line := self._line(printers, "one of the plugins " + ", ".join(map(str, printers))):
                self._tell_shared(printers, line, self._shared[printers])

    def _line(self, printers: Printers, what: str) -> str:
        """What has not been told yet, in a line; nothing if it was told of `what` before."""
        with self._lock:
            length = self._untold.pop(printers, 0)
            if not length or (printers, what) in self._told:
                return ""
            self._told.add((printers, what))
        noun = "character" if length == 1 else "characters"
        return (
            f"{what} printed {length:,} {noun}, kept out of the chat; cloudllm plugins show"
            f" {printers[0].label} shows them"
        )

    def _printers(self) -> Printers:
        """The loaded plugin whose code is running here, or whose exception is being shown.

        In a thread that neither a plugin's code nor ours is in, it can be anybody's who is running.
        """
        error = sys.exc_info()[1]
        last = error.__traceback__ if error else None
        frames: list[FrameType] = []
        while last is not None:
            frames.append(last.tb_frame)
            last = last.tb_next
        frame: FrameType | None = sys._getframe(_CALLERS)  # noqa: SLF001 - as logging does it
        while frame is not None:
            frames.append(frame)
            frame = frame.f_back
        modules = [str(each.f_globals.get("__name__", "")) for each in frames]
        owner = next(filter(None, map(self._owner, modules)), None)
        if owner is not None:
            return (owner,)
        ours = any(module.startswith(f"{_OURSELVES}.") for module in modules)
        return () if ours else self._suspects()

    def _owner(self, module: str) -> Plugin | None:
        """The plugin that this module, or a package above it, belongs to."""
        while module:
            if module in self._loaded:
                return self._loaded[module]
            module = module.rpartition(".")[0]
        return None
