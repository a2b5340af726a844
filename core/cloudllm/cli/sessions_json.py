"""Conversations and hits as JSON shows them; the names are part of the interface and stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudllm.store.conversations import Entry
    from cloudllm.store.search import Hit


def entry(found: Entry) -> dict[str, object]:
    """A conversation in a list; times are in milliseconds since 1970, as in an export."""
    return {
        "id": found.key,
        "title": found.title,
        "created": found.created,
        "updated": found.updated,
        "folder": found.folder,
        "model": found.model,
        "turns": found.turns,
        "broken": found.broken,
        "open": found.is_open,
    }


def hit(found: Hit) -> dict[str, object]:
    """A message that was found, with what stands around the words."""
    return {
        "conversation": entry(found.entry),
        "role": found.role,
        "created": found.created,
        "before": found.before,
        "match": found.match,
        "after": found.after,
    }
