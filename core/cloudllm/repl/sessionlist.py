"""Conversations as they are listed: title, how long, when, where (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudllm.repl.choices import Choice
from cloudllm.words import one_line

if TYPE_CHECKING:
    from cloudllm.store.conversations import Entry
    from cloudllm.store.search import Hit

_TITLE = 60  # characters
_BEFORE, _FOUND = 30, 62  # characters before a hit, and in all: 80 with who said it

UNTITLED = "(no title)"


def moment(milliseconds: int, now: datetime | None = None) -> str:
    """When that was, as a person says it; the time is in milliseconds since 1970."""
    now = now or datetime.now().astimezone()
    then = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    if then.date() == now.date():
        return f"today {then:%H:%M}"
    if then.date() == now.date() - timedelta(days=1):
        return f"yesterday {then:%H:%M}"
    return f"{then:%Y-%m-%d %H:%M}"


def title(entry: Entry) -> str:
    """What a conversation is called, on one line."""
    return one_line(entry.title, _TITLE) or UNTITLED


def summary(entry: Entry) -> str:
    """How long it is, and when something was said in it."""
    noun = "turn" if entry.turns == 1 else "turns"
    marks = "".join(
        f" · {mark}" for mark, holds in (("broken off", entry.broken), ("open", entry.is_open))
        if holds
    )  # fmt: skip
    return f"{entry.turns:,} {noun} · {moment(entry.updated)}{marks}"


def choice(entry: Entry) -> Choice:
    """A conversation to choose."""
    return Choice(
        name=entry.title or UNTITLED, note=summary(entry), place=entry.folder or "(no folder)"
    )


def hit_line(number: int, hit: Hit) -> str:
    """A message that was found: which conversation, and the words around the hit."""
    before = hit.before if len(hit.before) <= _BEFORE else f"…{hit.before[-_BEFORE:].lstrip()}"
    found = one_line(f"{before}{hit.match}{hit.after}", _FOUND)
    return f"{number:>3}  {title(hit.entry)}  ({moment(hit.created)})\n     {hit.role}: {found}"
