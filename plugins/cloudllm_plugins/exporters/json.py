"""Conversations as one JSON document, with all branches; nothing is lost, and it can be imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudllm import Archive
from cloudllm_plugins.exporters.values import FORMAT, dumped


def write(archives: Iterable[Archive]) -> Iterator[str]:
    """A document with each message on a line of its own."""
    yield f'{dumped(FORMAT)[:-1]}, "conversations": ['
    for number, archive in enumerate(archives):
        yield "," if number else ""
        yield f'\n{dumped(archive.heading())[:-1]}, "messages": ['
        for place, each in enumerate(archive.messages):
            yield f"{',' if place else ''}\n{dumped(each.as_object())}"
        yield "\n]}"
    yield "\n]}\n"
