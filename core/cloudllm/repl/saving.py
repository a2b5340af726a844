"""Writes a text into a file that a person names; what goes wrong is one line."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cloudllm.errors import CloudLLMError, UsageError


def save(name: str, text: str, *, force: bool) -> Path:
    """Write `text` as `save_pieces` writes its pieces."""
    return save_pieces(name, (text,), force=force)


def save_pieces(name: str, pieces: Iterable[str], *, force: bool) -> Path:
    """Write a text as UTF-8, as its pieces come, and return where; `~` is the home folder.

    It blocks. A new file gets the permissions that files get here. With `force` another text takes
    the place of a file's in one step; its permissions stay.

    Raises:
        UsageError: there is such a file already, or it is none that can be written over.
        CloudLLMError: it cannot be written, or what the pieces come from raised it; what was there
            before is untouched.
    """
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            raise UsageError(f"{path} is a folder", advice="Name a file in it")
        if not os.path.lexists(path):
            _create(path, pieces)
        elif not _is_file(path):
            raise UsageError(f"{path} is no file that could be written over")
        elif not force:
            raise UsageError(
                f"{path} is there already, and nothing was written",
                advice="Choose another name, or add --force to write over it",
            )
        else:
            _replace(path.resolve(), pieces)
    except (OSError, ValueError, RuntimeError) as error:  # as for a null byte, or an unknown ~user
        reason = getattr(error, "strerror", None) or str(error)
        raise CloudLLMError(f"{name}: cannot be written: {reason.lower()}") from None
    return path


def _create(path: Path, pieces: Iterable[str]) -> None:
    with path.open("xb") as file:  # never over what somebody else has just made
        try:
            _fill(file, pieces)
        except BaseException:
            path.unlink()
            raise


def _fill(file: BinaryIO, pieces: Iterable[str]) -> None:
    file.writelines(piece.encode(errors="replace") for piece in pieces)
    file.flush()


def _is_file(path: Path) -> bool:
    """Is it a plain one? A device or a pipe would pass the text on, as to the terminal."""
    return stat.S_ISREG(path.stat().st_mode)


def _replace(path: Path, pieces: Iterable[str]) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}-")
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, no path
            _fill(file, pieces)
        shutil.copymode(path, temporary)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
