"""The file that is imported: what it is by its first bytes, and its text piece by piece."""

from __future__ import annotations

import codecs
import json
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import IO

from cloudllm.errors import UsageError
from cloudllm.importing import logsdb
from cloudllm.importing.pages import MAGIC

_PIECE = 2**16
_START = 4_096
_ZIP = b"PK\x03\x04"
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)


class Kind(Enum):
    """What a file can be by its first bytes."""

    SQLITE = auto()
    ZIP = auto()
    TEXT = auto()
    BYTES = auto()


def kind_of(path: Path) -> Kind:
    """What the file is; text is what it may be if nothing speaks against it, as a null byte does.

    Raises:
        UsageError: it cannot be read, is empty, or is no file at all.
    """
    with in_words(str(path)):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{path}: it is a folder", advice="Name a file in it")
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path}: it is no regular file")
        with path.open("rb") as file:
            start = file.read(_START)
        if not start and not logsdb.has_log(path):
            raise UsageError(f"{path}: it is empty")
    if start.startswith(MAGIC):
        return Kind.SQLITE
    if start.startswith(_ZIP):
        return Kind.ZIP
    return Kind.BYTES if b"\0" in start or not start else Kind.TEXT


def pieces(open_file: Callable[[], AbstractContextManager[IO[bytes]]], where: str) -> Iterator[str]:
    """The text of a file in UTF-8, UTF-16 or UTF-32, none of its pieces empty.

    Raises:
        UsageError: it is not such text from some byte on, or it cannot be read on.
    """
    with in_words(where), open_file() as file:
        data = file.read(_PIECE)
        encoding, length = _encoding(data)
        decoder = codecs.getincrementaldecoder(encoding)()
        done, data = length, data[length:]
        while True:
            try:
                piece = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                before = len(decoder.getstate()[0])
                yield from filter(None, [error.object[: error.start].decode(encoding)])
                byte = done - before + error.start + 1
                raise UsageError(f"{where}: byte {byte} is no {encoding.upper()} text") from None
            if piece:
                yield piece
            if not data:
                return
            done += len(data)
            data = file.read(_PIECE)


@contextmanager
def in_words(where: str) -> Iterator[None]:
    """Say in a line why a file cannot be read."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise UsageError(f"{where}: {reason}") from error
    except ValueError as error:  # a path with a NUL
        raise UsageError(f"{where}: {error}") from error


def _encoding(start: bytes) -> tuple[str, int]:
    """How the text is written, and how many bytes say so."""
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            return encoding, len(bom)
    return json.detect_encoding(start), 0
