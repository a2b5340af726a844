"""G10 across processes: one budget for all, and what a killed one had set aside stays counted."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

DOLLAR = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


def rows(path: Path, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM call ORDER BY id").fetchall()


PROGRAM = """
import asyncio, os, random, sys
from dataclasses import replace
from pathlib import Path
from cloudllm import BudgetExceeded, Client, ModelInfo, Usage
from cloudllm.accounts import Accounts, Budgets, Call
from cloudllm.pricing import price_of

price = price_of(
    Client(provider="acme", label="Acme", model="m"),
    ModelInfo(name="m", input_price=1_000.0, output_price=10_000.0),
)
call = Call(
    session="s", model="acme/m", purpose="reply", price=price, input_tokens=100, max_output_tokens=90
)
accounts = Accounts(Path(sys.argv[1]), Budgets(day=float(sys.argv[2])))

async def turn():
    reservation = await accounts.reserve(call)
    print("reserved", flush=True)
    if sys.argv[3] == "hang":
        await asyncio.sleep(60)
    used = Usage(input_tokens=100, output_tokens=random.choice([90, 20]))
    await asyncio.sleep(random.random() / 100)
    await reservation.settle(used, price.cost(used))

async def main():
    for _ in range(200):
        try:
            await turn()
        except BudgetExceeded as error:
            assert "is spent" in str(error), error
            print("refused", flush=True)
            if sys.argv[3] == "stop":
                return

asyncio.run(main())
"""


def start(path: Path, budget: float, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(budget), how],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_G10_six_processes_never_overspend_one_budget(path: Path) -> None:
    running = [start(path, 60.0, "go on") for _ in range(6)]
    outputs = [process.communicate(timeout=110)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 6
    assert all("refused" in output for output in outputs)
    spent = [charged for (charged,) in rows(path, "charged")]
    # They end when not even a dollar is left, and never had more than that under way.
    assert 59 * DOLLAR < sum(spent) <= 60 * DOLLAR
    assert sum(output.count("reserved") for output in outputs) == len(spent)
    assert {state for (state,) in rows(path, "state")} == {"settled"}


def test_G10_a_call_killed_before_it_was_settled_stays_counted(path: Path) -> None:
    for _ in range(3):
        process = start(path, 3.5, "hang")
        assert process.stdout is not None
        assert process.stdout.readline() == "reserved\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert rows(path, "state, charged") == [("reserved", DOLLAR)] * 3
    last = start(path, 3.5, "stop")
    assert last.communicate(timeout=60)[0] == "refused\n"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
