"""The status row: what it says, and what goes first where there is no room."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm.messages import Usage
from cloudllm.repl.cells import cut, fitting, width
from cloudllm.repl.sentinel import Grammar
from cloudllm.repl.statuskeeper import StatusKeeper
from cloudllm.repl.statusrow import PARTS, StatusRow, hints, short, tokens_text
from cloudllm.testing import Reply, WireServer
from tests.chatplugins import write_plugin
from tests.repl.acme import write_acme
from tests.repl.screens import Talk

SEND = "\r\\end\r"
Start = Callable[..., Any]


def full() -> StatusRow:
    return StatusRow(
        model="openai/gpt-6-luna",
        tokens="12k/128k 9%",
        cost="~$0.0012",
        marks=["day budget 85%"],
        plugins=["42 tokens/s", "main"],
        hints=["\\end or Alt-Enter sends · /help", "/help"],
    )


def test_it_says_everything_where_there_is_room() -> None:
    assert full().text(200) == (
        "openai/gpt-6-luna · 12k/128k 9% · ~$0.0012 · day budget 85% · 42 tokens/s · main"
        "  \\end or Alt-Enter sends · /help"
    )


def test_what_matters_least_goes_first() -> None:
    row = full()
    assert row.text(90).endswith("42 tokens/s · main  /help")
    left = "openai/gpt-6-luna · 12k/128k 9% · ~$0.0012 · day budget 85%  /help"
    assert row.text(80) == left
    assert row.text(58) == "openai/gpt-6-luna · ~$0.0012 · day budget 85%  /help"
    assert row.text(40) == "openai/gpt-6-luna · day budget 85%"
    assert row.text(20) == "openai/gpt-6-luna"
    assert row.text(10) == "openai/gp…"
    assert row.text(0) == ""


def test_how_to_send_and_stop_matters_more_than_what_plugins_say() -> None:
    row = full()
    row.marks, row.hints = (), hints(Grammar())
    assert row.text(80).endswith("~$0.0012  \\end sends · Ctrl-C stops · /help")


@pytest.mark.parametrize("part", PARTS)
def test_each_part_can_be_switched_off_and_shown_alone(part: str) -> None:
    row = full()
    row.parts = [each for each in PARTS if each != part]
    without = row.text(200)
    row.parts = [part]
    alone = row.text(200)
    assert alone
    assert alone not in without


def test_no_part_is_no_row() -> None:
    row = full()
    row.parts = []
    assert row.text(200) == ""


@given(st.builds(
    StatusRow,
    parts=st.lists(st.sampled_from(PARTS)),
    model=st.text(),
    tokens=st.text(),
    cost=st.text(),
    marks=st.lists(st.text(), max_size=3),
    plugins=st.lists(st.text(), max_size=3),
    hints=st.lists(st.text("ab ·", min_size=1), max_size=3),
), st.integers(0, 60))  # fmt: skip
def test_G6_whatever_the_parts_hold_it_is_one_row_that_fits(row: StatusRow, columns: int) -> None:
    text = row.text(columns)
    assert width(text) <= columns
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b]", text)


@given(st.text(), st.integers(0, 20))
def test_a_text_is_cut_to_the_cells_there_are(text: str, columns: int) -> None:
    shown = cut(text, columns)
    assert width(shown) <= columns
    assert shown in (text, "") or shown.endswith("…")
    assert fitting([text, "x"], columns) == (text if width(text) <= columns else cut("x", columns))


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999, "999"), (1_000, "1.0k"), (1_249, "1.2k"), (9_949, "9.9k"), (9_950, "10k"),
     (128_000, "128k"), (999_499, "999k"), (999_500, "1.0M"), (1_048_576, "1.0M")],
)  # fmt: skip
def test_tokens_in_few_characters(number: int, shown: str) -> None:
    assert short(number) == shown


def test_G10_tokens_are_marked_as_estimated_or_unknown() -> None:
    assert tokens_text(12_000, 128_000, estimated=False) == "12k/128k 9%"
    assert tokens_text(12_000, 128_000, estimated=True) == "~12k/128k 9%"
    assert tokens_text(12_000, None, estimated=True) == "~12k tokens"
    assert tokens_text(None, 128_000, estimated=False) == "tokens unknown of 128k"
    assert tokens_text(None, None, estimated=False) == "tokens unknown"


@dataclass
class Kept:
    """The row of a chat, and what keeps it."""

    talk: Talk
    row: StatusRow = field(default_factory=StatusRow)
    shown: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self) -> StatusKeeper:
        await self.talk.say("/system be brief")
        await self.talk.chat.connect()
        await self.talk.chat.load_plugins()
        keeper = StatusKeeper(self.talk.chat, self.row, self.shown.set)
        keeper.renew()
        await self.says("/8.0k")
        return keeper

    async def says(self, tokens: str) -> None:
        """Wait until it does."""
        async with asyncio.timeout(10):
            while tokens not in self.row.tokens:
                self.shown.clear()
                await self.shown.wait()


async def test_G8_a_plugin_that_takes_its_time_holds_up_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WireServer
) -> None:
    write_acme(tmp_path, server.url, limit=8_000)
    source = "@hookimpl\ndef cloudllm_toolbar():\n    time.sleep(60)\n    return []\n"
    write_plugin(tmp_path, "slow", source)
    monkeypatch.syspath_prepend(str(tmp_path))
    flags: dict[str, Any] = {"plugins.deadline": 30.0}
    status = Kept(Talk(model="acme/one", **flags))
    keeper = await status.begin()
    await status.talk.say("/set context.limit 4000")
    keeper.renew()
    await status.says("/4.0k")
    keeper.close()


async def test_G3_a_private_chat_says_so_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WireServer
) -> None:
    write_acme(tmp_path, server.url, limit=8_000)
    monkeypatch.syspath_prepend(str(tmp_path))
    for flags, marks in (({}, []), ({"history.private": True}, ["private"])):
        status = Kept(Talk(model="acme/one", **flags))
        keeper = await status.begin()
        assert status.row.marks == marks
        keeper.close()


async def test_G10_the_window_is_never_that_of_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: WireServer
) -> None:
    write_acme(tmp_path, server.url, limit=8_000)
    monkeypatch.syspath_prepend(str(tmp_path))
    status = Kept(Talk(model="acme/one"))
    keeper = await status.begin()
    await status.talk.say("/model echo/echo")
    keeper.renew()
    assert status.row.model == "echo/echo"
    assert "8.0k" not in status.row.tokens
    keeper.close()


@pytest.fixture
def acme(terminal: Start, server: WireServer, tmp_path: Path) -> Start:
    """Starts a chat with a model that has a price."""

    def start(*arguments: str, rows: int = 24, columns: int = 80, **variables: str) -> Any:
        site = tmp_path / "site"
        write_acme(site, server.url, limit=8_000)
        variables = {"PYTHONPATH": str(site), **variables}
        t = terminal("-m", "acme/one", *arguments, rows=rows, columns=columns, **variables)
        t.wait(r"(?i)new plugins?:? acme")
        return t

    return start


@pytest.mark.slow
def test_it_is_renewed_after_each_reply_and_says_when_a_budget_is_nearly_used_up(
    acme: Start, server: WireServer
) -> None:
    t = acme("-o", "budget.session=0.005", "-o", "max_output_tokens=10")
    t.wait(r"^acme/one · 0/8\.0k 0%  ")
    t.send("hello" + SEND)
    t.wait(r"^acme/one · 12/8\.0k 0% · \$0\.00017")
    t.send("/clear\r")
    t.wait(r"^acme/one · 0/8\.0k 0% · \$0\.00017")
    server.default = Reply(text="Hello.", usage=Usage(input_tokens=300, output_tokens=60))
    t.send("hello" + SEND)
    t.wait(r"^acme/one · .* · session budget 87%")
    assert max(map(width, t.text().split("\n"))) <= 80


@pytest.mark.slow
def test_G10_what_nobody_reported_is_an_estimate(acme: Start, server: WireServer) -> None:
    t = acme(rows=50, columns=200)
    t.wait(r"^acme/one · 0/8\.0k 0%  ")
    t.send("hello" + SEND)
    t.wait(r"^acme/one · 12/8\.0k 0% · \$0\.00017")
    server.default = Reply(text=["begun ", *["x "] * 100], delay=0.1)
    t.send("hello" + SEND)
    t.wait("^begun")
    t.send("\x03")
    t.wait(r"^acme/one · ~\d+/8\.0k 0% · ~\$0\.00\d+")


@pytest.mark.slow
def test_parts_can_be_chosen_and_none_takes_the_row_away(chat: Any) -> None:
    t = chat.terminal
    t.send('/set repl.status ["model"]\r')
    t.wait(r"^>\n?.*\nopenai/gpt-6-luna$")
    t.send("/set repl.status []\r")
    t.wait(r"(?s)repl\.status = \[\].*\n> *\Z")
    t.send("/set repl.markdown false\r")
    t.send("/set repl.status model,marks\r")
    t.wait(r"^openai/gpt-6-luna · plain$")
    t.send("/set repl.markdown true\r")
    t.send("/set repl.status model,tokens,cost,marks,plugins,hint\r")
    t.wait(r"/help$")


def test_the_mode_of_the_keys_is_a_mark_of_its_own() -> None:
    row = full()
    before = row.text(200)
    row.mode = "vi: normal"
    assert row.text(200) == before.replace("day budget", "vi: normal · day budget")
