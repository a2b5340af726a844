"""The ledger costs a turn without a budget a millisecond at most, however full it is."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from cloudllm import Client, ModelInfo, Usage
from cloudllm.accounts import Accounts, Budgets, Call
from cloudllm.pricing import price_of
from cloudllm.store import ledger
from cloudllm.store.database import Store
from cloudllm.store.ledger import Entry

ROWS = 50_000
ROUNDS = 101

PRICE = price_of(
    Client(provider="acme", label="Acme", model="m"),
    ModelInfo(name="m", input_price=1.0, output_price=4.0),
)
CALL = Call(session="s", model="acme/m", purpose="reply", price=PRICE, input_tokens=1_000)
USED = Usage(input_tokens=1_000, output_tokens=200)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store.db")
    row = Entry(
        key="", time=round(time.time() * 1000), session="s", purpose="reply", provider="acme",
        model="m", state="settled", projected=1, charged=1,
    )  # fmt: skip
    with store.write() as connection:
        for number in range(ROWS):
            ledger.put(connection, replace(row, key=str(number)))
    store.close()
    return store.path


async def milliseconds(accounts: Accounts) -> float:
    """The median of what many calls wait for their accounts."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        reservation = await accounts.reserve(CALL)
        await reservation.settle(USED, PRICE.cost(USED))
        times.append(time.perf_counter() - start)
    return median(times) * 1000


async def test_the_ledger_costs_a_turn_a_millisecond_at_most(path: Path) -> None:
    took = await milliseconds(Accounts(path))
    print(f"ledger: {took:.2f} ms a turn")
    assert took <= 1.0


async def test_a_budget_costs_a_turn_little_more(path: Path) -> None:
    took = await milliseconds(Accounts(path, Budgets(session=1e6, day=1e6, month=1e6)))
    print(f"ledger with three budgets over {ROWS:,} rows: {took:.2f} ms a turn")
    assert took <= 50.0
