"""A real terminal for tests: a PTY, and pyte to read the screen that a person would see."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyte
import pytest
from wcwidth import wcwidth

from cloudllm.testing import Reply, WireServer
from tests.repl.screens import Talk

GREETING = Reply(text="Hello from the wire.")

PATIENCE = 50.0
"""Seconds to wait for what must come; a busy machine takes ten times as long as an idle one."""


class SafeScreen(pyte.HistoryScreen):
    """pyte drops the rest of a text at its first zero-width character; this one does not."""

    def draw(self, data: str) -> None:
        super().draw("".join(c for c in data if wcwidth(c) != 0 or unicodedata.combining(c)))


def _take_terminal() -> None:
    """In the new process: as a shell would start it, whatever is ignored where the tests run."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A program on a PTY: `send` types, `wait` polls until a pattern is on the screen."""

    def __init__(
        self, command: list[str], env: dict[str, str], rows: int = 24, columns: int = 80
    ) -> None:
        self.screen = SafeScreen(columns, rows, history=5000, ratio=0.5)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes_before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm-256color", **env},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one thread
        )

    def send(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        while data:
            self._read(0)
            written = os.write(self.master, data[:512])
            data = data[written:]

    def paste(self, text: str) -> None:
        self.send(f"\x1b[200~{text}\x1b[201~")

    def text(self) -> str:
        """Scrollback and screen, blank ends trimmed."""
        history = ["".join(row[c].data for c in range(self.screen.columns)).rstrip()
                   for row in self.screen.history.top]  # fmt: skip
        return "\n".join([*history, *(line.rstrip() for line in self.screen.display)]).rstrip()

    def wait(self, pattern: str, timeout: float = PATIENCE) -> re.Match[str]:
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.text(), re.MULTILINE)
            if found:
                return found
            alive = self._read(0.02)
            if not alive or time.monotonic() > end:
                found = re.search(pattern, self.text(), re.MULTILINE)
                assert found, f"{pattern!r} is not on the screen:\n{self.text()}"
                return found

    def wait_gone(self, pattern: str, timeout: float = PATIENCE) -> None:
        end = time.monotonic() + timeout
        while re.search(pattern, self.text(), re.MULTILINE):
            assert time.monotonic() < end, f"{pattern!r} is still there:\n{self.text()}"
            self._read(0.02)

    def settle(self, seconds: float = 0.2) -> None:
        """Read until the program has been silent for that long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.master], [], [], 0.02)[0]:
                if not self._read(0):
                    return
                end = time.monotonic() + seconds

    def leave(self, timeout: float = PATIENCE) -> int:
        """Wait for the program's end; its exit code."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still running:\n{self.text()}"
            self._read(0.02)
        while self._read(0.05):
            pass
        return self.process.returncode

    def editor(self) -> str:
        """What stands in the editor: the rows from the last prompt to the status row."""
        rows = [line.rstrip() for line in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        start = max((n for n, row in enumerate(rows) if row.startswith(">")), default=0)
        return "\n".join(row[2:] for row in rows[start:-1])

    def clear_screen(self) -> None:
        """Forget what was on the screen so far, and have the prompt drawn anew."""
        self.send("\x0c")
        self.settle(0.1)
        self.screen.history.top.clear()

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def _read(self, seconds: float) -> bool:
        """Take what has come; was there any?"""
        if not select.select([self.master], [], [], seconds)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.raw += data
        self._stream.feed(data)
        return True


def launch(arguments: tuple[str, ...], rows: int, columns: int, **variables: str) -> Terminal:
    return Terminal(
        [sys.executable, "-m", "cloudllm", *arguments],
        {**os.environ, "TERM": "xterm-256color", **variables},
        rows,
        columns,
    )


@pytest.fixture
def server() -> Iterator[WireServer]:
    """A provider on the loopback interface."""
    with WireServer() as server:
        server.default = GREETING
        yield server


@pytest.fixture
def terminal(server: WireServer) -> Iterator[Callable[..., Terminal]]:
    """Starts cloudllm on a terminal, its OpenAI provider pointing at `server`."""
    opened: list[Terminal] = []

    def start(
        *arguments: str, rows: int = 24, columns: int = 80, key: str = "sk-test", **variables: str
    ) -> Terminal:
        variables = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.url, **variables}
        opened.append(launch(arguments, rows, columns, **variables))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@dataclass
class Chat:
    """A running chat and the provider behind it."""

    terminal: Terminal
    server: WireServer

    def arrived(self, timeout: float = PATIENCE) -> None:
        """Wait until the provider has got a request."""
        end = time.monotonic() + timeout
        while not self.server.requests:
            assert time.monotonic() < end, f"nothing was sent:\n{self.terminal.text()}"
            self.terminal.settle(0.02)

    def sent(self, number: int = -1) -> list[dict[str, str]]:
        """The messages of a request."""
        return list(self.server.requests[number].body["messages"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """One chat for all tests of a module that need no other start: it costs seconds."""
    home = tmp_path_factory.mktemp("home")
    with WireServer() as server:
        terminal = launch(
            (),
            24,
            80,
            CLOUDLLM_HOME=str(home),
            OPENAI_API_KEY="sk-test",
            OPENAI_BASE_URL=server.url,
        )
        terminal.wait(r"^>")
        yield Chat(terminal, server)
        terminal.close()


@pytest.fixture
def chat(running: Chat) -> Iterator[Chat]:
    """The running chat with an empty editor, an empty history and a blank screen."""
    running.server.forget()  # also what a turn that was stopped has left unused
    running.server.default = GREETING
    running.terminal.clear_screen()
    yield running
    running.terminal.send("\x01x\x03")  # in front, or it would be suggested to later tests
    running.terminal.settle(0.05)
    while running.terminal.editor():  # the first Ctrl-C has stopped a reply that was not over
        running.terminal.send("\x03")
        running.terminal.settle(0.3)
    running.terminal.send("/clear\r")
    running.terminal.wait("starts anew")


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    """A chat in this process with the provider echo."""
    talk = Talk()
    await talk.start()
    yield talk
    await talk.chat.close()


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is there no more."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
