"""Lines that a plain terminal does not show while they are typed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unseen(descriptor: int) -> Iterator[None]:
    """Have the terminal echo nothing but the end of the line; also to a read that waits already.

    In the main thread only: it answers a signal.
    """
    import termios  # noqa: PLC0415 - not everywhere, and rarely needed

    before = termios.tcgetattr(descriptor)
    modes = list(before)
    modes[3] = modes[3] & ~termios.ECHO | termios.ECHONL

    def hide(*_: object) -> None:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, modes)

    hide()
    # After a stop (Ctrl-Z) the shell has set modes of its own.
    on_return = signal.signal(signal.SIGCONT, hide)
    try:
        yield
    finally:
        signal.signal(signal.SIGCONT, on_return)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
