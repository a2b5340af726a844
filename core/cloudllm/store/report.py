"""What the ledger adds up to, by day, model or provider."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlite3 import Connection

By = Literal["day", "model", "provider"]

_GROUPS: dict[By, str] = {
    "day": "coalesce(date(time / 1000, 'unixepoch', 'localtime'), 'unknown')",
    "model": "provider || '/' || model",
    "provider": "provider",
}
_SUMS = """
    count(*),
    coalesce(sum(input), 0),
    coalesce(sum(output), 0),
    sum(cached),
    sum(stored),
    sum(reasoning),
    coalesce(max(source = 'estimate'), 0),
    coalesce(sum(cost), 0),
    coalesce(max(source = 'estimate' AND cost > 0), 0),
    coalesce(sum(state = 'settled' AND cost IS NULL), 0),
    coalesce(sum(state = 'reserved'), 0),
    coalesce(sum(charged) FILTER (WHERE state = 'reserved'), 0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The calls of one day, model or provider.

    cached, stored, reasoning   parts of these tokens; `None` where no provider said anything of them
    estimated       some of the tokens are our own estimate
    cost            in billionths of a US dollar, of the calls whose price is known
    cost_estimated  some of the cost comes of an estimate
    unknown         how many calls have a price that nobody knows
    open            how many are under way, or were never settled since the program was killed
    reserved        what is set aside for those, in billionths of a dollar
    """

    name: str
    calls: int = 0
    input: int = 0
    output: int = 0
    cached: int | None = None
    stored: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    cost: int = 0
    cost_estimated: bool = False
    unknown: int = 0
    open: int = 0
    reserved: int = 0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def __add__(self, other: Line) -> Line:
        return Line(
            name=self.name,
            calls=self.calls + other.calls,
            input=self.input + other.input,
            output=self.output + other.output,
            cached=_sum(self.cached, other.cached),
            stored=_sum(self.stored, other.stored),
            reasoning=_sum(self.reasoning, other.reasoning),
            estimated=self.estimated or other.estimated,
            cost=self.cost + other.cost,
            cost_estimated=self.cost_estimated or other.cost_estimated,
            unknown=self.unknown + other.unknown,
            open=self.open + other.open,
            reserved=self.reserved + other.reserved,
        )


def lines(connection: Connection, by: By, since: int) -> list[Line]:
    """A line for each, of the calls from `since` on, in milliseconds since 1970.

    Days are the user's own, in their order; the rest begins with what cost most.
    """
    rows = connection.execute(
        f"SELECT {_GROUPS[by]} AS name, {_SUMS} FROM call"  # noqa: S608 - our own words
        " WHERE state != 'void' AND time >= ? GROUP BY name ORDER BY name",
        (since,),
    )
    found = [_line(*row) for row in rows]
    return found if by == "day" else sorted(found, key=lambda line: (-line.cost, -line.tokens))


def total(found: list[Line]) -> Line:
    """All of them together."""
    return reduce(Line.__add__, found, Line(name="total"))


def _line(name: str, *sums: int) -> Line:
    calls, given, output, cached, stored, reasoning, estimated, cost, about, unknown, *rest = sums
    return Line(
        name=name,
        calls=calls,
        input=given,
        output=output,
        cached=cached,
        stored=stored,
        reasoning=reasoning,
        estimated=bool(estimated),
        cost=cost,
        cost_estimated=bool(about),
        unknown=unknown,
        open=rest[0],
        reserved=rest[1],
    )


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None and right is None else (left or 0) + (right or 0)
