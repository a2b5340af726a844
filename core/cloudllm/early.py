"""First paint and terminal modes, before anything but the standard library is imported."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing`, like `contextlib`, would take longer than the first paint
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any
else:
    import _signal as signal  # what `signal` is made of; its enums take longer than the paint

PROMPT = "> "
_ERASE_LINE = "\r\x1b[K"

_RESET = "\x1b[?2026l\x1b[?2004l\x1b[?25h\x1b[0m"
"""Frames, bracketed paste, the cursor and the colours as they were, whatever was cut short."""


class EarlyTerminal:
    """The terminal between the start and the prompt: quiet, typing kept, modes remembered.

    ECHO and ICANON are off so that keys wait unseen for the prompt; ICRNL and IXON are off, or a
    typed-ahead Enter would arrive as Ctrl-J and Ctrl-S would freeze the screen. ISIG stays, so
    Ctrl-C ends the program while it starts, and Ctrl-Z stops it; NOFLSH keeps what was typed before.
    """

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._out = -1
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

        self._out = os.dup(sys.stdout.fileno())  # that one may lead elsewhere later
        original = termios.tcgetattr(self._fd)
        self._watch()
        self.original = original
        self._quieten()
        self.typed = self._waiting().replace(b"\n", b"\r")  # the terminal made each Enter a newline
        self._write(PROMPT)

    def _watch(self) -> None:
        """Have each signal find the terminal as it was; one that is ignored stays so."""
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._leave)
        if signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, self._stop)
            signal.signal(signal.SIGCONT, self._go_on)

    def _quieten(self) -> None:
        import termios  # noqa: PLC0415 - there is none on Windows

        quiet = termios.tcgetattr(self._fd)
        quiet[0] &= ~(termios.ICRNL | termios.IXON)
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        quiet[3] |= termios.NOFLSH
        quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, termios.TCSANOW, quiet)

    def _waiting(self) -> bytes:
        """The keys that wait to be read."""
        import fcntl  # noqa: PLC0415 - there is none on Windows
        import termios  # noqa: PLC0415 - there is none on Windows

        try:
            answer = fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4))
            waiting = int.from_bytes(answer, sys.byteorder)
            return os.read(self._fd, waiting) if waiting else b""
        except OSError:  # the terminal is gone
            return b""

    def unpaint(self) -> None:
        """Take the painted prompt back, for a message or another program to come."""
        if self.original is not None:
            self._write(_ERASE_LINE)
        self.restore()

    def restore(self) -> None:
        """Give the terminal its modes back; harmless when called twice."""
        original, self.original = self.original, None
        if original is not None and self._is_ours():
            self._write(_RESET)
            self._set_modes(original)

    def _set_modes(self, modes: list[Any]) -> None:
        import termios  # noqa: PLC0415 - there is none on Windows

        try:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, modes)
        except termios.error:
            return  # the terminal is gone

    def _is_ours(self) -> bool:
        """Are we in the foreground? From behind, a change would stop us, or upset the shell."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:  # it is gone, or not the one that controls us: then nobody minds
            return True

    def _leave(self, number: int, _frame: FrameType | None) -> None:
        """End at once: whatever is being imported might swallow an exception."""
        if self.original is not None and self._is_ours():
            self._waiting()  # a shell must not take it for a command
        self.unpaint()
        os._exit(128 + number)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: give the terminal back and stop, as the signal would have done."""
        if self.original is not None and self._is_ours():
            self.typed += self._waiting()
            self._write(_ERASE_LINE)
            self._set_modes(self.original)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._stop)

    def _go_on(self, _number: int, _frame: FrameType | None) -> None:
        """`fg`: take the terminal again. After `bg` this stops us once more, as it should."""
        import termios  # noqa: PLC0415 - there is none on Windows

        if self.original is not None:
            try:
                self._quieten()
            except termios.error:
                return  # it is gone, or this was continued once more meanwhile
            self._write(_ERASE_LINE + PROMPT)

    def _write(self, text: str) -> None:
        try:
            os.write(self._out, text.encode("ascii"))
        except OSError:
            return  # the terminal is gone


def can_paint(environ: os._Environ[str] = os.environ) -> bool:
    """Is this a terminal that a prompt may be painted on?"""
    return (
        os.name == "posix"
        and environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
        and all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    )
