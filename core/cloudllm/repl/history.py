"""What was typed before: kept in a private file that prompt_toolkit's own `FileHistory` can read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from prompt_toolkit.history import History

try:
    import fcntl
except ImportError:  # Windows: appends by two processes at the same moment may mix there
    fcntl = None  # type: ignore[assignment]

LIMIT = 2_000
"""Entries read from the end of the file."""

_BLOCK = 64 * 1024
_MAX_BYTES = 4 * 1024 * 1024  # so that a file of huge pastes cannot hold up the keys
_ENTRY_START = re.compile(rb"\n(?!\+)[^\n]*(?=\n\+)")


class InputHistory(History):
    """The input history in `path`, read when it is first needed and appended to at once.

    An entry that starts with a blank stays in memory. If the file cannot be used, `notice` gets
    one line, once, and the history goes on in memory. Nothing here raises for what the file holds.
    As long as it is not `decided` whether entries may be written, they wait in memory.
    """

    def __init__(
        self,
        path: Path,
        notice: Callable[[str], None],
        limit: int = LIMIT,
        *,
        decided: bool = True,
    ) -> None:
        super().__init__()
        self._waiting: list[str] | None = None if decided else []
        self._private = False
        self._path = path
        self._notice = notice
        self._limit = limit
        self._noticed = False

    @property
    def in_memory(self) -> bool:
        """Could the file not be used, so that nothing is there next time?"""
        return self._noticed

    def append_string(self, string: str) -> None:
        """Add an entry to memory and to the file."""
        if not self._loaded:  # else the later load would drop what is in memory alone
            self._loaded_strings = list(self.load_history_strings())
            self._loaded = True
        super().append_string(string)

    def load_history_strings(self) -> Iterable[str]:
        """The last entries of the file, newest first."""
        try:
            return _parse(_tail(self._path, self._limit))[: -self._limit - 1 : -1]
        except FileNotFoundError:
            return []
        except OSError as error:
            self._report(error)
            return []

    def decide(self, *, private: bool) -> None:
        """Write what waits, and from now on at once; or, if it is private, nothing ever."""
        waiting, self._waiting = self._waiting or [], None
        self._private = private
        for string in waiting:
            self.store_string(string)

    def store_string(self, string: str) -> None:
        """Append an entry to the file, unless it starts with a blank or is private."""
        if self._private or string.startswith((" ", "\t")):
            return
        if self._waiting is not None:
            self._waiting.append(string)
            return
        try:
            _append(self._path, _format(string))
        except OSError as error:
            self._report(error)

    def forget(self, string: str) -> None:
        """Take this entry out of the file, wherever it is; memory keeps it.

        Raises nothing; a file that cannot be changed is reported like one that cannot be written.
        """
        if self._waiting:
            self._waiting = [each for each in self._waiting if each != string]
        try:
            _remove(self._path, string)
        except FileNotFoundError:
            return
        except OSError as error:
            self._report(error)

    def _report(self, error: OSError) -> None:
        if not self._noticed:
            self._noticed = True
            self._notice(f"Input history is kept in memory only: {self._path}: {error.strerror}")


def _format(entry: str) -> bytes:
    return f"\n# {datetime.now(UTC)}\n".encode() + _lines(entry)


def _lines(entry: str) -> bytes:
    return "".join(f"+{line}\n" for line in entry.split("\n")).encode(errors="replace")


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
        while data:
            data = data[os.write(descriptor, data) :]


def _remove(path: Path, entry: str) -> None:
    """Write the file without such entries over itself: it stays the file that others append to."""
    with _locked(path, os.O_RDWR) as descriptor, os.fdopen(os.dup(descriptor), "r+b") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _MAX_BYTES))
        start = file.tell()
        data = file.read()
        kept = re.sub(rb"\n(?!\+)[^\n]*\n" + re.escape(_lines(entry)) + rb"(?!\+)", b"", data)
        if kept != data:
            file.seek(start)
            file.write(kept)
            file.truncate()


@contextmanager
def _locked(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    try:
        if fcntl:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # released when it is closed
        yield descriptor
    finally:
        os.close(descriptor)


def _tail(path: Path, limit: int) -> bytes:
    """The end of the file, from the start of a line, with at least `limit` entries if it can."""
    with path.open("rb") as file:
        position = end = file.seek(0, os.SEEK_END)
        blocks: list[bytes] = []
        entries = 0
        while position and entries <= limit and end - position < _MAX_BYTES:
            size = min(_BLOCK, position)
            position -= size
            file.seek(position)
            blocks.append(file.read(size))
            entries += len(_ENTRY_START.findall(blocks[-1]))
    data = b"".join(reversed(blocks))
    if not position:
        return data
    first = _ENTRY_START.search(data)  # what stands before it may be the end of an entry
    return data[first.start() :] if first else b""


def _parse(data: bytes) -> list[str]:
    """The entries, oldest first; a torn or mistyped line costs no more than itself."""
    entries: list[list[str]] = []
    inside = False
    for line in data.decode(errors="replace").split("\n"):
        if line.startswith("+"):
            if not inside:
                entries.append([])
            entries[-1].append(line[1:])
        inside = line.startswith("+")
    return ["\n".join(entry) for entry in entries]
