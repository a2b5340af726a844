"""A plugin that is told of turns: in a thread of its own, so that no reply ever waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue

from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.events import Event, TurnInfo
from cloudllm.messages import Message
from cloudllm.plugins import Plugin, Plugins
from cloudllm.plugins.wording import Hangs
from cloudllm.words import one_line

EVENT, REPLY = "cloudllm_event", "cloudllm_reply"
_MARK = ""
"""Stands in the queue for no hook, but for "everything before this is dealt with"."""

MOST_WAITING = 10_000
"""Events that may wait for a slow plugin; further ones are dropped, but never a reply."""

_FAILURES = 3
"""Exceptions of a hook after which it is off."""

_SLICE = 0.05
"""Seconds that one guarded call goes on taking what comes: a thread for each would cost more."""

_IDLE = 1.0
"""Seconds without anything to tell after which the thread ends, so that a session leaves none."""

_EVENT_PATIENCE = 0.25
"""Seconds that the end of a program waits where only events are left to tell."""

_LONGEST = 180  # characters of what went wrong

Hook = Callable[..., object]
_Item = tuple[str, Mapping[str, object]]


class Listener:
    """One plugin's hooks for events and replies; `changed` is called when one is switched off.

    `event` and `reply` may be called from any thread; they never block and never raise.
    """

    def __init__(
        self,
        plugins: Plugins,
        plugin: Plugin,
        hooks: Mapping[str, Hook],
        changed: Callable[[], None],
    ) -> None:
        self._plugins = plugins
        self.plugin = plugin
        self._hooks = dict(hooks)
        self._changed = changed
        self._failures = dict.fromkeys(hooks, 0)
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._held: _Item | None = None
        self._missed: TurnInfo | None = None
        self._said: TurnInfo | None = None
        self._thread: threading.Thread | None = None
        self._state = threading.Condition()
        self._replies = 0
        self._passed: _Item | None = None

    @property
    def wants_events(self) -> bool:
        """Is there a hook for events that is not switched off?"""
        return EVENT in self._hooks

    def event(self, event: Event, turn: TurnInfo) -> None:
        """Queue an event, unless too many wait already."""
        if EVENT not in self._hooks:
            return
        if self._queue.qsize() < MOST_WAITING:
            self._put((EVENT, {"event": event, "turn": turn}))
        else:
            self._missed = turn

    def reply(self, reply: Message, turn: TurnInfo) -> None:
        """Queue a reply, however many events wait."""
        with self._state:
            if REPLY not in self._hooks:
                return
            self._replies += 1
        self._put((REPLY, {"reply": reply, "turn": turn}))

    def settle(self, seconds: float) -> None:
        """Wait until everything so far is dealt with; not as long where no reply is among it."""
        mark: _Item = (_MARK, {})
        with self._state:
            if self._thread is None:  # it has dealt with everything, or there never was anything
                return
            self._queue.put(mark)
            patience = seconds if self._replies else min(seconds, _EVENT_PATIENCE)
            self._state.wait_for(lambda: self._passed is mark or not self._hooks, patience)

    def finish(self, seconds: float) -> None:
        """Do so for the last time, and say so if a reply is cut off."""
        self.settle(seconds)
        if self._replies:
            self._say(f"{REPLY} was still at work at the end, and is cut off")

    def _put(self, item: _Item) -> None:
        with self._state:
            self._queue.put(item)
            if self._thread is None:
                name = f"cloudllm-listener-{self.plugin.label}"
                self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while self._hooks:
            item = self._held or self._next()
            if item is None:
                return
            self._held = None
            self._deal_with(item)
            if self._missed != self._said:
                self._said = self._missed
                self._say(f"{EVENT} is too slow for this turn and misses events")

    def _next(self) -> _Item | None:
        """What came next; `None` after a while in which nothing did, and the thread is to end."""
        with suppress(Empty):
            return self._queue.get(timeout=_IDLE)
        with self._state:
            with suppress(Empty):
                return self._queue.get_nowait()
            self._thread = None
        return None

    def _deal_with(self, item: _Item) -> None:
        name, hook = item[0], self._hooks.get(item[0])
        if hook is None:  # a mark, or it was switched off meanwhile
            with self._state:
                self._passed = item
                self._state.notify_all()
            return
        try:
            self._plugins.guard(self.plugin, name, lambda: self._consume(item, hook))
        except Hangs as error:
            self._say(
                f"{words_of(self.plugin, error)}. It is told of no more turns in this session"
            )
            self._switch_off(*self._hooks)
        except PluginError as error:
            self._failures[name] += 1
            last = self._failures[name] == _FAILURES
            end = f". It is off for the rest of this session, after {_FAILURES} failures"
            self._say(f"{words_of(self.plugin, error)}{end if last else ''}")
            if last:
                self._switch_off(name)

    def _consume(self, item: _Item | None, hook: Hook) -> None:
        """Call the hook with this item and those of its kind that come soon; in the guard."""
        end = time.monotonic() + _SLICE
        while item is not None:
            try:
                hook(**item[1])
            finally:
                if item[0] == REPLY:
                    self._settle_reply()
            item = self._follower(item[0], end - time.monotonic())

    def _follower(self, name: str, seconds: float) -> _Item | None:
        """The next item, if it comes in time and is one of this kind."""
        if seconds <= 0 or name not in self._hooks:
            return None
        try:
            item = self._queue.get(timeout=seconds)
        except Empty:
            return None
        if item[0] == name:
            return item
        self._held = item
        return None

    def _settle_reply(self) -> None:
        with self._state:
            self._replies = max(0, self._replies - 1)  # it may be off, and forgotten

    def _switch_off(self, *names: str) -> None:
        with self._state:
            for name in names:
                self._hooks.pop(name, None)
            if REPLY not in self._hooks:
                self._replies = 0
            self._state.notify_all()
        self._changed()

    def _say(self, line: str) -> None:
        self._plugins.notify(self.plugin, f"{line}.")


def words_of(plugin: Plugin, error: CloudLLMError) -> str:
    """What an error says, without the name that `notify` puts before it, and with room behind."""
    words = error.message.removeprefix(f"plugin {plugin}").lstrip(": ").rstrip(".")
    return one_line(words, _LONGEST)
