"""What /context, /tokens and /why answer: plans, numbers and attempts as lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cloudllm.calibration import Calibration
from cloudllm.cells import cut, padded, width
from cloudllm.context import Plan
from cloudllm.messages import Attempt, Cost, Message, Usage
from cloudllm.repl.wording import described, priced

_COLUMNS = 80


def plan_text(plan: Plan, *, strategy: str, newest: bool) -> str:
    """The messages of a plan, and what it needs; `newest` shows the message to be sent, too."""
    rows = plan.rows() if newest else plan.rows()[:-1]
    table = [("turn", "from", "tokens", "goes out", "")]
    table += [
        (str(row.turn or "-"), row.role, f"{row.tokens:,}", str(row.fate), row.text) for row in rows
    ]
    return "\n".join([*_table(table, right=(0, 2)), "", *_needs(plan, strategy)])


def _needs(plan: Plan, strategy: str) -> Iterator[str]:
    limit = "no limit is known" if plan.limit is None else f"of {plan.limit:,} tokens"
    yield (
        f"needs     {plan.needed:,} {limit}: ~{plan.tokens:,} go out, {plan.margin:.0%} more for"
    )
    yield f"          errors of the estimate, {plan.reserve:,} are kept free for the answer"
    yield f"strategy  {strategy}"
    if plan.left_out:
        count = len(plan.left_out)
        noun = "message" if count == 1 else "messages"
        yield (
            f"left out  {count:,} {noun} (~{plan.left_out_tokens:,} tokens); the history keeps them"
        )


def tokens_text(
    last: Message | None, usage: Usage, cost: Cost, *, limit: int | None, calibration: Calibration
) -> str:
    """Tokens and cost of the last reply and of the session, and how far the estimate is off.

    There may be no `last` reply any more, though tokens were used.
    """
    return "\n".join(
        (
            f"last reply  {f'{described(last.usage)} · {priced(last.cost)}' if last else 'none'}",
            f"session     {described(usage)} · {priced(cost)}",
            f"window      {f'{limit:,} tokens' if limit else 'unknown'}",
            f"estimate    {_accuracy(calibration)}",
        )
    )


def _accuracy(calibration: Calibration) -> str:
    margin = f"margin {calibration.margin:.0%}"
    if calibration.error is None:
        return f"not checked yet; {margin}"
    reports = "1 report" if calibration.reports == 1 else f"{calibration.reports:,} reports"
    return f"off by {calibration.error:.1%} lately, by {reports} of the provider; {margin}"


def attempts_text(attempts: Sequence[Attempt]) -> str:
    """A table of attempts, each followed by why it failed and by its request id."""
    table: list[tuple[str, ...]] = [("", "model", "outcome", "waited", "took", "status")]
    table += [_cells(attempt) for attempt in attempts]
    header, *rows = _table(table, right=(0, 3, 4))
    lines = [header]
    for row, attempt in zip(rows, attempts, strict=True):
        lines.append(row)
        if attempt.error:
            lines.append(f"   {attempt.error}")
        if attempt.request_id:
            lines.append(f"   request {attempt.request_id}")
    return "\n".join(lines)


def _cells(attempt: Attempt) -> tuple[str, ...]:
    return (
        str(attempt.number),
        attempt.model,
        str(attempt.outcome),
        f"{attempt.waited:.1f} s" if attempt.waited else "-",
        f"{attempt.seconds:.1f} s",
        str(attempt.status or "-"),
    )


def _table(rows: Sequence[tuple[str, ...]], *, right: Iterable[int]) -> list[str]:
    """Rows with their columns aligned, those in `right` at the right; all but the last fit."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    flush = set(right)
    lines = []
    for row in rows:
        placed = enumerate(zip(row, widths, strict=True))
        parts = (padded(cell, room, right=at in flush) for at, (cell, room) in placed)
        lines.append(cut("  ".join(parts).rstrip(), _COLUMNS))
    return lines
