"""Offers names of files for what is typed of one; no folder, however big or slow, holds keys up."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from cloudllm.repl.fuzzy import best
from cloudllm.threads import in_thread

_MOST_SEEN, _MOST_OFFERED = 5_000, 50
_SEARCH, _PATIENCE = 0.25, 0.5
"""Seconds that a search goes on, and that its offers are waited for: a disk may hang."""

_NOT_WALKED = ("node_modules", "__pycache__")
_MENTION = re.compile(r'(?:^|(?<=[\s(\[{<"\']))@("(?:[^"\\]|\\.)*|[^\s"]*)$')


class FileNames:
    """Looks names up in a thread, one search at a time."""

    def __init__(self) -> None:
        self._search: asyncio.Future[list[str]] | None = None

    async def anywhere(self, typed: str) -> list[str]:
        """Names that go on from `typed`, in the folder that it leads to; `~` is the home folder."""
        return await self._found(partial(_offered, typed, deep=False))

    async def below(self, typed: str) -> list[str]:
        """Files and folders below the current folder; none outside of it."""
        folder, _, name = typed.rpartition("/")
        if typed.startswith(("/", "~")) or ".." in folder.split("/"):
            return []
        deep = bool(name) and not name.startswith(".")
        return await self._found(partial(_offered, typed, deep=deep))

    async def _found(self, search: partial[list[str]]) -> list[str]:
        if self._search is not None and not self._search.done():
            return []  # one that hangs must not be joined by one for each key
        self._search = asyncio.ensure_future(in_thread(search))
        done, _ = await asyncio.wait([self._search], timeout=_PATIENCE)
        return self._search.result() if done else []


def mention(line: str) -> str | None:
    """What is typed of a file's name after an `@` at the end of this line; `None` if none is."""
    match = _MENTION.search(line[-_MOST_SEEN:]) if "@" in line else None
    return match[1] if match else None


def unquoted(typed: str) -> str:
    """The name that is meant by what stands after the `@`."""
    return re.sub(r"\\(.)", r"\1", typed[1:]) if typed.startswith('"') else typed


def quoted(name: str) -> str:
    """The name as it stands after the `@`: in quotes if it holds a blank; a folder's stay open."""
    if not re.search(r"[\s\"']", name):
        return name
    escaped = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{escaped}' if name.endswith("/") else f'"{escaped}"'


def _offered(typed: str, *, deep: bool) -> list[str]:
    """Names as they go on from what is typed, the best first; what cannot be typed is left out."""
    head, slash, name = typed.rpartition("/")
    try:
        folder = Path(head or slash or ".").expanduser()
    except RuntimeError:  # there is no such user
        return []
    found = islice(_names(folder, deep=deep), _MOST_SEEN)
    fit = (each for each in found if each.isprintable() and _is_wanted(each, name))
    ordered = sorted(fit, key=lambda each: (each.count("/") - each.endswith("/"), each.lower()))
    return [f"{head}{slash}{each}" for each in best(name, ordered, str)[:_MOST_OFFERED]]


def _is_wanted(path: str, typed: str) -> bool:
    """Hidden names are offered when the typed part starts with a dot, and only then."""
    name = path.rstrip("/").rpartition("/")[2]
    return name.startswith(".") == typed.startswith(".")


def _names(root: Path, *, deep: bool) -> Iterator[str]:
    """What is in a folder and, if wanted, below it, as long as there is time; folders end in a /."""
    end = time.monotonic() + _SEARCH
    folders = deque([""])
    while folders:
        below = folders.popleft()
        with suppress(OSError, ValueError), os.scandir(root / below) as entries:
            for entry in entries:
                if time.monotonic() > end:
                    return
                name = f"{below}{entry.name}"
                walked = deep and entry.is_dir(follow_symlinks=False)
                if walked and not entry.name.startswith(".") and entry.name not in _NOT_WALKED:
                    folders.append(f"{name}/")
                yield f"{name}/" if entry.is_dir() else name
