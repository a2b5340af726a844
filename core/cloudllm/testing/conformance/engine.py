"""Runs items one after the other and turns what comes of each into a verdict."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, Protocol, TypeVar

from cloudllm.errors import UsageError
from cloudllm.provider import KnownGap
from cloudllm.testing.conformance.model import (
    Failed,
    Item,
    NotApplicable,
    Progress,
    Result,
    Verdict,
)

_LONGEST = 400  # characters of a detail


class Subject(Protocol):
    """What items are run on."""

    @property
    def name(self) -> str:
        """As in `Verdict.subject`."""

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """Those that there are so far, by item."""

    @property
    def gaps(self) -> Mapping[str, KnownGap]:
        """What the subject declares not to meet, by item."""

    def running(self) -> AbstractContextManager[object]:
        """Entered while an item runs."""

    def clean(self, text: str) -> str:
        """The text without anything secret."""


_S_contra = TypeVar("_S_contra", bound=Subject, contravariant=True)


@dataclass(frozen=True, slots=True)
class Check(Generic[_S_contra]):
    """An item and how it is checked: `run` raises `Failed` or `NotApplicable`."""

    item: Item
    run: Callable[[_S_contra], Awaitable[str | None]]


def check(
    name: str, summary: str
) -> Callable[[Callable[[_S_contra], Awaitable[str | None]]], Check[_S_contra]]:
    """Make a check of a function; what it returns is the detail of a verdict that is "ok"."""
    return lambda run: Check(Item(name=name, summary=summary), run)


def chosen(
    checks: Iterable[Check[_S_contra]], names: Collection[str] | None
) -> Sequence[Check[_S_contra]]:
    """The checks of those items.

    Raises:
        UsageError: there is no such item.
    """
    known = {each.item.name: each for each in checks}
    for name in names or ():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}"
            raise UsageError(f"There is no item {name!r}", advice=hint)
    return [each for name, each in known.items() if names is None or name in names]


async def run(
    checks: Iterable[Check[_S_contra]], subject: _S_contra, progress: Progress | None = None
) -> list[Verdict]:
    """Run the checks in order; the verdicts are in `subject.verdicts` as well."""
    for each in checks:
        if progress is not None:
            progress(each.item)
        verdict = await _verdict(each, subject)
        subject.verdicts[verdict.item] = verdict
        if progress is not None:
            progress(verdict)
    return list(subject.verdicts.values())


async def _verdict(each: Check[_S_contra], subject: _S_contra) -> Verdict:
    start = time.perf_counter()
    result: Result
    try:
        with subject.running():
            result, detail = "ok", await each.run(subject) or ""
    except Failed as failed:
        result, detail = "failed", str(failed)
    except NotApplicable as reason:
        result, detail = "not applicable", str(reason)
    except Exception as error:  # noqa: BLE001 - what the subject raises where nobody expects it
        result, detail = "failed", f"{type(error).__name__}: {error}"
    if gap := subject.gaps.get(each.item.name):
        result, detail = _with_gap(result, detail, gap)
    detail = " ".join(subject.clean(detail).split())
    return Verdict(
        item=each.item.name,
        result=result,
        detail=detail if len(detail) <= _LONGEST else detail[: _LONGEST - 1] + "…",
        seconds=round(time.perf_counter() - start, 3),
        subject=subject.name,
    )


def _with_gap(result: Result, detail: str, gap: KnownGap) -> tuple[Result, str]:
    """What a declared gap makes of a verdict."""
    if result == "failed":
        return "known gap", f"since {gap.since:%Y-%m-%d}: {gap.reason} ({detail})"
    if result == "ok":
        return "ok", f"gap closed: remove the KnownGap of {gap.since:%Y-%m-%d}"
    return result, detail
