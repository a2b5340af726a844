"""Conversations as they are listed: title, how long, when, where (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from cloudllm.messages import Role
from cloudllm.repl.cells import cut, width
from cloudllm.repl.choices import Choice, row
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.transcript import SPEAKERS
from cloudllm.words import counted, one_line

if TYPE_CHECKING:
    from cloudllm.store.conversations import Entry
    from cloudllm.store.search import Hit

_TITLE = 60  # characters
_INDENT = 5  # cells, as below a number
_ROW = 80  # cells that a hit may take where nothing else is said

UNTITLED = "(no title)"


def moment(milliseconds: int, now: datetime | None = None) -> str:
    """When that was, as a person says it; milliseconds since 1970, and 0 is unknown."""
    if not milliseconds:
        return "-"
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
    marks = "".join(
        f" · {mark}" for mark, holds in (("broken off", entry.broken), ("open", entry.is_open))
        if holds
    )  # fmt: skip
    return f"{counted(entry.turns, 'turn')} · {moment(entry.updated)}{marks}"


def choice(entry: Entry) -> Choice:
    """A conversation to choose."""
    return Choice(
        name=entry.title or UNTITLED,
        note=summary(entry),
        short=moment(entry.updated).partition(" ")[0],
        place=entry.folder or "(no folder)",
    )


def hit_lines(number: int, hit: Hit, columns: int | None = None) -> str:
    """A message that was found: which conversation, and in a second line the words around the hit."""
    when = moment(hit.created or hit.entry.updated)
    which = row(number, Choice(name=title(hit.entry), note=when), columns)
    who = SPEAKERS[Role(hit.role)].lower()
    room = (columns or _ROW) - _INDENT - len(f"{who}: ")
    before = _end(hit.before, room // 2)
    found = cut(clean(one_line(f"{before}{hit.match}{hit.after}"), one_line=True), room)
    return f"{which}\n{'':{_INDENT}}{who}: {found}"


def _end(text: str, columns: int) -> str:
    """The text, or as much of its end as fits with an ellipsis before."""
    kept = text
    while width(kept) >= columns:
        kept = kept[1:]
    return text if kept == text else f"…{kept.lstrip()}"
