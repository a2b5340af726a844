"""ChatGPT's export as it comes: a zip file with one list of conversations, or with several."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing import jsonfile, source

_LIST = re.compile(r"(.*/)?conversations(-\d+)?\.json")


def conversations(path: Path) -> Iterator[jsonfile.Item]:
    """The conversations of all lists in a zip file.

    Raises:
        UsageError: it is damaged, or locked by a password, or no such export.
    """
    import zipfile  # noqa: PLC0415 - only for who has one

    where = str(path)
    with _in_words(where), zipfile.ZipFile(path) as archive:
        names = sorted(filter(_LIST.fullmatch, archive.namelist()))
        if not names:
            raise jsonfile.unknown(where)
        for name in names:
            place = f"{where}: {name}"
            pieces = source.pieces(partial(archive.open, name), place)
            try:
                yield from jsonfile.conversations(_told(pieces, place), place)
            except UsageError as error:  # the other lists may be whole
                yield place, partial(_fail, error)


def _fail(error: UsageError) -> Archive:
    raise error


def _told(pieces: Iterator[str], where: str) -> Iterator[str]:
    with _in_words(where):
        yield from pieces


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    """Say in a line why a zip file cannot be read."""
    import zipfile  # noqa: PLC0415 - see above

    try:
        with source.in_words(where):
            yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UsageError(f"{where}: it is a damaged zip file: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # a password, a rare compression
        raise UsageError(f"{where}: {error}") from error
