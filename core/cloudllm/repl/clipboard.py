"""The clipboard: through the terminal (OSC 52), or through a program of the desktop's."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Mapping
from shutil import which

from cloudllm.errors import CloudLLMError

MOST = 74_994
"""Bytes of a text that terminals take; more would be dropped or cut without a word."""

_DEADLINE = 5.0  # seconds that a program has to take it
_MOST_FOR_PROGRAM = 16 * 2**20


def osc_52(text: str) -> str | None:
    """The sequence that makes exactly this text the terminal's clipboard; `None` if it is too long.

    It holds nothing of the text but its base 64, so no terminal can take it for anything else.
    """
    data = text.encode(errors="replace")
    return None if len(data) > MOST else f"\x1b]52;c;{base64.b64encode(data).decode()}\x07"


def hand_over(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Give a text to the desktop's clipboard and return the name of the program used; it blocks.

    Raises:
        CloudLLMError: there is no such program, it failed, or the text is too long for it.
    """
    command = _program(environ)
    if command is None:
        raise CloudLLMError(
            f"nothing was copied: no terminal that takes it ({MOST:,} bytes at most), and no wl-copy,"
            " xclip or pbcopy",
            advice="/save FILE writes the conversation into a file",
        )
    data = text.encode(errors="replace")
    if len(data) > _MOST_FOR_PROGRAM:
        raise CloudLLMError(f"too long for the clipboard: {len(data):,} bytes")
    try:
        # Its output goes nowhere: xclip stays in the background and would hold a pipe open.
        subprocess.run(  # noqa: S603 - one of three fixed names
            command,
            input=data,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_DEADLINE,
            check=True,
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CloudLLMError(f"{command[0]} failed, so nothing was copied: {_why(error)}") from None
    return command[0]


def _program(environ: Mapping[str, str]) -> list[str] | None:
    """The first program that is installed and has a desktop to work with."""
    candidates = (
        (["wl-copy"], "WAYLAND_DISPLAY" in environ),
        (["xclip", "-selection", "clipboard"], "DISPLAY" in environ),
        (["pbcopy"], sys.platform == "darwin"),
    )
    path = environ.get("PATH")
    return next((each for each, usable in candidates if usable and which(each[0], path=path)), None)


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not end within {_DEADLINE:g} s"
    return str(getattr(error, "strerror", None) or type(error).__name__)
