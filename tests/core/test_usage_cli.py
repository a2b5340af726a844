"""`cloudllm usage`: a table and bars that fit the terminal, JSON that stays, clear mistakes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cloudllm.accounts import Budgets, Standing
from cloudllm.cli.compose import Options
from cloudllm.cli.usage import usage
from cloudllm.errors import StoreDamaged, UsageError
from cloudllm.repl.usage import UsageReport, described, usage_report
from cloudllm.store import ledger
from cloudllm.store.database import Store, default_path
from cloudllm.store.ledger import Entry
from cloudllm.store.report import Line

DAY = 86_400_000
CALL = Entry(
    key="", time=0, session="s", purpose="reply", provider="acme", model="m", state="settled",
    projected=None, charged=0, input=1_000, output=200, cached=100, reasoning=20,
    source="provider", cost=0,
)  # fmt: skip


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(usage, arguments, obj=Options())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def put(*entries: Entry) -> None:
    store = Store(default_path())
    noon = datetime.now().astimezone().replace(hour=12)
    with store.write() as connection:
        for number, entry in enumerate(entries):
            at = round(noon.timestamp() * 1000) + entry.time
            ledger.put(connection, replace(entry, key=str(number), time=at))
    store.close()


def cost(nano: int, model: str = "m", days_ago: int = 0) -> Entry:
    return replace(CALL, cost=nano, charged=nano, model=model, time=-DAY * days_ago)


def table(
    *found: Line, columns: int = 60, ascii_only: bool = False, standings: tuple[Standing, ...] = ()
) -> list[str]:
    report = UsageReport(by="model", since=None, lines=list(found), standings=standings)
    return list(described(report, columns=columns, ascii_only=ascii_only))


def line(name: str, cost: int, unknown: int = 0, tokens: int = 1_000) -> Line:
    return Line(
        name=name, calls=1, input=tokens, output=200, cached=100, cost=cost, unknown=unknown
    )


def test_an_empty_ledger_says_so_and_is_not_made() -> None:
    assert run().stdout == "No calls yet.\n"
    assert run("--since", "2026-01-02").stdout == "No calls since 2026-01-02.\n"
    found = json.loads(run("--json").stdout)
    assert found["rows"] == []
    assert found["total"]["cost_nano"] == 0
    assert not default_path().exists()


def test_G10_the_table_marks_what_is_estimated_and_names_what_is_unknown() -> None:
    put(
        cost(1_500_000_000, "dear"),
        replace(cost(600_000_000), source="estimate"),
        replace(CALL, model="secret", cost=None),
        replace(cost(0, "mine"), price_source="free"),
        replace(CALL, model="slow", state="reserved", charged=40_000_000, cost=None),
    )
    assert run("--by", "model").stdout.splitlines() == [
        "MODEL        CALLS      IN  CACHED     OUT        COST",
        "acme/dear        1   1,000     100     200       $1.50  ████████████████████████",
        "acme/m           1  ~1,000    ~100    ~200    ~$0.6000  █████████▋",
        "acme/mine        1   1,000     100     200       $0.00",
        "acme/secret      1   1,000     100     200     unknown",
        "acme/slow        1   1,000     100     200           -",
        "total            5  ~5,000    ~500  ~1,000  ~$2.10 + ?",
        "~: estimated, since the provider did not say.",
        "unknown, ?: 1 call has a price that nobody knows.",
        "1 call is under way, or never ended since the program was killed; $0.0400 is set aside.",
    ]


def test_each_day_and_each_provider_has_a_line() -> None:
    put(cost(10**9), cost(10**9, days_ago=1), cost(10**9, days_ago=5))
    today = datetime.now().astimezone().date().isoformat()
    days = run().stdout.splitlines()[1:-1]
    assert len(days) == 3
    assert days[-1].startswith(today)
    assert len(run("--since", "1d").stdout.splitlines()[1:-1]) == 2
    assert len(run("--since", today).stdout.splitlines()[1:-1]) == 1
    (provider,) = run("--by", "provider").stdout.splitlines()[1:-1]
    assert provider.split()[:2] == ["acme", "3"]


def test_json_is_exact_and_stable() -> None:
    put(cost(1), replace(CALL, model="secret", cost=None, source="estimate"))
    found = json.loads(run("--by", "model", "--since", "7d", "--json").stdout)
    assert list(found) == ["by", "since", "rows", "total", "budgets"]
    assert found["by"] == "model"
    known, unknown = found["rows"]
    assert known == {
        "name": "acme/m", "calls": 1, "input_tokens": 1_000, "output_tokens": 200,
        "cached_tokens": 100, "stored_tokens": None, "reasoning_tokens": 20, "estimated": False,
        "cost_nano": 1, "cost_estimated": False, "unknown_calls": 0, "open_calls": 0,
        "reserved_nano": 0,
    }  # fmt: skip
    assert (unknown["cost_nano"], unknown["unknown_calls"], unknown["estimated"]) == (None, 1, True)
    assert (found["total"]["calls"], found["total"]["cost_nano"]) == (2, 1)
    assert found["budgets"] == []


def test_budgets_that_are_set_say_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDLLM_BUDGET__DAY", "2")
    monkeypatch.setenv("CLOUDLLM_BUDGET__MONTH", "1")
    monkeypatch.setenv("CLOUDLLM_BUDGET__SESSION", "1")
    assert "budget.day: $0.00 of $2.00 spent, $2.00 left\n" in run().stdout
    put(cost(1_250_000_000))
    assert run().stdout.splitlines()[-2:] == [
        "budget.day: $1.25 of $2.00 spent, $0.7500 left",
        "budget.month: $1.25 of $1.00 spent, $0.00 left",
    ]
    assert json.loads(run("--json").stdout)["budgets"][0] == {
        "name": "day",
        "limit_nano": 2 * 10**9,
        "spent_nano": 1_250_000_000,
        "left_nano": 750_000_000,
    }


@pytest.mark.parametrize(
    "since", ["yesterday", "7", "-1d", "2026-13-01", "", "999999d", "7d7d", "७d"]
)
def test_a_date_that_is_none_is_one_line(since: str) -> None:
    with pytest.raises(UsageError) as caught:
        run("--since", since)
    assert str(caught.value) == (
        f"{since!r} is neither a date nor a number of days. Give it as 2026-11-28, or as 7d"
    )


def test_a_damaged_ledger_is_one_line(home: Path) -> None:
    home.mkdir()
    default_path().write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreDamaged, match="it is kept as"):
        run()
    assert run().stdout == "No calls yet.\n"


@pytest.mark.parametrize("columns", range(24, 120, 3))
def test_the_table_fits_the_terminal(columns: int) -> None:
    found = [
        line("acme/" + "long-name-" * 8, 5 * 10**9),
        line("acme/模型模型模型模型模型", 7),
        line("a", 0),
    ]
    lines = table(*found, columns=columns)
    assert all(len(each) + sum(c > "\u2fff" for c in each) <= columns for each in lines[:5])
    assert "$5.00" in lines[1]
    assert ("█" in lines[1]) == (columns >= 51)


def test_G6_a_name_cannot_act_on_the_terminal() -> None:
    assert "\x1b" not in "".join(table(line("acme/\x1b[2J\nm", 1)))


def test_bars_are_as_long_as_the_costs() -> None:
    found = [line("a", 800), line("b", 400), line("c", 1), line("d", 0)]
    bars = [each.partition("000")[2].strip() for each in table(*found)[1:5]]
    bars = [each.rpartition("  ")[2] if "█" in each or "▏" in each else "" for each in bars]
    assert len(bars[0]) == pytest.approx(2 * len(bars[1]), abs=1)
    assert bars[2:] == ["▏", ""]


def test_without_any_cost_the_bars_are_for_tokens() -> None:
    first, second = table(line("a", 0, tokens=9_800), line("b", 0, tokens=4_800))[1:3]
    assert first.count("█") == pytest.approx(2 * second.count("█"), abs=1)


def test_a_terminal_without_block_characters_gets_ascii() -> None:
    lines = table(line("acme/" + "long-name-" * 8, 5), line("b", 1), ascii_only=True)
    assert "".join(lines).isascii()
    assert lines[1].endswith("#")


def test_the_slash_command_shows_the_same_and_the_sessions_budget() -> None:
    path, budgets = default_path(), Budgets(session=1.0)
    assert usage_report("", path=path, budgets=Budgets()) == "No calls yet."
    put(cost(250_000_000), replace(cost(250_000_000), session="t"))
    shown = usage_report("provider 7d", path=path, budgets=budgets, session="s", columns=80)
    assert shown.splitlines()[0].startswith("PROVIDER")
    assert shown.endswith("budget.session: $0.2500 of $1.00 spent, $0.7500 left")
    with pytest.raises(UsageError, match="'week' is neither a date nor a number of days"):
        usage_report("week", path=path, budgets=budgets)


def _program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cloudllm", "usage", *arguments],
        env=os.environ | environ,
        check=False,
        capture_output=True,
    )


def test_what_standard_output_cannot_encode_is_not_written() -> None:
    put(cost(10**9))
    done = _program(PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"$1.00  ####" in done.stdout
    assert "$1.00  ████" in _program(PYTHONIOENCODING="utf-8").stdout.decode()


def test_a_mistake_is_one_line_and_exit_code_2() -> None:
    done = _program("--by", "week")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"'week' is not one of 'day', 'model', 'provider'" in done.stderr


def test_it_fits_the_terminal_it_is_run_in() -> None:
    put(cost(10**9, "long-name-" * 8))
    host, guest = pty.openpty()
    program = [sys.executable, "-P", "-m", "cloudllm", "usage", "--by", "model"]
    environ = os.environ | {"COLUMNS": "50"}
    with subprocess.Popen(program, stdout=guest, env=environ) as process:
        os.close(guest)
        shown = b""
        try:
            while part := os.read(host, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
    os.close(host)
    assert process.returncode == 0
    assert all(len(each) <= 50 for each in shown.decode().splitlines())


def test_neither_litellm_nor_prompt_toolkit_is_imported() -> None:
    put(cost(10**9))
    program = (
        "import sys; from cloudllm.cli.root import run; run(['usage'])\n"
        "print([name for name in ('litellm', 'prompt_toolkit', 'pluggy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
