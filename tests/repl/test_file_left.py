"""On leaving, the store's file holds all by itself, and a file that is held keeps nobody back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.drafts import DraftJournal
from cloudllm.repl.opening import Opening
from cloudllm.store import lock
from tests.core.store.stored import rows
from tests.repl.screens import Talk


@pytest.fixture
def store(home: Path) -> Path:
    return home / "store.db"


def names(home: Path) -> set[str]:
    return {each.name for each in home.iterdir() if each.name.startswith("store.db")}


async def test_the_file_holds_all_when_a_chat_has_ended(home: Path, store: Path) -> None:
    talk = Talk()
    await talk.start()
    await talk.say("hello")
    assert "store.db-wal" in names(home)
    await talk.chat.close()
    assert names(home) == {"store.db", "store.db.lock"}
    assert rows(store, "SELECT count(*) FROM message") == [(2,)]


async def test_so_it_does_where_only_costs_are_kept(
    home: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDLLM_BUDGET__DAY", "5")
    talk = Talk(Opening(private=True))
    await talk.start()
    await talk.say("hello")
    assert "store.db-wal" in names(home)
    await talk.chat.close()
    assert names(home) == {"store.db", "store.db.lock"}
    assert rows(store, "SELECT count(*) FROM call") == [(1,)]


async def test_so_it_does_where_only_a_draft_is_kept(home: Path, store: Path) -> None:
    editor = DraftBuffer()
    drafts = DraftJournal(editor, print)
    drafts.start()
    async with asyncio.timeout(20):
        while not drafts._is_loaded:  # noqa: ASYNC110 - the disk sends no event
            await asyncio.sleep(0.01)
    editor.text = "not sent"
    assert await drafts.finish()
    assert names(home) == {"store.db", "store.db.lock"}
    assert rows(store, "SELECT text FROM draft") == [("not sent",)]


async def test_a_file_that_is_held_keeps_nobody_back(home: Path, store: Path) -> None:
    talk = Talk()
    await talk.start()
    await talk.say("hello")
    begun = time.monotonic()
    with lock.held(home / "store.db.lock", 1):
        await talk.chat.close()
    assert time.monotonic() - begun < 2
    assert rows(store, "SELECT count(*) FROM message") == [(2,)]
