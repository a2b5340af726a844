"""What a chat does beside, where the settings say so: it purges what is old, and writes titles."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from cloudllm.repl import chores
from cloudllm.repl.opening import Opening
from tests.repl.screens import Talk
from tests.repl.test_resume import keep

PURGED = "Purged 1 conversation, not in use for 30 days or longer."


def age(home: Path, title: str) -> None:
    """Have a conversation be from the year 1970."""
    with closing(sqlite3.connect(home / "store.db")) as store, store:
        store.execute("UPDATE conversation SET updated = 1, used = 1 WHERE title = ?", (title,))


async def opened(days: int) -> Talk:
    """A chat with a person that keeps conversations for so many days."""
    talk = Talk(**{"history.keep_days": days})
    await talk.start()
    await talk.chat.open(person=True)
    return talk


async def beside(talk: Talk) -> None:
    """Wait for all that the chat does beside."""
    await asyncio.gather(*talk.chat._chores)


async def test_what_is_old_is_purged_after_the_start_and_said_once(home: Path) -> None:
    keep("one", "canary of old", title="old")
    keep("two", "answer two", title="new")
    age(home, "old")
    talk = await opened(30)
    await beside(talk)
    assert talk.screen.notices == [PURGED]
    assert (await talk.say("/sessions")).startswith("  1  new")
    await talk.chat.close()
    assert b"canary" not in (home / "store.db").read_bytes()
    keep("three", "answer three", title="old")
    age(home, "old")
    again = await opened(30)  # it was done today
    await beside(again)
    assert again.screen.notices == []
    await again.chat.close()


async def test_nothing_is_purged_unless_the_settings_say_so(home: Path) -> None:
    keep("one", "answer one", title="old")
    age(home, "old")
    for talk in (Talk(), Talk(Opening(private=True), **{"history.keep_days": 30})):
        await talk.start()
        await chores.expire(talk.chat)
        assert talk.screen.notices == []
        await talk.chat.close()


async def test_a_store_that_cannot_be_purged_is_said(home: Path) -> None:
    (home / "store.db").mkdir(parents=True)
    talk = Talk(**{"history.keep_days": 1})
    await talk.start()
    await chores.expire(talk.chat)
    assert talk.screen.notices[0].startswith("What is older than a day could not be purged: ")
    await talk.chat.close()


async def test_a_model_writes_the_title_once_unless_a_person_gave_one(home: Path) -> None:
    talk = Talk(**{"history.title_model": "echo/echo"})
    await talk.start()
    await talk.chat.open(person=True)
    await talk.say("hello")
    await beside(talk)
    assert "You said: Below, between" in await talk.say("/sessions")
    await talk.say("/rename Mine", "again")
    await beside(talk)
    assert "Mine" in await talk.say("/sessions")
    await talk.say("/new", "another", "/rename Also mine")
    await beside(talk)
    assert "Also mine" in await talk.say("/sessions")
    await talk.chat.close()
    with closing(sqlite3.connect(home / "store.db")) as store:
        purposes = store.execute("SELECT purpose, count(*) FROM call GROUP BY 1").fetchall()
    assert purposes == [("reply", 3), ("title", 2)]


async def test_a_title_model_that_is_not_there_is_no_trouble(home: Path) -> None:
    talk = Talk(**{"history.title_model": "openai/gpt-6-luna"})
    await talk.start()
    await talk.chat.open(person=True)
    await talk.say("hello")
    await beside(talk)
    assert talk.screen.notices == []
    assert "hello" in await talk.say("/sessions")
    await talk.chat.close()
