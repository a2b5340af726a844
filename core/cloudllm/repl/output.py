"""The chat's terminal as prompt_toolkit writes to it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from cloudllm import streams

_ERASE_ROW, _RIGHT, _ERASE_DOWN, _LEFT = "\x1b[K", "\x1b[C", "\x1b[J", "\x1b[D"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows the frame at once, others ignore it."""


class Output(Vt100_Output):
    """What is erased is gone, also where the screen's first row is among it."""

    _is_whole = True

    def erase_down(self) -> None:
        """Erase from the start of this row to the end of the screen.

        tmux takes an erasure that begins in the corner for that of the whole screen, and puts into
        the scrollback what was there: all that is live would be there many times.
        """
        self.write_raw(f"{_ERASE_ROW}{_RIGHT}{_ERASE_DOWN}{_LEFT}")

    @contextmanager
    def frame(self) -> Iterator[None]:
        """What is written within goes out at once, in one write."""
        self.write_raw(_BEGIN)
        self._is_whole = False
        try:
            yield
        finally:
            self._is_whole = True
            self.write_raw(_END)
            self.flush()

    def flush(self) -> None:
        """Write what has been collected, unless it is half a frame.

        Where the terminal is gone nobody reads it, and what is to be done at the end still is.
        """
        if not self._is_whole:
            return
        try:
            super().flush()
        except OSError as error:
            if error.errno != errno.EIO:
                raise


def output() -> Output:
    """The terminal that the program was started on."""
    made = Output.from_pty(
        streams.out(),
        term=os.environ.get("TERM"),
        default_color_depth=ColorDepth.from_env(),  # NO_COLOR
    )
    assert isinstance(made, Output)  # noqa: S101 - it says less than it gives
    made.enable_cpr = False  # a terminal that does not answer would get a warning
    return made
