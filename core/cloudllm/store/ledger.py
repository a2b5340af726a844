"""The ledger: one row for each call that went out, with its tokens, its price and its cost."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlite3 import Connection

State = Literal["reserved", "settled", "void"]
"""Under way or killed; over; not sent or refused, so that it cost nothing."""

_MOST_NANO = 10**13  # no call costs more, and a million of them still fit a sum
_MOST_TIME = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row, in the order of its columns; `None` is unknown.

    key                   names the call, among all processes
    time                  when it was reserved, in milliseconds since 1970
    projected             the most that it could cost
    charged               what counts against a budget
    source                who counted the tokens, "provider" or "estimate"
    cost, price_source    what it cost, and where the prices are from
    """

    key: str
    time: int
    session: str
    purpose: str
    provider: str
    model: str
    state: State
    projected: int | None
    charged: int
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    stored: int | None = None
    reasoning: int | None = None
    source: str | None = None
    cost: int | None = None
    input_price: int | None = None
    output_price: int | None = None
    cached_price: int | None = None
    stored_price: int | None = None
    price_source: str | None = None


_COLUMNS = tuple(each.name for each in fields(Entry))
_PUT = (
    f"INSERT INTO call ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608 - names of ours
    "ON CONFLICT (key) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
)
_SPENT = "SELECT coalesce(sum(charged), 0) FROM call WHERE "


def put(connection: Connection, entry: Entry) -> None:
    """Write the row, or write it anew."""
    connection.execute(_PUT, tuple(map(_fit, _COLUMNS, astuple(entry))))


def spent_by_session(connection: Connection, session: str) -> int:
    """What counts of this session."""
    return _sum(connection, "session = ?", _fit("session", session))


def spent_between(connection: Connection, start: int, end: int) -> int:
    """What counts of the time from `start` up to `end`, without it."""
    return _sum(connection, "time >= ? AND time < ?", start, end)


def _sum(connection: Connection, where: str, *values: object) -> int:
    total: int = connection.execute(_SPENT + where, values).fetchone()[0]
    return total


def _fit(column: str, value: object) -> object:
    """The value as SQLite takes it, and as sums do not run over."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int):
        return min(max(value, 0), _MOST_TIME if column == "time" else _MOST_NANO)
    return value
