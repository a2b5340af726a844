"""One conversation as `cloudllm sessions show` prints it: as it was said, or as an outline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudllm import cells
from cloudllm.cli import listing
from cloudllm.cli.sessions_text import moment
from cloudllm.messages import Role
from cloudllm.repl.render.sanitize import clean
from cloudllm.repl.transcript import SPEAKERS, SpokenTurn, first_line, in_full
from cloudllm.repl.wording import state
from cloudllm.words import counted

if TYPE_CHECKING:
    from cloudllm.archive import Archive, ArchivedMessage

_DEEPEST = 8  # branches within branches that are told apart by blanks


def in_words(archive: Archive, *, everything: bool) -> Iterator[str]:
    """The branch in use, or every message in the order in which they came, in pieces."""
    yield f"{archive.title}\n{_about(archive)}\n"
    messages = archive.messages if everything else archive.branch()
    before: str | None = None
    for each in messages:
        turn = SpokenTurn(0, (each.message,))
        where = f"[{each.id}{_after(each, before)}] " if everything else ""
        yield f"\n{where}{in_full(turn)}\n"
        before = each.id
    if not messages:
        yield "\n(nothing was said)\n"


def outline(archive: Archive) -> Iterator[str]:
    """A line for each message, cut to fit a terminal; * marks those on the branch in use.

    What follows a message stands below it; where there are several ways on, each begins with "-".
    The number of the message that one follows is told where that is not right above it.
    """
    used = {each.id for each in archive.branch()}
    before: str | None = None
    columns = listing.columns() if listing.on_terminal() else None
    yield clean(archive.title, one_line=True)
    digits = len(str(len(archive.messages)))
    for each, indent in _in_depth(archive):
        mark = "*" if each.id in used else " "
        text = clean(first_line(each.message.content), one_line=True)
        notes = _after(each, before).strip(), state(each.message.status)
        noted = ", ".join(filter(None, notes))
        who = f"{SPEAKERS[each.message.role]}{f' ({noted})' if noted else ''}"
        before = each.id
        row = f"{mark} {each.id:>{digits}} {indent}{who}: {text}"
        yield row if columns is None else cells.cut(row, columns)


def _about(archive: Archive) -> str:
    """The line under the title."""
    turns = sum(each.message.role is Role.USER for each in archive.branch())
    facts = (
        archive.id,
        moment(archive.updated),
        counted(turns, "turn"),
        archive.model,
        archive.folder,
    )
    return " · ".join(filter(None, facts))


def _after(each: ArchivedMessage, before: str | None) -> str:
    """Which message it follows, if that is not the one that stands above it."""
    if each.parent == before:
        return ""
    return " at the beginning" if each.parent is None else f" after {each.parent}"


def _in_depth(archive: Archive) -> Iterator[tuple[ArchivedMessage, str]]:
    """Every message after the one that it follows, with what stands before it in the outline."""
    children: dict[str | None, list[ArchivedMessage]] = {}
    for each in archive.messages:
        children.setdefault(each.parent, []).append(each)
    waiting = [(each, 0) for each in reversed(children.get(None, ()))]
    while waiting:
        each, depth = waiting.pop()
        several = len(children[each.parent]) > 1
        yield each, f"{'  ' * min(depth, _DEEPEST)}{'- ' * several}"
        waiting += [(way, depth + several) for way in reversed(children.get(each.id, ()))]
