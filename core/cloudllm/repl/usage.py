"""What calls cost, as `cloudllm usage` and /usage show it: a table with bars, and JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from cloudllm.accounts import Budgets, Standing, day_start, stand
from cloudllm.errors import UsageError
from cloudllm.pricing import dollars
from cloudllm.repl import usage_table
from cloudllm.store import report
from cloudllm.store.database import Store
from cloudllm.store.report import By, Line

KINDS: tuple[By, ...] = ("day", "model", "provider")

COLUMNS = 80
"""The width of a report for a terminal whose own is not known."""

_DAYS = re.compile(r"([0-9]{1,6})d")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What the ledger says from `since` on, and how it stands with the budgets that are set."""

    by: By
    since: date | None
    lines: list[Line]
    standings: tuple[Standing, ...]

    @property
    def total(self) -> Line:
        """All lines together."""
        return report.total(self.lines)


def usage_report(
    argument: str,
    *,
    path: Path,
    budgets: Budgets,
    session: str | None = None,
    columns: int = COLUMNS,
    ascii_only: bool = False,
) -> str:
    """What /usage shows for its argument: `day`, `model` or `provider`, and since when.

    It reads the ledger at `path`, which blocks; `session` names the session whose budget is shown.

    Raises:
        UsageError: the argument makes no sense.
        StoreError: the ledger cannot be read.
    """
    by: By = "day"
    since = None
    for word in argument.split():
        kind = next((kind for kind in KINDS if kind == word), None)
        if kind is None:
            since = since_day(word)
        by = kind or by
    usage = read(path, by, since, budgets, session)
    return "\n".join(described(usage, columns=columns, ascii_only=ascii_only))


def since_day(text: str) -> date:
    """The day that is meant: a date, or so many days ago; raises `UsageError`."""
    try:
        days = _DAYS.fullmatch(text)
        if days:
            return datetime.now().astimezone().date() - timedelta(days=int(days[1]))
        return date.fromisoformat(text)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is neither a date nor a number of days",
            advice="Give it as 2026-11-28, or as 7d",
        ) from None


def read(
    path: Path, by: By, since: date | None, budgets: Budgets, session: str | None = None
) -> UsageReport:
    """Read the ledger; one that is not there is empty, and is not made.

    Raises:
        StoreError: it cannot be read.
    """
    if not path.exists():
        unspent = (
            Standing(name=name, limit=limit, spent=0)
            for name, limit in budgets.limits()
            if name != "session" or session is not None
        )
        return UsageReport(by=by, since=since, lines=[], standings=tuple(unspent))
    store = Store(path)
    try:
        with store.read() as connection:
            found = report.lines(connection, by, day_start(since) if since else 0)
            standings = stand(connection, budgets, session, round(time.time() * 1000))
    finally:
        store.close()
    return UsageReport(by=by, since=since, lines=found, standings=standings)


def described(usage: UsageReport, *, columns: int, ascii_only: bool = False) -> Iterator[str]:
    """The report as lines that fit a terminal of so many columns."""
    if usage.lines:
        yield from usage_table.drawn(
            usage.by.upper(), usage.lines, usage.total, columns, ascii_only=ascii_only
        )
        yield from _remarks(usage.total)
    else:
        yield f"No calls since {usage.since}." if usage.since else "No calls yet."
    for each in usage.standings:
        yield (
            f"budget.{each.name}: {dollars(each.spent)} of {dollars(each.limit)} spent,"
            f" {dollars(each.left)} left"
        )


def facts(usage: UsageReport) -> dict[str, object]:
    """The report as JSON shows it; money is exact in billionths of a US dollar."""
    return {
        "by": usage.by,
        "since": usage.since.isoformat() if usage.since else None,
        "rows": [_facts(line) for line in usage.lines],
        "total": _facts(usage.total),
        "budgets": [
            {
                "name": each.name,
                "limit_nano": each.limit,
                "spent_nano": each.spent,
                "left_nano": each.left,
            }
            for each in usage.standings
        ],
    }


def _facts(line: Line) -> dict[str, object]:
    priced = line.calls - line.unknown - line.open or not line.calls
    return {
        "name": line.name,
        "calls": line.calls,
        "input_tokens": line.input,
        "output_tokens": line.output,
        "cached_tokens": line.cached,
        "stored_tokens": line.stored,
        "reasoning_tokens": line.reasoning,
        "estimated": line.estimated,
        "cost_nano": line.cost if priced else None,
        "cost_estimated": line.cost_estimated,
        "unknown_calls": line.unknown,
        "open_calls": line.open,
        "reserved_nano": line.reserved,
    }


def _remarks(total: Line) -> Iterator[str]:
    if total.estimated:
        yield "~: estimated, since the provider did not say."
    if total.unknown:
        noun = "call has" if total.unknown == 1 else "calls have"
        yield f"unknown, ?: {total.unknown:,} {noun} a price that nobody knows."
    if total.open:
        noun = "call is" if total.open == 1 else "calls are"
        yield (
            f"{total.open:,} {noun} under way, or never ended since the program was killed;"
            f" {dollars(total.reserved)} is set aside."
        )
