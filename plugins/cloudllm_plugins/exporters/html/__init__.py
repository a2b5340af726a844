"""Conversations as one HTML page: it needs nothing but itself, and nothing in it can run.

No script, no picture and nothing from elsewhere: the page's own policy forbids what a mistake in here
would let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from cloudllm import Archive
from cloudllm_plugins.exporters.html.message import message
from cloudllm_plugins.exporters.html.page import beginning, end, heading
from cloudllm_plugins.exporters.said import title

_SEVERAL = "Conversations"


def write(archives: Iterable[Archive]) -> Iterator[str]:
    """The branch in use of each conversation, a message at a time."""
    waiting = iter(archives)
    first, second = next(waiting, None), next(waiting, None)
    yield beginning(title(first) if first and not second else _SEVERAL)
    known = [archive for archive in (first, second) if archive]
    for number, archive in enumerate(chain(known, waiting), 1):
        yield f"<article>\n{heading(archive)}"
        for place, each in enumerate(archive.branch(), 1):
            yield message(each, f"m{number}-{place}" if second else f"m{place}")
        yield "</article>\n"
    yield end()
