"""Reading and replacing small text files; what goes wrong is one line."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from cloudllm.errors import ConfigurationError


def read_text(path: Path) -> str:
    """The file as UTF-8, with a byte order mark left out.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigurationError: It cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: is a folder, not a file") from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigurationError(f"{path}: cannot be read: {reason}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8 text") from None


def replace_text(path: Path, text: str) -> None:
    """Put `text` into the file in one step, readable by its owner alone; links are followed.

    Raises:
        ConfigurationError: It cannot be written; the old file is untouched.
    """
    target = path.resolve()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp gives 0600.
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".config-")
    except OSError as error:
        raise _cannot_write(path, error) from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a descriptor, no path
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: OSError) -> ConfigurationError:
    reason = (error.strerror or "unknown reason").lower()
    return ConfigurationError(f"{path}: cannot be written: {reason}")
