"""Accounts: budgets hold before the call, across processes; without them the ledger is no burden."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudllm import BudgetExceeded, Client, ModelInfo, Usage
from cloudllm.accounts import Accounts, Budgets, Call, Reservation
from cloudllm.pricing import Price, price_of

CLIENT = Client(provider="acme", label="Acme", model="m")
DOLLAR = 10**9
# A token of input costs a thousandth of a dollar, a token of output ten times as much.
PRICE = price_of(CLIENT, ModelInfo(name="m", input_price=1_000.0, output_price=10_000.0))
UNKNOWN = price_of(CLIENT, ModelInfo(name="m"))
FREE = price_of(replace(CLIENT, free=True), ModelInfo(name="m"))
CALL = Call(
    session="s",
    model="acme/m",
    purpose="reply",
    price=PRICE,
    input_tokens=100,
    max_output_tokens=90,
)  # it could cost a dollar


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


def rows(path: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute(f"SELECT {columns} FROM call ORDER BY id").fetchall()
    connection.close()
    return found


async def settle(reservation: Reservation, given: int, output: int, price: Price = PRICE) -> None:
    used = Usage(input_tokens=given, output_tokens=output)
    await reservation.settle(used, price.cost(used))


def damage(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"no database at all" * 100)


def is_there(path: Path, suffix: str = "") -> bool:
    return path.with_name(path.name + suffix).exists()


@pytest.fixture
def unusable(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


async def test_G10_a_call_is_written_down_with_its_tokens_price_and_cost(path: Path) -> None:
    accounts = Accounts(path, clock=lambda: 1_700_000_000.5)
    reservation = await accounts.reserve(CALL)
    used = Usage(
        input_tokens=110, output_tokens=50, cached_tokens=10, reasoning_tokens=20, estimated=True
    )
    await reservation.settle(used, PRICE.cost(used))
    (row,) = rows(path, "time, session, purpose, provider, model, state, projected, charged")
    assert row == (
        1_700_000_000_500, "s", "reply", "acme", "m", "settled", DOLLAR, 610_000_000,
    )  # fmt: skip
    (row,) = rows(path, "input, output, cached, stored, reasoning, source, cost")
    assert row == (110, 50, 10, None, 20, "estimate", 610_000_000)
    (row,) = rows(path, "input_price, output_price, cached_price, stored_price, price_source")
    assert row == (10**12, 10**13, 10**12, 10**12, PRICE.source)


async def test_G10_an_unknown_cost_is_written_down_as_unknown(path: Path) -> None:
    reservation = await Accounts(path).reserve(replace(CALL, price=UNKNOWN))
    await settle(reservation, 5, 5, UNKNOWN)
    (row,) = rows(path, "state, projected, cost, input_price, price_source, source")
    assert row == ("settled", None, None, None, None, "provider")


async def test_G10_a_call_that_was_not_sent_costs_nothing(path: Path) -> None:
    accounts = Accounts(path, Budgets(day=1.0))
    for _ in range(3):
        await (await accounts.reserve(CALL)).void()
    assert rows(path, "state, charged, cost") == [("void", 0, None)] * 3


@pytest.mark.parametrize("name", ["session", "day", "month"])
async def test_G10_a_budget_that_is_used_up_refuses(path: Path, name: str) -> None:
    accounts = Accounts(path, replace(Budgets(), **{name: 1.5}))  # type: ignore[arg-type]
    await settle(await accounts.reserve(CALL), 100, 80)
    with pytest.raises(BudgetExceeded) as caught:
        await accounts.reserve(CALL)
    assert str(caught.value) == (
        f"budget.{name}: of $1.50 $0.9000 is spent, and this call to acme/m could cost $1.00."
        f" A smaller max_output_tokens costs less; or raise budget.{name}"
    )
    assert (caught.value.model, caught.value.projected_nano) == ("acme/m", DOLLAR)
    assert len(rows(path)) == 1
    assert (await accounts.reserve(replace(CALL, max_output_tokens=50))).max_output_tokens == 50


async def test_G10_the_budget_with_the_least_left_is_named(path: Path) -> None:
    accounts = Accounts(path, Budgets(session=3.0, day=0.5, month=2.0))
    with pytest.raises(BudgetExceeded, match=r"budget\.day"):
        await accounts.reserve(CALL)


async def test_G10_other_sessions_days_and_months_do_not_count(path: Path) -> None:
    now = datetime(2026, 3, 1, 0, 30).astimezone()
    yesterday = Accounts(path, clock=lambda: now.timestamp() - 3_600)
    await settle(await yesterday.reserve(CALL), 100, 90)
    await settle(await yesterday.reserve(replace(CALL, session="t")), 100, 90)
    for budgets in (Budgets(day=1.0), Budgets(month=1.0)):
        accounts = Accounts(path, budgets, clock=now.timestamp)
        await (await accounts.reserve(CALL)).void()
    accounts = Accounts(path, Budgets(session=2.0), clock=now.timestamp)
    await (await accounts.reserve(CALL)).void()
    with pytest.raises(BudgetExceeded):
        await Accounts(path, Budgets(session=1.5), clock=now.timestamp).reserve(CALL)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
async def test_G10_a_day_is_the_users_own(
    path: Path, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        midnight = datetime(2026, 11, 1).astimezone().timestamp()
        before = Accounts(path, clock=lambda: midnight - 1)
        await settle(await before.reserve(CALL), 100, 90)
        after = Accounts(path, Budgets(day=1.0), clock=lambda: midnight)
        await settle(await after.reserve(CALL), 100, 90)
        # The clocks are put back on this day in Los Angeles: it has 25 hours.
        late = Accounts(path, Budgets(day=1.0), clock=lambda: midnight + 23.5 * 3_600)
        with pytest.raises(BudgetExceeded):
            await late.reserve(CALL)
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_G10_a_clock_that_is_set_back_breaks_nothing(path: Path) -> None:
    now = time.time()
    wrong = Accounts(path, Budgets(day=1.0), clock=lambda: now + 10 * 365 * 86_400)
    await settle(await wrong.reserve(CALL), 100, 90)
    accounts = Accounts(path, Budgets(day=1.0, month=1.0), clock=lambda: now)
    await settle(await accounts.reserve(CALL), 100, 90)
    with pytest.raises(BudgetExceeded):
        await accounts.reserve(CALL)


async def test_G10_what_is_under_way_counts_at_the_most_it_can_cost(path: Path) -> None:
    accounts = Accounts(path, Budgets(day=1.9))
    first = await accounts.reserve(CALL)
    with pytest.raises(BudgetExceeded, match=r"\$1\.00 is spent"):
        await accounts.reserve(CALL)
    await settle(first, 100, 10)
    await accounts.reserve(CALL)


async def test_G10_an_answer_without_a_limit_is_given_what_the_budget_pays_for(path: Path) -> None:
    accounts = Accounts(path, Budgets(session=60.0, day=500.0))
    call = replace(CALL, max_output_tokens=None, output_limit=8_000)
    reservation = await accounts.reserve(call)
    assert reservation.max_output_tokens == 5_990
    assert reservation.budget == "session"
    assert reservation.projected_nano == 60 * DOLLAR
    await reservation.void()
    accounts.budgets = Budgets(session=81.0)
    reservation = await accounts.reserve(call)
    assert (reservation.max_output_tokens, reservation.budget) == (None, None)
    assert reservation.projected_nano == 80_100_000_000


@pytest.mark.parametrize(("limit", "least"), [(None, 4_096), (8_000, 4_096), (300, 300)])
async def test_G10_a_short_answer_is_refused_rather_than_cut(
    path: Path, limit: int | None, least: int
) -> None:
    needed = 0.1 + least * 0.01
    call = replace(CALL, max_output_tokens=None, output_limit=limit)
    with pytest.raises(BudgetExceeded) as caught:
        await Accounts(path, Budgets(day=needed - 0.001)).reserve(call)
    assert caught.value.projected_nano == round(needed * DOLLAR)
    reservation = await Accounts(path, Budgets(day=needed)).reserve(call)
    assert reservation.max_output_tokens == (None if limit == least else least)


async def test_G10_without_a_known_limit_the_answer_gets_one(path: Path) -> None:
    reservation = await Accounts(path, Budgets(day=1_000.0)).reserve(
        replace(CALL, max_output_tokens=None)
    )
    assert reservation.max_output_tokens == 4_096


async def test_G10_a_person_may_let_a_call_through(path: Path) -> None:
    accounts = Accounts(path, Budgets(day=0.0))
    call = replace(CALL, max_output_tokens=None)
    with pytest.raises(BudgetExceeded) as caught:
        await accounts.reserve(call)
    agreed = replace(call, consent_nano=caught.value.projected_nano)
    reservation = await accounts.reserve(agreed)
    assert reservation.projected_nano == caught.value.projected_nano
    longer = await accounts.reserve(replace(agreed, input_tokens=120))
    assert longer.max_output_tokens == 4_096 - 2
    assert (longer.projected_nano or 0) <= (caught.value.projected_nano or 0)
    with pytest.raises(BudgetExceeded):
        await accounts.reserve(replace(agreed, input_tokens=30_000))


async def test_G10_an_unknown_price_is_refused_unless_it_is_allowed_by_name(path: Path) -> None:
    call = replace(CALL, price=UNKNOWN)
    with pytest.raises(BudgetExceeded) as caught:
        await Accounts(path, Budgets(day=100.0, allow_unknown=frozenset({"acme/n"}))).reserve(call)
    assert str(caught.value) == (
        "nobody knows the price of acme/m, so the budget cannot be kept."
        ' To use it all the same: budget.allow_unknown = ["acme/m"], or in the chat'
        " /set budget.allow_unknown acme/m"
    )
    assert caught.value.projected_nano is None
    assert not is_there(path)
    allowed = Accounts(path, Budgets(day=0.0, allow_unknown=frozenset({"acme/m"})))
    assert (await allowed.reserve(call)).max_output_tokens == 90
    assert (await Accounts(path).reserve(call)).max_output_tokens == 90


async def test_G10_what_is_free_needs_no_budget(path: Path) -> None:
    accounts = Accounts(path, Budgets(session=0.0))
    reservation = await accounts.reserve(replace(CALL, price=FREE, max_output_tokens=None))
    assert (reservation.max_output_tokens, reservation.projected_nano) == (None, 0)


@pytest.mark.parametrize("tokens", [-1, -(10**30), 10**30])
async def test_G10_an_absurd_report_does_not_break_the_ledger(path: Path, tokens: int) -> None:
    accounts = Accounts(path, Budgets(day=1.0))
    await settle(await accounts.reserve(CALL), tokens, tokens)
    await settle(await Accounts(path).reserve(replace(CALL, input_tokens=tokens)), 1, 1)
    if tokens > 0:
        with pytest.raises(BudgetExceeded):
            await accounts.reserve(CALL)
    assert [row[0] for row in rows(path, "state")] == ["settled", "settled"]


async def test_a_name_that_no_database_takes_is_written_down_all_the_same(path: Path) -> None:
    await settle(await Accounts(path).reserve(replace(CALL, model="acme/\ud800")), 1, 1)
    assert rows(path, "model") == [("?",)]


async def test_a_call_that_is_given_up_while_it_is_reserved_costs_nothing(path: Path) -> None:
    accounts = Accounts(path, Budgets(day=1.0))
    await (await accounts.reserve(CALL)).void()
    task = asyncio.create_task(accounts.reserve(CALL))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle(await accounts.reserve(CALL), 100, 90)
    assert rows(path, "state, charged") == [("void", 0), ("void", 0), ("settled", DOLLAR)]


@dataclass
class Ear:
    """Listens to the notices."""

    lines: list[str] = field(default_factory=list)

    def of(self, accounts: Accounts) -> Accounts:
        accounts.listen(self.lines.append)
        return accounts


async def test_without_a_budget_a_broken_ledger_stops_nothing_and_is_told_once(
    unusable: Path,
) -> None:
    path = unusable
    ear = Ear()
    accounts = ear.of(Accounts(path))
    for _ in range(3):
        await settle(await accounts.reserve(CALL), 1, 1)
    (line,) = ear.lines
    assert line == (
        f"What calls cost is not recorded: {path}: is a directory."
        " Make it and its folder writable for you"
    )


async def test_G10_a_budget_that_cannot_be_checked_refuses(unusable: Path) -> None:
    path = unusable
    with pytest.raises(BudgetExceeded) as caught:
        await Accounts(path, Budgets(day=1_000.0)).reserve(CALL)
    assert str(caught.value) == (
        f"the budget cannot be checked, so nothing was sent: {path}: is a directory."
        " Make it and its folder writable for you"
    )
    assert caught.value.projected_nano == DOLLAR


async def test_G10_a_ledger_that_another_program_holds_refuses(path: Path) -> None:
    await (await Accounts(path).reserve(CALL)).void()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BudgetExceeded, match="another program holds it"):
        await Accounts(path, Budgets(day=1_000.0), patience=0.05).reserve(CALL)
    ear = Ear()
    accounts = ear.of(Accounts(path, patience=0.05))
    await settle(await accounts.reserve(CALL), 1, 1)
    assert len(ear.lines) == 1
    other.close()
    await settle(await accounts.reserve(CALL), 1, 1)
    assert rows(path, "state") == [("void",), ("settled",)]


async def test_a_damaged_ledger_is_set_aside_and_told_once(path: Path) -> None:
    damage(path)
    with pytest.raises(BudgetExceeded, match=r"was damaged; it is kept as store\.db\.damaged-"):
        await Accounts(path, Budgets(day=1_000.0)).reserve(CALL)
    damage(path)
    ear = Ear()
    accounts = ear.of(Accounts(path))
    for _ in range(2):
        await settle(await accounts.reserve(CALL), 1, 1)
    assert len(ear.lines) == 1
    assert "was damaged; it is kept as store.db.damaged-" in ear.lines[0]
    assert rows(path, "state") == [("settled",), ("settled",)]


async def test_without_a_budget_nobody_waits_for_the_ledger(path: Path) -> None:
    accounts = Accounts(path)
    hold = threading.Event()
    accounts._worker.put(lambda: bool(hold.wait()))
    reservation = await accounts.reserve(CALL)  # it would never end
    assert not is_there(path)
    hold.set()
    await settle(reservation, 1, 1)
    assert rows(path, "state") == [("settled",)]


async def test_the_thread_and_the_file_are_let_go_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudllm.store.worker._LINGER", 0.01)
    accounts = Accounts(path)
    for number in range(1, 4):
        await settle(await accounts.reserve(CALL), 1, 1)
        for _ in range(500):
            if not is_there(path, "-wal"):
                break
            await asyncio.sleep(0.01)
        assert not is_there(path, "-wal")
        assert len(rows(path)) == number


async def test_G10_200_sessions_of_one_process_keep_to_one_budget(path: Path) -> None:
    accounts = Accounts(path, Budgets(day=50.0))

    async def turn(number: int) -> int:
        try:
            reservation = await accounts.reserve(replace(CALL, session=f"s{number}"))
        except BudgetExceeded:
            return 0
        await asyncio.sleep(0)
        await settle(reservation, 100, 90)
        return 1

    assert sum(await asyncio.gather(*(turn(number) for number in range(200)))) == 50
    assert sum(charged for (charged,) in rows(path, "charged")) == 50 * DOLLAR


ACTION = st.one_of(
    st.tuples(
        st.just("reserve"),
        st.integers(0, 500),
        st.one_of(st.none(), st.integers(1, 5_000)),
        st.one_of(st.none(), st.integers(1, 9_000)),
    ),
    st.tuples(st.just("settle"), st.integers(0, 20), st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.just("void"), st.integers(0, 20)),
    st.tuples(st.just("restart")),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(ACTION, max_size=25), st.floats(0, 100), st.floats(0, 100))
def test_G10_whatever_happens_the_sum_stays_within_the_budgets(
    tmp_path_factory: pytest.TempPathFactory,
    actions: list[tuple[Any, ...]],
    session: float,
    day: float,
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "store.db"
    budgets = Budgets(session=session, day=day)
    limit = min(round(session * DOLLAR), round(day * DOLLAR))

    async def run() -> None:
        accounts = Accounts(path, budgets)
        held: list[tuple[Reservation, int, int]] = []
        for action, *values in actions:
            if action == "reserve":
                given, asked, most = values
                call = replace(CALL, input_tokens=given, max_output_tokens=asked, output_limit=most)
                try:
                    reservation = await accounts.reserve(call)
                except BudgetExceeded:
                    continue
                held.append((reservation, given, reservation.max_output_tokens or most))
            elif action == "restart":  # as after a kill: what was under way is never settled
                accounts, held = Accounts(path, budgets), []
            elif held:
                reservation, given, output = held.pop(values[0] % len(held))
                if action == "void":
                    await reservation.void()
                else:
                    await settle(reservation, int(given * values[1]), int(output * values[2]))
            if path.exists():
                assert sum(charged for (charged,) in rows(path, "charged")) <= limit

    asyncio.run(run())
