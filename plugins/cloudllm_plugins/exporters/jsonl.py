"""Conversations as JSON Lines, with all branches: a line for each, then one for each message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudllm import Archive
from cloudllm_plugins.exporters.values import FORMAT, dumped


def write(archives: Iterable[Archive]) -> Iterator[str]:
    """Lines that can be imported; nothing is lost."""
    for archive in archives:
        yield f"{dumped({**FORMAT, 'conversation': archive.heading()})}\n"
        for each in archive.messages:
            yield f"{dumped({'message': each.as_object()})}\n"
