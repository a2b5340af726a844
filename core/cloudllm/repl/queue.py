"""What was sent while a reply came in: it waits, is shown, and can be taken back."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import NamedTuple

from cloudllm.repl.cells import cut
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.secrets import without_secret
from cloudllm.repl.sentinel import Command, UserText

_SHOWN = 4
"""Rows at most."""

_LABEL = 500
"""Characters of a draft that are looked at for its row."""


class Submission(NamedTuple):
    """A draft as the input history has it, and what it means."""

    draft: str
    means: Command | UserText


class Queue:
    """Submissions in the order in which they were sent."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Submission, str]] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, submission: Submission) -> None:
        """Have it wait behind all others."""
        self._waiting.append((submission, _label(submission.draft)))
        self._arrived.set()

    async def next(self) -> Submission:
        """The first one, as soon as there is one; it waits no more."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()[0]

    def take_last(self) -> Submission | None:
        """Take back the one that was sent last, if any waits."""
        return self._waiting.pop()[0] if self._waiting else None

    def take_all(self) -> list[Submission]:
        """Take back all that wait, in order."""
        taken = [submission for submission, _ in self._waiting]
        self._waiting.clear()
        return taken

    def drafts(self) -> list[str]:
        """Those of the messages that wait, in order; commands are none."""
        waiting = (submission for submission, _ in self._waiting)
        return [each.draft for each in waiting if isinstance(each.means, UserText)]

    def rows(self, columns: int) -> list[str]:
        """A row for each, safe to show; of many the first ones and the last."""
        last = len(self._waiting)
        ahead = last if last <= _SHOWN else _SHOWN - 2
        first = islice(self._waiting, ahead)
        labels = [f"queued {number}: {label}" for number, (_, label) in enumerate(first, 1)]
        if last > ahead:
            labels += [
                f"… {last - ahead - 1} more queued",
                f"queued {last}: {self._waiting[-1][1]}",
            ]
        return [cut(label, columns) for label in labels]


def _label(draft: str) -> str:
    """The first line of a draft, with a sign for further ones."""
    text = without_secret(draft).strip()
    first = clean(text[:_LABEL].partition("\n")[0].rstrip(), one_line=True)
    return first if first == text else f"{first} …"
