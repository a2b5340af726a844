"""What code does beside its work: connections, processes, threads, waits that block the loop, output.

The audit hook cannot be taken away again, so there is one for all watches, and it does nothing
while none is on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Self, SupportsIndex, TextIO

from cloudllm.addresses import is_loopback_host

_LONGEST_NAP = 0.02  # seconds that a `time.sleep` on the loop is allowed to take while we watch
_PROCESSES = {"subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.exec"}
_Sleep = Callable[[float | SupportsIndex], None]

_watches: list[Watch] = []
_hooked = threading.Event()


@dataclass(slots=True)
class Watch:
    """What was seen while it was on.

    allowed    addresses, host and port, that may be connected to on this machine
    beyond     what it tried to reach on other machines; it was kept from it
    strange    what it reached on this machine, at addresses that are not allowed
    processes  what it started
    naps       where it called `time.sleep` in a thread that runs an event loop
    written    files that were opened for writing
    """

    allowed: set[tuple[str, int]] = field(default_factory=set)
    beyond: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    naps: list[str] = field(default_factory=list)
    written: set[str] = field(default_factory=set)

    @contextlib.contextmanager
    def on(self) -> Iterator[Watch]:
        """Watch, and keep everything from the network."""
        if not _hooked.is_set():
            _hooked.set()
            sys.addaudithook(_heard)
        sleep = time.sleep
        _watches.append(self)
        time.sleep = self._sleeper(sleep)
        try:
            yield self
        finally:
            time.sleep = sleep
            _watches.remove(self)

    def connected(self, host: str, port: int) -> None:
        """Somebody connects; raises `ConnectionRefusedError` unless it is to this machine."""
        if not is_local(host):
            self.beyond.append(f"{host}:{port}" if port else host)
            raise ConnectionRefusedError(f"{host}: the kit opens no connection to other machines")
        if port and (host, port) not in self.allowed:
            self.strange.append(f"{host}:{port}")

    def opened(self, path: object, _: object = None, flags: int = os.O_RDWR) -> None:
        """Somebody opens a file, or a database."""
        if isinstance(path, str) and flags & (os.O_WRONLY | os.O_RDWR):
            self.written.add(os.path.abspath(path))  # noqa: PTH100 - it must not raise

    def _sleeper(self, sleep: _Sleep) -> _Sleep:
        def nap(seconds: float | SupportsIndex) -> None:
            loop = asyncio._get_running_loop()  # noqa: SLF001 - documented, and raises nothing
            if loop is None:
                sleep(seconds)
                return
            self.naps.append(place(sys._getframe(1)))  # noqa: SLF001 - as logging does it
            sleep(min(float(seconds), _LONGEST_NAP))

        return nap


def is_local(host: str) -> bool:
    """Whether that name or address is this machine's loopback interface."""
    return not host or is_loopback_host(host)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watches:
        return
    watch = _watches[-1]
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple):  # else it is a path, and this machine's
            watch.connected(str(address[0]), int(address[1]))
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
        watch.connected(name, 0)
    elif event == "socket.sendto":
        address = arguments[1]
        if isinstance(address, tuple):
            watch.connected(str(address[0]), int(address[1]))
    elif event in {"open", "sqlite3.connect"}:
        watch.opened(*arguments)
    elif event in _PROCESSES:
        watch.processes.append(" ".join(str(arguments[0]).split())[:80])


def inside(frame: FrameType | None, packages: Collection[str]) -> FrameType | None:
    """The innermost frame, of this one and its callers, that runs code of these packages."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module in packages or module.partition(".")[0] in packages:
            return frame
        frame = frame.f_back
    return None


def place(frame: FrameType) -> str:
    """File and line of a frame."""
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"  # noqa: PTH119 - a name


@contextlib.contextmanager
def logged(packages: Collection[str]) -> Iterator[list[str]]:
    """What code of these packages logs meanwhile, also where nobody listens at that level."""
    kind: Any = logging.Logger
    enabled, handle = kind.isEnabledFor, kind.handle
    texts: list[str] = []

    def theirs() -> bool:
        frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - as logging does it
        while frame is not None and frame.f_globals.get("__name__") == "logging":
            frame = frame.f_back
        return frame is not None and inside(frame, packages) is frame

    def always(self: logging.Logger, level: int) -> bool:
        return enabled(self, level) or theirs()

    def noted(self: logging.Logger, record: logging.LogRecord) -> None:
        if theirs():
            texts.append(record.getMessage())
        if enabled(self, record.levelno):
            handle(self, record)

    kind.isEnabledFor, kind.handle = always, noted
    try:
        yield texts
    finally:
        kind.isEnabledFor, kind.handle = enabled, handle


class Output:
    """All that is printed while it is captured: Python's streams, file descriptors, loud logging."""

    def __init__(self) -> None:
        self.text = ""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the check
        self._stack: contextlib.ExitStack | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """Capture until the end of the block; what came before is kept."""
        start = self._file.seek(0, os.SEEK_END)
        with contextlib.ExitStack() as stack:
            for name, number in (("stdout", 1), ("stderr", 2)):
                stack.enter_context(_redirected(name, number, self._file.fileno()))
            stack.enter_context(_loud_logging())
            stack.enter_context(_plain_warnings())
            try:
                yield
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(Exception):
                        stream.flush()
        self._file.seek(start)
        self.text += self._file.read().decode(errors="replace")


@contextlib.contextmanager
def _redirected(name: str, number: int, target: int) -> Iterator[None]:
    """Point a stream and its file descriptor at `target`."""
    before: TextIO = getattr(sys, name)
    with contextlib.suppress(Exception):
        before.flush()
    saved = os.dup(number)
    stream = open(  # noqa: PTH123, SIM115 - a descriptor; detached below
        os.dup(target), "w", encoding="utf-8", errors="backslashreplace", buffering=1
    )
    os.dup2(target, number)
    setattr(sys, name, stream)
    try:
        yield
    finally:
        setattr(sys, name, before)
        os.dup2(saved, number)
        os.close(saved)
        with contextlib.suppress(Exception):
            stream.close()


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """Let warnings do what they do in a program: a test runner makes errors or a list of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", quiet)
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.filterwarnings("ignore", module="litellm")  # as the gateway has it
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
        warnings.showwarning = _printed
        yield


def _printed(  # noqa: PLR0917 - the signature of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)


@contextlib.contextmanager
def _loud_logging() -> Iterator[None]:
    """Let logging do what it does in a program that has not set it up: warnings are printed."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
