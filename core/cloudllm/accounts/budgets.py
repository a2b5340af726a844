"""Budgets: what may be spent, what of it is spent, and what a call may still cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal

from cloudllm.errors import BudgetExceeded
from cloudllm.pricing import Price, dollars
from cloudllm.store import ledger

if TYPE_CHECKING:
    from sqlite3 import Connection

_NANO = 10**9
_USUAL_ANSWER = 4_096  # tokens: what is set aside where nobody knows the model's limit

Budget = Literal["session", "day", "month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What may be spent, in US dollars; `None` is no limit.

    `allow_unknown` are the models, by id, that may be used although nobody knows their price.
    """

    session: float | None = None
    day: float | None = None
    month: float | None = None
    allow_unknown: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(list(self.limits()))

    def limits(self) -> Iterator[tuple[Budget, int]]:
        """Those that are set, in billionths of a dollar."""
        given: tuple[tuple[Budget, float | None], ...] = (
            ("session", self.session), ("day", self.day), ("month", self.month),
        )  # fmt: skip
        for name, limit in given:
            if limit is not None:
                yield name, round(limit * _NANO) if math.isfinite(limit * _NANO) else 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with one budget, in billionths of a dollar."""

    name: Budget
    limit: int
    spent: int

    @property
    def left(self) -> int:
        """What may still be spent."""
        return max(self.limit - self.spent, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to come.

    session            names the session, among all processes
    model              the model id
    input_tokens       the estimate for what goes out, with its margin
    max_output_tokens  the longest answer that is asked for, if there is a limit
    output_limit       the model's own limit, if it is known
    consent_nano       a projected cost that the user agreed to, whatever the budgets say
    """

    session: str
    model: str
    purpose: Literal["reply", "summary", "title"]
    price: Price
    input_tokens: int
    max_output_tokens: int | None = None
    output_limit: int | None = None
    consent_nano: int | None = None

    @property
    def longest(self) -> int:
        """How long the answer may get if nothing more is said."""
        return self.max_output_tokens or self.output_limit or _USUAL_ANSWER


def stand(
    connection: Connection, budgets: Budgets, session: str | None, now: int
) -> tuple[Standing, ...]:
    """How it stands with each budget at `now`, in milliseconds since 1970.

    Without a `session` that budget is left out.
    """
    return tuple(
        Standing(name=name, limit=limit, spent=_spent(connection, name, session or "", now))
        for name, limit in budgets.limits()
        if session is not None or name != "session"
    )


def _spent(connection: Connection, name: Budget, session: str, now: int) -> int:
    if name == "session":
        return ledger.spent_by_session(connection, session)
    today = datetime.fromtimestamp(now / 1000).astimezone().date()
    if name == "day":
        return ledger.spent_between(
            connection, day_start(today), day_start(today + timedelta(days=1))
        )
    first = today.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return ledger.spent_between(connection, day_start(first), day_start(following))


def day_start(day: date) -> int:
    """When the day begins for the user, in milliseconds since 1970."""
    return round(datetime.combine(day, time.min).astimezone().timestamp() * 1000)


def refuse_unknown(budgets: Budgets, call: Call) -> None:
    """Raise `BudgetExceeded` if nobody knows what the call costs, and it is not allowed by name."""
    if call.price.known or call.model in budgets.allow_unknown:
        return
    raise BudgetExceeded(
        f"nobody knows the price of {call.model}, so the budget cannot be kept",
        advice=f'To use it all the same: budget.allow_unknown = ["{call.model}"], or in the chat'
        f" /set budget.allow_unknown {call.model}",
        model=call.model,
    )


def allowance(standings: tuple[Standing, ...], call: Call) -> tuple[int, Budget | None]:
    """How long the answer may get, and the budget because of which it is not longer.

    Raises:
        BudgetExceeded: it would be too short, or shorter than was asked for.
    """
    if not call.price.known or call.price.free:
        return call.longest, None
    tightest = min(standings, key=lambda standing: standing.left)
    money = max(tightest.left, call.consent_nano or 0)
    affordable = call.price.answer(money, call.input_tokens)
    least = call.longest if call.max_output_tokens else min(_USUAL_ANSWER, call.longest)
    if money > tightest.left:
        least //= 2  # who agreed to this cost is not asked again for a few tokens more of input
    if affordable < least:
        raise _exceeded(tightest, call, call.price.projected(call.input_tokens, least))
    if affordable < call.longest:
        return affordable, tightest.name
    return call.longest, None


def _exceeded(standing: Standing, call: Call, projected: int | None) -> BudgetExceeded:
    limit, spent = dollars(standing.limit), dollars(standing.spent)
    return BudgetExceeded(
        f"budget.{standing.name}: of {limit} {spent} is spent, and this call to {call.model}"
        f" could cost {dollars(projected or 0)}",
        advice=f"A smaller max_output_tokens costs less; or raise budget.{standing.name}",
        model=call.model,
        projected_nano=projected,
    )
