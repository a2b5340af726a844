"""First paint and terminal modes, before anything but the standard library is imported."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import Any

PROMPT = "> "
_ERASE_LINE = "\r\x1b[K"


class EarlyTerminal:
    """The terminal between the start and the prompt: quiet, typing kept, modes remembered.

    ECHO and ICANON are off so that keys wait unseen for the prompt; ICRNL and IXON are off, or a
    typed-ahead Enter would arrive as Ctrl-J and Ctrl-S would freeze the screen. ISIG stays, so
    Ctrl-C ends the program while it starts.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self.original: list[Any] | None = None
        self.typed = b""

    @classmethod
    def painted(cls) -> EarlyTerminal:
        """A terminal with the prompt on it."""
        terminal = cls()
        terminal.paint()
        return terminal

    def paint(self) -> None:
        """Show the prompt and quieten the terminal."""
        import termios  # noqa: PLC0415 - there is none on Windows

        self.original = termios.tcgetattr(self._fd)
        quiet = termios.tcgetattr(self._fd)
        quiet[0] &= ~(termios.ICRNL | termios.IXON)
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, quiet)
        self.typed = self._typed_before()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        _write(PROMPT)

    def _typed_before(self) -> bytes:
        """What was typed before this program ran; the terminal has made each Enter a newline."""
        import fcntl  # noqa: PLC0415 - there is none on Windows
        import termios  # noqa: PLC0415 - there is none on Windows

        waiting = int.from_bytes(fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)), sys.byteorder)
        return os.read(self._fd, waiting).replace(b"\n", b"\r") if waiting else b""

    def unpaint(self) -> None:
        """Take the painted prompt back, for a message or another program to come."""
        if self.original is not None:
            _write(_ERASE_LINE)
        self.restore()

    def restore(self) -> None:
        """Give the terminal its modes back; harmless when called twice."""
        if self.original is None:
            return
        import termios  # noqa: PLC0415 - there is none on Windows

        with contextlib.suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self.original)
        self.original = None


def can_paint(environ: os._Environ[str] = os.environ) -> bool:
    """Is this a terminal that a prompt may be painted on?"""
    return (
        os.name == "posix"
        and environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
        and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    )


def _write(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()


def _leave(number: int, _frame: FrameType | None) -> None:
    """Turn a signal into an exit that passes through every `finally`."""
    raise SystemExit(128 + number)
