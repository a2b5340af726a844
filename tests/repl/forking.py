"""Starts the real program again and again from a process that has imported everything already.

A start then costs a tenth: what is forked is the program before its first line, modules apart.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import Self

import pyte

from tests.repl.conftest import SafeScreen, Terminal

_SOURCE = """
import json, os, signal, sys
from cloudllm import __main__
from cloudllm.gateway import load
from cloudllm.repl import chat, engine, loop, recall, resuming, shelf, statuskeeper, turnview
from cloudllm.repl.commands import COMMANDS

load.start().result()
control, answers = int(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.write(answers, b"ready\\n")
lines = os.fdopen(control)
for line in lines:
    wanted = json.loads(line)
    child = os.fork()
    if child:
        os.write(answers, f"{child}\\n".encode())
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    terminal = os.open(wanted["tty"], os.O_RDWR)
    for number in range(3):
        os.dup2(terminal, number)
    os.closerange(3, 256)
    os.environ.update(wanted["env"])
    sys.argv[:] = ["cloudllm"]
    try:
        __main__.main()
    finally:
        os._exit(1)
"""


class Mother:
    """The process that is forked; a context manager."""

    def __init__(self) -> None:
        control, self._control = os.pipe()
        answers, mine = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SOURCE, str(control), str(mine)], pass_fds=(control, mine)
        )
        os.close(control)
        os.close(mine)
        self._answers = os.fdopen(answers)

    def __enter__(self) -> Self:
        assert self._answers.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._control)
        self._answers.close()
        self._process.wait(10)

    def fork(self, tty: str, variables: dict[str, str]) -> int:
        """Start the program on that terminal; its process id."""
        wanted = {"tty": tty, "env": variables}
        os.write(self._control, (json.dumps(wanted) + "\n").encode())
        return int(self._answers.readline())


class _Process:
    """As much of a `Popen` as a terminal asks for."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return -signal.SIGKILL
        return None


class Forked(Terminal):
    """A forked program on a PTY."""

    def __init__(
        self, mother: Mother, variables: dict[str, str], rows: int = 24, columns: int = 80
    ) -> None:
        self.screen = SafeScreen(columns, rows, history=1000, ratio=0.5)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        pid = mother.fork(os.ttyname(self.slave), {"TERM": "xterm-256color", **variables})
        self.process = _Process(pid)  # type: ignore[assignment]

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it is no more."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        while self.process.poll() is None:
            time.sleep(0.001)

    def close(self) -> None:
        self.kill()
        os.close(self.master)
        os.close(self.slave)

    def read(self, seconds: float) -> bool:
        """Take what comes in that time; is there more to come?"""
        return self._read(seconds)
