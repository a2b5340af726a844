"""How `cloudllm sessions` lists conversations and hits: for a person by width, for a pipe whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from cloudllm import cells
from cloudllm.cli import listing
from cloudllm.messages import Role
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.transcript import SPEAKERS

if TYPE_CHECKING:
    from cloudllm.store.conversations import Entry
    from cloudllm.store.search import Hit

LEGEND = "*: open in another chat. !: its last reply was broken off."

_GAP = "  "
_SHORTEST_KEY = 9  # characters; two that began within a few seconds have these in common
_WHEN, _TURNS, _FOLDER = 1, 2, 3
_DROPPED = ((_FOLDER, 24), (_TURNS, 16), (_WHEN, 10))
"""Which columns go, in this order, if there is less room than this for titles."""

_WEEK = timedelta(days=7)


def listed(entries: Sequence[Entry], *, here: str, now: datetime) -> Iterator[str]:
    """A row for each conversation, under a header; on a terminal they fit its width."""
    if not listing.on_terminal():
        header = ("ID", "STATE", "WHEN", "TURNS", "FOLDER", "TITLE")
        yield from listing.table(header, [*map(_whole, entries)])
        return
    short = short_keys([entry.key for entry in entries])
    rows = [_row(entry, short[entry.key], here, now) for entry in entries]
    yield from _fitted(rows, listing.columns())


def hits(found: Sequence[Hit], *, now: datetime) -> Iterator[str]:
    """A row for each hit, the words marked by »« in their context, under one for the conversation."""
    short = short_keys([hit.entry.key for hit in found])
    width = listing.columns() if listing.on_terminal() else None
    before = ""
    for hit in found:
        if hit.entry.key != before:
            key = short[hit.entry.key] if width else hit.entry.key
            title = clean(hit.entry.title, one_line=True)
            when = moment(hit.created or hit.entry.updated, now if width else None)
            head = _GAP.join((key, when, title))
            yield cells.cut(head, width) if width else head
        yield _context(hit, width)
        before = hit.entry.key


def moment(milliseconds: int, now: datetime | None = None) -> str:
    """A time since 1970 as local time: short, as seen from `now`, or whole without it.

    An unknown time, which is 0, is "-".
    """
    if not milliseconds:
        return "-"
    try:
        time = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    except (OverflowError, ValueError, OSError):
        return "?"
    return f"{time:%Y-%m-%d %H:%M}" if now is None else _seen(time, now)


def _seen(time: datetime, now: datetime) -> str:
    """A time as it is said at another one."""
    days = (now.date() - time.date()).days
    if days == 0:
        return f"{time:%H:%M}"
    if days == 1:
        return "yesterday"
    if 0 < days < _WEEK.days:
        return f"{time:%A}"
    return f"{time.day} {time:%b}" if time.year == now.year else f"{time:%Y-%m-%d}"


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """For each key as much of its beginning as tells it from the others."""
    ordered = sorted(set(keys))
    shared = pairwise((0, *map(_in_common, ordered, ordered[1:]), 0))
    lengths = (max(_SHORTEST_KEY, 1 + max(both)) for both in shared)
    return {key: key[:length] for key, length in zip(ordered, lengths, strict=False)}


def marks(entry: Entry) -> str:
    """What is to be known of a conversation, as signs that `LEGEND` explains."""
    return f"{'*' * entry.is_open}{'!' * entry.broken}"


def _whole(entry: Entry) -> list[str]:
    """The cells of a conversation for a program."""
    states = ("open", entry.is_open), ("broken", entry.broken)
    state = ",".join(name for name, holds in states if holds) or "-"
    cell = (entry.key, state, moment(entry.updated), str(entry.turns), entry.folder or "-")
    return [*(clean(each, one_line=True) for each in cell), clean(entry.title, one_line=True)]


def _row(entry: Entry, key: str, here: str, now: datetime) -> list[str]:
    folder = "" if entry.folder == here else _from_home(entry.folder)
    cell = (f"{key} {marks(entry)}".rstrip(), moment(entry.updated, now), f"{entry.turns:,}")
    return [clean(each, one_line=True) for each in (*cell, folder, entry.title)]


def _fitted(rows: Sequence[Sequence[str]], columns: int) -> Iterator[str]:
    """The rows in so many cells: what matters least goes where the title had too little room."""
    table = [["ID", "WHEN", "TURNS", "FOLDER", "TITLE"], *map(list, rows)]
    widths = [max(map(cells.width, column)) for column in zip(*table, strict=True)]
    widths[_FOLDER] = min(widths[_FOLDER], columns // 4) if any(r[_FOLDER] for r in rows) else 0

    def room() -> int:
        return columns - sum(width + len(_GAP) for width in widths[:-1] if width)

    for place, least in _DROPPED:
        if room() < least:
            widths[place] = 0
    widths[-1] = max(room(), 1)
    for row in table:
        row[_FOLDER] = cells.cut_before(row[_FOLDER], widths[_FOLDER])
        shown = (
            cells.padded(cell, width, right=place == _TURNS)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        )
        yield _GAP.join(shown).rstrip()


def _context(hit: Hit, columns: int | None) -> str:
    """The row of a hit's words; what stands around them is cut to fit, they are not."""
    before, match, after = _as_line(hit.before), _as_line(hit.match), _as_line(hit.after)
    who = f"{SPEAKERS[Role(hit.role)]}: "
    if columns is not None:
        room = columns - len(_GAP) - len(who) - 2
        match = cells.cut(match, room)
        room -= cells.width(match)
        before = cells.cut_before(before, max(room // 2, room - cells.width(after)))
        after = cells.cut(after, room - cells.width(before))
    return f"{_GAP}{who}{before.lstrip()}{listing.bold(f'»{match}«')}{after.rstrip()}"


def _as_line(text: str) -> str:
    """Foreign text as one line; blanks that are many become one."""
    first, last = text[:1].isspace(), text[-1:].isspace()
    words = clean(" ".join(text.split()), one_line=True)
    return f"{' ' * first}{words}{' ' * (last and bool(words))}"


def _from_home(folder: str) -> str:
    """The folder, with ~ for the person's own."""
    home = os.path.expanduser("~")  # noqa: PTH111 - it never raises
    below = folder.removeprefix(home)
    return f"~{below}" if below != folder and below[:1] in ("", os.sep) else folder


def _in_common(left: str, right: str) -> int:
    """How many characters they begin with alike."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (one, other) in pairs if one != other), len(left))
