"""A private chat: nothing of it is on the disk, but for money where a budget counts it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloudllm import UsageError
from cloudllm.accounts import Budgets, Call
from cloudllm.errors import BudgetExceeded
from cloudllm.messages import Cost, Usage
from cloudllm.pricing import Price, Rates
from cloudllm.repl.early_settings import may_be_private
from cloudllm.repl.history import InputHistory
from cloudllm.repl.opening import Opening
from cloudllm.repl.privacy import PrivateAccounts
from cloudllm.testing import Reply, WireServer
from tests.repl.acme import write_acme
from tests.repl.screens import Talk

Start = Callable[..., Any]
SEND = "\r\\end\r"
CANARY, ANSWER = "canary-of-a-question", "canary-of-an-answer"
TEN = 10 * 10**9  # dollars for a million tokens, in billionths
PRICE = Price(rates=Rates(input=TEN, output=2 * TEN, cached=TEN, stored=TEN), source="test")


def files(home: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(home)): each.read_bytes()
        for each in sorted(home.rglob("*"))
        if each.is_file()
    }


def call(session: str = "s", tokens: int = 1_000) -> Call:
    return Call(
        session=session, model="acme/one", purpose="reply", price=PRICE, input_tokens=tokens,
        max_output_tokens=100,
    )  # fmt: skip


async def spend(accounts: PrivateAccounts) -> None:
    reservation = await accounts.reserve(call())
    await reservation.settle(
        Usage(input_tokens=1_000, output_tokens=100), Cost(nano=12_000_000, source="test")
    )


@pytest.mark.parametrize("by", ["option", "setting"])
async def test_a_private_chat_has_no_way_to_the_disk(by: str, home: Path) -> None:
    opening = Opening(private=by == "option")
    talk = Talk(opening, **({"history.private": True} if by == "setting" else {}))
    await talk.start()
    assert talk.chat.private
    assert talk.chat.shelf is None
    for command in ("/sessions", "/resume x", "/tree", "/fork", "/rename x"):
        with pytest.raises(UsageError, match="a private chat keeps nothing on disk"):
            await talk.say(command)
    assert "nothing: this chat is private" in await talk.say("/info")
    await talk.chat.close()
    assert "store.db" not in files(home)


@pytest.mark.parametrize(
    ("variables", "text", "private"),
    [
        ({}, "", False),
        ({}, "[history]\nprivate = true\n[timeout]\nconnect = 'never'", True),
        ({}, "history = {'x' = 1, \"private\"=true} # no TOML: [", True),
        ({}, "[history]\n# private = true\nprivate = false", False),
        ({"CLOUDLLM_HISTORY__PRIVATE": "yes"}, "", True),
        ({"CLOUDLLM_HISTORY__PRIVATE": "False"}, "history.private = true", False),
    ],
)
def test_where_the_settings_are_broken_privacy_is_looked_for_in_them(
    variables: dict[str, str], text: str, private: bool, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    assert may_be_private(variables, file) is private


@pytest.mark.slow
@pytest.mark.parametrize("by", ["file", "option"])
def test_what_was_typed_before_broken_settings_is_not_kept_of_a_private_chat(
    by: str, terminal: Start, home: Path
) -> None:
    home.mkdir()
    wanted = "private = true" if by == "file" else ""
    (home / "config.toml").write_text(f"[history]\n{wanted}\n[timeout]\nconnect = 'never'\n")
    t = terminal(*(["-o", "history.private=true"] if by == "option" else []))
    t.send(CANARY)
    assert t.leave() == 2
    assert "timeout.connect" in t.text()
    assert CANARY.encode() not in b"".join(files(home).values())


async def test_without_a_budget_of_a_day_nothing_is_written_of_money(tmp_path: Path) -> None:
    accounts = PrivateAccounts(tmp_path / "store.db")
    accounts.keep_to(Budgets(session=0.03))
    await spend(accounts)
    assert [each.spent for each in await accounts.standings("s")] == [12_000_000]
    await spend(accounts)
    with pytest.raises(BudgetExceeded, match=r"budget\.session"):
        await accounts.reserve(call())
    assert not (tmp_path / "store.db").exists()


async def test_G10_with_one_all_that_was_spent_counts_and_it_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    accounts = PrivateAccounts(tmp_path / "store.db")
    accounts.listen(told.append)
    accounts.keep_to(Budgets())
    await spend(accounts)
    assert told == []
    for _ in range(2):
        accounts.keep_to(Budgets(day=1.0))
    await spend(accounts)
    assert [each.spent for each in await accounts.standings("s")] == [24_000_000]
    assert len(told) == 1
    assert "in numbers only" in told[0]
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        assert store.execute("SELECT count(*) FROM call").fetchone() == (2,)
        assert store.execute("SELECT count(*) FROM conversation").fetchone() == (0,)


def test_entries_wait_until_it_is_decided_whether_they_may_be_written(tmp_path: Path) -> None:
    for private in (True, False):
        path = tmp_path / f"history-{private}"
        history = InputHistory(path, print, decided=False)
        history.append_string("secret")
        history.append_string("typed ahead")
        history.forget("secret")
        assert not path.exists()
        history.decide(private=private)
        history.append_string("later")
        assert history.get_strings() == ["secret", "typed ahead", "later"]
        assert path.exists() is not private
        if not private:
            kept = path.read_text()
            assert "secret" not in kept
            assert kept.index("typed ahead") < kept.index("later")


# On a terminal.


@pytest.mark.slow
@pytest.mark.parametrize("by", [["--private"], ["-o", "history.private=true"]])
def test_after_a_private_chat_the_disk_holds_nothing_of_it(
    by: list[str], terminal: Start, server: WireServer, home: Path, tmp_path: Path
) -> None:
    server.default = Reply(text=f"{ANSWER}\n\nand more")
    bare = terminal(CLOUDLLM_HOME=str(tmp_path / "bare"))
    bare.send("/speed\r")  # which waits for the plugins
    bare.wait("(?s)/speed.*No reply|no reply")
    bare.send("\x04")
    assert bare.leave() == 0
    t = terminal(*by)
    t.wait("/help")
    t.send(f"{CANARY} one{SEND}")
    t.wait(ANSWER)
    t.send("/undo\r")
    t.wait(r"The last turn is taken back\.")
    t.send(f" {CANARY} two{SEND}")
    t.wait(r"(?s)wire|and more.*and more")
    t.send("/sessions\r")
    t.wait("a private chat keeps nothing")
    t.send(f"{CANARY} unsent")
    t.settle(0.5)
    t.send("\x1b[15~\x03")
    t.settle(0.2)
    t.send("\x04")
    assert t.leave() == 0
    found = files(home)
    assert found.keys() <= files(tmp_path / "bare").keys()
    assert not [name for name, data in found.items() if b"canary" in data]


@pytest.mark.slow
def test_of_a_private_chat_with_a_budget_only_numbers_are_kept(
    terminal: Start, server: WireServer, home: Path, tmp_path: Path
) -> None:
    write_acme(tmp_path / "site", server.url)
    server.default = Reply(text=ANSWER)
    t = terminal(
        "-m", "acme/one", "--private", "-o", "budget.day=5", PYTHONPATH=str(tmp_path / "site")
    )  # fmt: skip
    t.wait(r"This chat is private.*\s.*numbers only")
    t.send(f"{CANARY}{SEND}")
    t.wait(ANSWER)
    t.wait(r"12 tokens")
    t.send("\x04")
    assert t.leave() == 0
    found = files(home)
    assert not [name for name, data in found.items() if b"canary" in data]
    with closing(sqlite3.connect(home / "store.db")) as store:
        assert store.execute("SELECT state FROM call").fetchall() == [("settled",)]
