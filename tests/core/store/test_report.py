"""What the ledger adds up to: exact sums, local days, nothing hidden of what is unknown."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.store import ledger, report
from cloudllm.store.database import Store
from cloudllm.store.ledger import Entry
from cloudllm.store.report import Line

NOON = round(datetime(2026, 11, 28, 12).astimezone().timestamp() * 1000)
DAY = 86_400_000
SETTLED = Entry(
    key="k",
    time=NOON,
    session="s",
    purpose="reply",
    provider="acme",
    model="m",
    state="settled",
    projected=900,
    charged=700,
    input=10,
    output=5,
    cached=4,
    reasoning=2,
    source="provider",
    cost=700,
)
LINE = Line(name="2026-11-28", calls=1, input=10, output=5, cached=4, reasoning=2, cost=700)


def put(store: Store, *entries: Entry) -> None:
    with store.write() as connection:
        for number, entry in enumerate(entries):
            ledger.put(connection, replace(entry, key=f"{number}"))


def lines(store: Store, by: report.By = "day", since: int = 0) -> list[Line]:
    with store.read() as connection:
        return report.lines(connection, by, since)


def test_nothing_is_nothing(store: Store) -> None:
    assert lines(store) == []
    assert report.total([]) == Line(name="total")


def test_days_are_in_their_order(store: Store) -> None:
    put(store, SETTLED, replace(SETTLED, time=NOON - DAY), replace(SETTLED, time=NOON - 3 * DAY))
    assert lines(store) == [
        replace(LINE, name=day) for day in ("2026-11-25", "2026-11-27", "2026-11-28")
    ]
    assert [line.name for line in lines(store, since=NOON - DAY)] == ["2026-11-27", "2026-11-28"]


def test_a_day_is_the_users_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, replace(SETTLED, time=1_700_000_000_000))
    for zone, day in (("UTC", "2023-11-14"), ("Pacific/Kiritimati", "2023-11-15")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert lines(store)[0].name == day
    monkeypatch.undo()
    time.tzset()


def test_the_rest_begins_with_what_cost_most(store: Store) -> None:
    put(
        store,
        SETTLED,
        replace(SETTLED, provider="dear", cost=900),
        replace(SETTLED, model="n", cost=0, input=99),
        replace(SETTLED, model="o", cost=0),
    )
    by_model = [line.name for line in lines(store, "model")]
    assert by_model == ["dear/m", "acme/m", "acme/n", "acme/o"]
    assert [line.calls for line in lines(store, "provider")] == [1, 3]


def test_G10_unknown_and_estimated_numbers_stay_marked(store: Store) -> None:
    put(
        store,
        SETTLED,
        replace(SETTLED, cost=None, charged=0),
        replace(SETTLED, model="n", source="estimate"),
        replace(SETTLED, model="o", source="estimate", cost=0),
    )
    first, second, third = sorted(lines(store, "model"), key=lambda line: line.name)
    assert first == replace(LINE, name="acme/m", calls=2, input=20, output=10, cached=8,
                            reasoning=4, unknown=1)  # fmt: skip
    assert (second.estimated, second.cost_estimated) == (True, True)
    assert (third.estimated, third.cost_estimated) == (True, False)
    total = report.total([first, second, third])
    assert (total.unknown, total.cost_estimated, total.cost) == (1, True, 1400)


def test_G10_what_was_never_settled_is_shown_and_what_was_not_sent_is_not(store: Store) -> None:
    open_call = replace(
        SETTLED, state="reserved", charged=900, cost=None, input=None, output=None, cached=None,
        reasoning=None, source=None,
    )  # fmt: skip
    put(store, open_call, replace(open_call, state="void", charged=0))
    assert lines(store) == [Line(name="2026-11-28", calls=1, open=1, reserved=900)]


@pytest.mark.parametrize("when", [-(10**20), 0, 253_402_300_799_000, 10**30])
def test_a_time_that_cannot_be_breaks_nothing(store: Store, when: int) -> None:
    put(store, replace(SETTLED, time=when))
    assert len(lines(store)) == 1


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10**13), max_size=50))
def test_G10_sums_are_exact(tmp_path_factory: pytest.TempPathFactory, costs: list[int]) -> None:
    store = Store(tmp_path_factory.mktemp("report") / "store.db")
    put(store, *(replace(SETTLED, cost=cost, charged=cost) for cost in costs))
    assert report.total(lines(store)).cost == sum(costs)
    with store.read() as connection:
        assert ledger.spent_by_session(connection, "s") == sum(costs)
        assert ledger.spent_between(connection, NOON, NOON + 1) == sum(costs)
        assert ledger.spent_between(connection, NOON + 1, NOON + DAY) == 0
    store.close()
