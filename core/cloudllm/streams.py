"""Standard output and error: ours for what we say, and a sink for what anything else prints.

While a chat runs, file descriptors 1 and 2 and `sys.stdout` and `sys.stderr` lead into the sink;
the front ends write to `out()` and `err()`, which lead where the program was told to write.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TextIO

_READ = 65_536  # bytes of the sink that are looked at at once
_ROOM = 1_048_576  # bytes that the sink holds before it is emptied

Hear = Callable[[str], None]
"""Gets what Python code prints, in the thread that prints it."""


class Sink:
    """Takes all that is printed while it is in place; `out` and `err` lead past it.

    What comes by file descriptor (from C, a subprocess, `os.write`) is in a file, so that nobody
    who writes is ever kept waiting or gets a broken pipe. What comes from Python's own streams goes
    to `hear`, since that knows who prints.
    """

    def __init__(self) -> None:
        self.hear: Hear | None = None
        self._lock = threading.Lock()
        self._read = 0
        self._removed = False
        self._before = sys.stdin, sys.stdout, sys.stderr
        _flush(sys.stdout, sys.stderr)
        led = {1: _leads_to(sys.stdout, 1), 2: _leads_to(sys.stderr, 2)}
        closed = [number for number in led if not _is_open(number)]
        self._file = _file()
        for number in closed:  # or else a file of ours or of somebody's gets that number
            os.dup2(self._file, number)
        self.stdin = sys.stdin
        self.out = _private(sys.stdout) if led[1] else None
        self.err = _private(sys.stderr) if led[2] else None
        for number in filter(led.get, led):
            os.dup2(self._file, number)
        sys.stdin = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # the keys are for the chat
        sys.stdout, sys.stderr = self._heard(1), self._heard(2)

    def take(self) -> tuple[str, int]:
        """What has come by file descriptor since the last time: its beginning, and its length."""
        with self._lock:
            if self._removed:
                return "", 0
            _flush(self._before[1], self._before[2])
            _flush_c()
            size = os.fstat(self._file).st_size
            length = size - self._read
            data = os.pread(self._file, min(length, _READ), self._read) if length > 0 else b""
            self._read = size
            if size > _ROOM:
                os.ftruncate(self._file, 0)
                self._read = 0
        text = data.decode(errors="replace")
        return text, len(text) if length <= _READ else length

    def remove(self) -> None:
        """Give everything its own streams back."""
        with self._lock:
            self._removed = True
            _flush(self._before[1], self._before[2], self.out, self.err)
            _flush_c()
            for stream, descriptor in ((self.out, 1), (self.err, 2)):
                if stream is not None:
                    os.dup2(stream.fileno(), descriptor)
                    with suppress(OSError):  # what could not be written before cannot be now
                        stream.close()
            sys.stdin, sys.stdout, sys.stderr = self._before
            os.close(self._file)

    def printed(self, text: str, descriptor: int) -> None:
        """Take what Python code prints; afterwards, as by a logger made meanwhile, let it pass."""
        if self._removed:
            os.write(descriptor, text.encode(errors="backslashreplace"))
        elif self.hear is not None:
            self.hear(text)

    def _heard(self, descriptor: int) -> TextIO:
        raw = _Heard(self.printed, descriptor)
        return io.TextIOWrapper(
            raw,  # type: ignore[type-var]  # without a buffer, as `python -u` does it
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )


class _Heard(io.RawIOBase):
    """What stands behind `sys.stdout` and `sys.stderr` meanwhile."""

    def __init__(self, printed: Callable[[str, int], None], descriptor: int) -> None:
        super().__init__()
        self._printed = printed
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        text = bytes(data).decode(errors="replace")
        if text:
            self._printed(text, self._descriptor)
        return memoryview(data).nbytes


_sink: Sink | None = None
_users = 0
_changing = threading.RLock()


def sink() -> Sink | None:
    """The sink that is in place, if one is."""
    return _sink


def stdin() -> TextIO:
    """Where keys come from."""
    return _sink.stdin if _sink else sys.stdin


def out() -> TextIO:
    """Where a reply goes: standard output as the program got it."""
    return _sink.out or sys.stdout if _sink else sys.stdout


def err() -> TextIO | None:
    """Where everything else goes; `None` if standard error is closed."""
    return _sink.err if _sink else sys.stderr


@contextmanager
def contained() -> Iterator[None]:
    """Keep what plugins and libraries print away from the screen and the reply.

    It may be nested, and used by several threads; the sink is there until the last one leaves.
    Where this program's standard output is not its own, as under a test runner, nothing changes.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _sink, _users  # noqa: PLW0603 - the process has one standard output
    with _changing:
        _users += 1
        if _sink is None and _leads_to(sys.stdout, 1):
            _sink = Sink()


def _leave() -> None:
    global _sink, _users  # noqa: PLW0603 - see above
    with _changing:
        _users -= 1
        if _users == 0 and _sink is not None:
            _sink.remove()
            _sink = None


def _private(stream: TextIO) -> TextIO:
    """A stream like this one, on a descriptor that nobody else knows."""
    return open(  # noqa: PTH123 - it has no path
        os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors
    )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _leads_to(stream: TextIO | None, descriptor: int) -> bool:
    try:
        return stream is not None and stream.fileno() == descriptor
    except (OSError, ValueError):
        return False


def _file() -> int:
    """A file without a name that grows at its end whoever writes."""
    try:
        descriptor = os.memfd_create("cloudllm-output")
    except (AttributeError, OSError):  # not Linux
        return _temporary_file()
    import fcntl  # noqa: PLC0415 - there is none on Windows

    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


def _temporary_file() -> int:
    import tempfile  # noqa: PLC0415 - 5 ms, and not needed on Linux

    try:
        with tempfile.NamedTemporaryFile(prefix="cloudllm-output-") as named:
            return os.open(named.name, os.O_RDWR | os.O_APPEND)
    except OSError:  # no room, or on Windows; what is printed is gone then
        return os.open(os.devnull, os.O_RDWR)


def _flush(*streams: TextIO | None) -> None:
    for stream in streams:
        with suppress(AttributeError, OSError, ValueError):  # closed, full, or never there
            if stream is not None:
                stream.flush()


def _flush_c() -> None:
    """Have C's own buffer written where it belongs; only if something here calls C at all."""
    if "ctypes" in sys.modules and os.name == "posix":
        _c_flusher()()


@cache
def _c_flusher() -> Callable[[], object]:
    import ctypes  # noqa: PLC0415 - see above

    try:
        library = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        stdout = ctypes.c_void_p.in_dll(library, name)
    except (OSError, ValueError):  # another C library
        return lambda: None
    return lambda: library.fflush(stdout)
