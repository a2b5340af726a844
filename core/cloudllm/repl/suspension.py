"""Ctrl-Z and `fg`: the terminal is the shell's while the chat is stopped, and ours again after."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prompt_toolkit.application import Application, run_in_terminal

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextmanager
def suspendable(application: Application[None], original: list[Any] | None) -> Iterator[None]:
    """Let the running application be stopped and continued; `original` are the shell's modes."""
    if signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN:  # nobody could continue it
        yield
        return
    suspension = _Suspension(application, original)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTSTP, suspension.suspend)
    loop.add_signal_handler(signal.SIGCONT, suspension.go_on)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTSTP)
        loop.remove_signal_handler(signal.SIGCONT)


class _Suspension:
    def __init__(self, application: Application[None], original: list[Any] | None) -> None:
        self._application = application
        self._original = original
        self._continued = False

    def suspend(self) -> None:
        """Stop the program, and all that it runs together with."""
        # prompt_toolkit tells nobody else that it runs another program in the terminal.
        if self._application._running_in_terminal:  # noqa: SLF001
            _stop(os.getpid())  # that program has got the signal, too
        else:
            run_in_terminal(self._suspend)

    def go_on(self) -> None:
        """Take the terminal again after a stop that nobody told us of, as by SIGSTOP."""
        app, continued = self._application, self._continued
        self._continued = False
        if not (continued or app._running_in_terminal or app.is_done):  # noqa: SLF001
            app.input.raw_mode().__enter__()  # it ends with the application's own
            app.renderer.reset()
            app.invalidate()

    def _suspend(self) -> None:
        if self._original is not None:
            with suppress(termios.error):
                termios.tcsetattr(
                    self._application.input.fileno(), termios.TCSADRAIN, self._original
                )
        _stop(0)
        self._continued = True


def _stop(process: int) -> None:
    """Stop until SIGCONT; 0 is the whole group. Meanwhile a signal may end what has no terminal."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTSTP, *_ENDING)}
    for number in handlers:
        signal.signal(number, signal.SIG_DFL)
    os.kill(process, signal.SIGTSTP)
    for number, handler in handlers.items():
        signal.signal(number, handler)
        signal.siginterrupt(number, False)  # noqa: FBT003 - as asyncio wants it
