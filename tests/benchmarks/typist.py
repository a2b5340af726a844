"""A program on a terminal as a typist meets it, and figures taken in turns."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Self

ROUNDS = 9
ROWS, COLUMNS = 24, 80
CLOUDLLM = str(Path(sys.executable).with_name("cloudllm"))
PROMPT_TOOLKIT = "from prompt_toolkit import PromptSession; PromptSession().prompt('> ')"
_MOST = 4096
"""Bytes that a terminal takes in one go before somebody reads them."""


class Typist:
    """A program on a PTY of 80 by 24, and the time that keys take to appear."""

    def __init__(self, command: Sequence[str], **environ: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=_environment(environ),
            start_new_session=True,
        )
        os.close(slave)

    def wait_for(self, wanted: bytes, seconds: float = 20) -> float:
        """The moment at which `wanted` has come since this call."""
        seen = b""
        end = time.perf_counter() + seconds
        while wanted not in seen:
            assert time.perf_counter() < end, f"{wanted!r} did not come: {seen[-2000:]!r}"
            if select.select([self._master], [], [], 0.5)[0]:
                seen += self._read(seen)
        return time.perf_counter()

    def type(self, key: str) -> float:
        """Seconds until the key is on the screen."""
        start = time.perf_counter()
        os.write(self._master, key.encode())
        return self.wait_for(key.encode()) - start

    def enter(self, text: str, wanted: bytes) -> float:
        """Seconds from the first byte of a long text until what it ends in is on the screen."""
        data, seen = text.encode(), b""
        start = time.perf_counter()
        while wanted not in seen:
            assert time.perf_counter() < start + 60, f"{wanted!r} did not come: {seen[-2000:]!r}"
            readable, writable, _ = select.select(
                [self._master], [self._master] if data else [], [], 0.5
            )
            if readable:
                seen = seen[-200:] + self._read(seen)
            if writable:
                data = data[os.write(self._master, data[:_MOST]) :]
        return time.perf_counter() - start

    def listen(self, seconds: float) -> None:
        """Read for that long."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            if select.select([self._master], [], [], left)[0]:
                self._read()

    def settle(self, seconds: float = 0.25) -> None:
        """Read until nothing has come for that long."""
        while select.select([self._master], [], [], seconds)[0]:
            self._read()

    def send(self, keys: str) -> None:
        """Type without waiting."""
        os.write(self._master, keys.encode())

    def leave(self, keys: str) -> float:
        """Seconds from these keys to the end of the process."""
        self.settle(0.05)
        start = time.perf_counter()
        self.send(keys)
        while self.process.poll() is None:
            assert time.perf_counter() < start + 20, "it does not leave"
            if select.select([self._master], [], [], 0.0005)[0]:
                try:
                    os.read(self._master, 65536)
                except OSError:  # it has hung up
                    self.process.wait(20)
        return time.perf_counter() - start

    def rest(self) -> bytes:
        """All that comes until the program has ended."""
        seen = b""
        while True:
            try:
                seen += os.read(self._master, 65536)
            except OSError:  # it has hung up
                return seen

    def cpu(self) -> float:
        """Seconds of a processor that its main thread has had; what else runs adds nothing."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def _read(self, seen: bytes = b"") -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:
            raise AssertionError(f"it has ended: {seen.decode(errors='replace')}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def _environment(changes: Mapping[str, str]) -> dict[str, str]:
    """With compiled code kept, as where pip has installed it; these machines may say otherwise."""
    ours = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return {**os.environ, **ours, **changes}


def first_prompt(command: Sequence[str], **environ: str) -> float:
    """Seconds from the start of the process to its prompt."""
    with Typist(command, **environ) as typist:
        return typist.wait_for(b">") - typist.began


def first_echo(command: Sequence[str], **environ: str) -> float:
    """Seconds from the start of the process to the first key on the screen."""
    return first_key(command, **environ)[0]


def first_key(command: Sequence[str], **environ: str) -> tuple[float, float]:
    """The same, and the seconds of a processor that its main thread has had by then."""
    with Typist(command, **environ) as typist:
        typist.wait_for(b">")
        typist.type("q")
        return time.perf_counter() - typist.began, typist.cpu()


def wall(command: Sequence[str], **environ: str) -> float:
    """Seconds that the command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=_environment(environ))
    return time.perf_counter() - start


def ratios(floor: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> list[float]:
    """For each figure the median of ours to the floor's, of pairs that were taken together.

    What slows the machine for a while meets both of a pair.
    """
    pairs = zip(floor, ours, strict=True)
    columns = zip(*([b / a for a, b in zip(*pair, strict=True)] for pair in pairs), strict=True)
    return [median(column) for column in columns]


def interleaved(
    *measures: Callable[[], float],
    rounds: int = ROUNDS,
    typical: Callable[[Sequence[float]], float] = median,
) -> list[float]:
    """What is typical of each, measured in turns; the first round warms up."""
    taken = [[measure() for measure in measures] for _ in range(rounds + 1)][1:]
    return [typical(column) for column in zip(*taken, strict=True)]
