"""What became of each plugin, kept in a file so that another process can tell it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudllm.plugins.discovery import Plugin
from cloudllm.words import redact_all

_FORMAT = 1
_LARGEST_FILE = 4_000_000  # bytes; what is larger was not written by us
_MOST_STORIES, _MOST_SEEN, _MOST_FAILURES = 100, 5_000, 5
_LONGEST_OUTPUT, _LONGEST_TRACEBACK, _LONGEST_LINE = 4_000, 6_000, 1_000  # characters

_ATTEMPTS = 50
"""How often, a hundredth of a second apart, another process is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something that went wrong: when (ISO 8601, UTC), the line shown, and the traceback."""

    when: str
    line: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is known of a plugin's last runs; everything is without secrets, not yet escaped.

    version      the version that this was recorded of
    updated      when it last changed: ISO 8601, UTC; empty if nothing was recorded yet
    seconds      how long it took to import and register, the last time
    hooks        the hooks it implements
    notes        what is wrong with it though it works: a misspelt hook, slowness
    printed      how many characters it printed in its last run
    output       the first of them
    failures     the last ones, the newest at the end
    """

    version: str = ""
    updated: str = ""
    seconds: float | None = None
    hooks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    printed: int = 0
    output: str = ""
    failures: tuple[Failure, ...] = ()


@dataclass
class _State:
    """What the file holds."""

    seen: list[str] = field(default_factory=list)
    stories: dict[str, Story] = field(default_factory=dict)


class Stories:
    """The stories of this process over those in `file`; without a file they end with the process.

    Every method may be called from any thread. No trouble with the file is ever raised: a chat does
    not depend on it.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._stories: dict[str, Story] = {}
        self._changed = False

    def of(self, plugin: Plugin) -> Story:
        """The story of the installed version of a plugin."""
        with self._lock:
            known = self._stories.get(plugin.key) or self._read().stories.get(plugin.key, Story())
        return known if known.version in ("", plugin.version) else Story()

    def begin(self, plugin: Plugin) -> None:
        """A new run of the plugin: what it printed in an earlier one, and its notes, are over."""
        if plugin.key not in self._stories:
            self._change(plugin, printed=0, output="", notes=())

    def loaded(self, plugin: Plugin, seconds: float) -> None:
        """Remember how long importing and registering took."""
        self._change(plugin, seconds=round(seconds, 4))

    def implements(self, plugin: Plugin, hooks: Iterable[str]) -> None:
        """Remember which hooks it implements."""
        self._change(plugin, hooks=tuple(sorted(hooks)))

    def note(self, plugin: Plugin, line: str) -> None:
        """Remember something that is wrong with it."""
        with self._lock:
            notes = (*self.of(plugin).notes, line[:_LONGEST_LINE])
            self._change(plugin, notes=notes[-_MOST_FAILURES:])

    def failed(self, plugin: Plugin, line: str, traceback: str) -> None:
        """Remember a failure."""
        failure = Failure(
            when=_now(), line=line[:_LONGEST_LINE], traceback=traceback[-_LONGEST_TRACEBACK:]
        )
        with self._lock:
            failures = (*self.of(plugin).failures, failure)
            self._change(plugin, failures=failures[-_MOST_FAILURES:])

    def printed(
        self, plugin: Plugin, text: str, length: int, secrets: Collection[str] = ()
    ) -> None:
        """Remember what it printed: how much, and the beginning of it, without these secrets."""
        with self._lock:
            story = self.of(plugin)
            output = redact_all(story.output + text, secrets)[:_LONGEST_OUTPUT]
            self._change(plugin, printed=story.printed + length, output=output)

    def save(self) -> None:
        """Write what has changed, over what other processes have written meanwhile."""
        with self._lock:
            if self._changed:
                self._changed = False
                with self._alone():
                    self._write(self._read())

    def unseen(self, plugins: Iterable[Plugin]) -> list[Plugin]:
        """Those of these plugins that no run of cloudllm has seen before; they count as seen now."""
        candidates = list(plugins)
        if not candidates or self._file is None:
            return []
        with self._lock, self._alone():
            state = self._read()
            known = set(state.seen)
            new = [plugin for plugin in candidates if plugin.key not in known]
            if new:
                state.seen += [plugin.key for plugin in new]
                self._write(state)
        return new

    def _change(self, plugin: Plugin, **values: Any) -> None:  # noqa: ANN401 - of any field
        with self._lock:
            self._changed = True
            self._stories[plugin.key] = replace(
                self.of(plugin), version=plugin.version, updated=_now(), **values
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from reading what is about to be replaced; where that can be had."""
        if self._file is None:
            yield
            return
        with ExitStack() as stack:
            with suppress(ImportError, OSError):
                import fcntl  # noqa: PLC0415 - not on every platform

                lock = self._file.with_suffix(".lock")
                lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                stack.callback(os.close, number)
                for _ in range(_ATTEMPTS):  # never for ever: who holds it may be suspended
                    with suppress(BlockingIOError):
                        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    time.sleep(0.01)
            yield

    def _read(self) -> _State:
        """What the file holds; nothing, if that was not written by us."""
        if self._file is None:
            return _State()
        try:
            if self._file.stat().st_size > _LARGEST_FILE:
                return _State()
            return _state(json.loads(self._file.read_text()))
        except (
            OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError,
            RecursionError,
        ):  # fmt: skip
            return _State()

    def _write(self, state: _State) -> None:
        """Replace the file by `state` and the stories of this process, all at once."""
        if self._file is None:
            return
        stories = {**state.stories, **self._stories}
        newest = sorted(stories.items(), key=lambda item: item[1].updated)[-_MOST_STORIES:]
        written = {
            "format": _FORMAT,
            "seen": state.seen[-_MOST_SEEN:],
            "stories": {key: asdict(story) for key, story in newest},
        }
        with suppress(OSError):
            _replace(self._file, json.dumps(written, indent=1))


def _state(value: Mapping[str, Any]) -> _State:
    """The state that JSON holds; raises whatever odd JSON makes it raise."""
    if value["format"] != _FORMAT:
        raise ValueError("another format")
    return _State(
        seen=[str(key) for key in value["seen"]],
        stories={str(key): _story(story) for key, story in value["stories"].items()},
    )


def _story(value: Mapping[str, Any]) -> Story:
    known = {each.name for each in fields(Story)}
    story = Story(**{name: item for name, item in value.items() if name in known})
    failures = tuple(
        Failure(**{name: str(item) for name, item in failure.items()})
        for failure in value.get("failures", ())
    )
    return replace(
        story,
        version=str(story.version),
        updated=str(story.updated),
        seconds=None if story.seconds is None else float(story.seconds),
        printed=int(story.printed),
        output=str(story.output),
        hooks=tuple(map(str, story.hooks)),
        notes=tuple(map(str, story.notes)),
        failures=failures,
    )


def _replace(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with suppress(FileNotFoundError):  # of a process that ended while it wrote
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text)
        new.replace(file)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
