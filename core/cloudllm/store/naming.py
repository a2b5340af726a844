"""Which conversation a person means, and what they may call one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count

from cloudllm.errors import UsageError
from cloudllm.store import titles
from cloudllm.store.entries import Entry
from cloudllm.words import quoted

_FORK = re.compile(r" \(fork(?: \d{1,9})?\)$")
_SHORTEST_PREFIX = 4
_MOST_LISTED = 5
# Those of terminals, lines and directions; half a character; not what joins emoji.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def find(entries: Sequence[Entry], name: str, *, listing: str) -> Entry:
    """The one of that name: its key or its beginning, its title, or a part of that.

    `listing` is what a person runs, where they are told that there is none, to see all.

    Raises:
        UsageError: there is none, or more than one.
    """
    wanted = name.strip()
    several: list[Entry] = []
    for fits in _tests(wanted):
        found = [each for each in entries if fits(each)]
        if len(found) == 1:
            return found[0]
        several = several or found
    shown = quoted(wanted)
    if several:
        raise UsageError(
            f"{len(several)} conversations fit {shown}: {_listed(several)}",
            advice="Name one by its ID",
        )
    advice = _closest(entries, wanted) or f"{listing} shows them"
    raise UsageError(f"There is no conversation {shown}", advice=advice)


def checked_title(title: str) -> str:
    """The title as it is kept; raises `UsageError` if it can be none."""
    wanted = title.strip()
    if not wanted:
        raise UsageError("A title can't be blank")
    if len(wanted) > titles.LONGEST:
        raise UsageError(
            f"A title has at most {titles.LONGEST} characters; this one has {len(wanted)}"
        )
    if _CONTROLS.search(wanted):
        raise UsageError(f"A title can hold no control characters: {quoted(wanted)}")
    return wanted


def title_of_fork(title: str, taken: Collection[str]) -> str:
    """What a copy is called, such as "My talk (fork)"; also the copy of a copy."""
    base = _FORK.sub("", title)
    ends = (" (fork)" if number == 1 else f" (fork {number})" for number in count(1))
    wanted = (base[: titles.LONGEST - len(end)] + end for end in ends)
    return next(each for each in wanted if each not in taken)


def _tests(wanted: str) -> Iterable[Callable[[Entry], bool]]:
    """The ways to name a conversation; the first one that only one fits holds."""
    folded = wanted.casefold()
    yield lambda entry: entry.key == wanted
    if len(wanted) >= _SHORTEST_PREFIX:
        yield lambda entry: entry.key.startswith(wanted)
    yield lambda entry: entry.title == wanted
    if folded:
        yield lambda entry: entry.title.casefold() == folded
        yield lambda entry: entry.title.casefold().startswith(folded)
        yield lambda entry: folded in entry.title.casefold()


def _listed(found: Sequence[Entry]) -> str:
    shown = [f"{each.key} ({quoted(each.title, 40)})" for each in found[:_MOST_LISTED]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _closest(entries: Sequence[Entry], wanted: str) -> str:
    if not entries:
        return "None has been kept yet"
    known = {each.title.casefold(): each.title for each in reversed(entries)}
    close = difflib.get_close_matches(wanted.casefold()[:100], known, n=1)
    if close:
        return f"Did you mean {quoted(known[close[0]])}?"
    return ""
