"""On leaving: who has a conversation on disk is told how to come back to it, and nobody else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm.repl.farewell import farewell
from cloudllm.repl.opening import Opening
from tests.repl.screens import Talk

UNSAVED = "Not all that was said could be saved."
BACK = "To go on with this conversation: cloudllm --continue"


async def left(talk: Talk, *lines: str) -> str:
    await talk.start()
    await talk.say(*lines)
    await talk.chat.close()
    return farewell(talk.chat)


async def test_who_has_said_something_is_told_how_to_come_back() -> None:
    assert await left(Talk(), "hello") == BACK
    assert await left(Talk(), "hello", "/undo") == ""
    assert await left(Talk(), "hello", "/new") == ""


async def test_who_has_said_nothing_or_wants_nothing_kept_is_told_nothing() -> None:
    assert await left(Talk(), "/help") == ""
    assert await left(Talk(Opening(private=True)), "hello") == ""


async def test_who_has_only_looked_at_one_comes_back_to_that() -> None:
    await left(Talk(), "hello")
    talk = Talk(Opening(go_on=True))
    await talk.start()
    await talk.chat.open(person=True)
    assert await left(talk, "/history") == BACK


@pytest.mark.parametrize("lines", [("hello",), ("hello", "/new")])
async def test_what_could_not_be_kept_is_not_promised(lines: tuple[str, ...], home: Path) -> None:
    (home / "store.db").mkdir(parents=True)
    assert await left(Talk(), *lines) == UNSAVED


async def test_who_leaves_what_is_not_saved_is_told_first_once(home: Path) -> None:
    (home / "store.db").mkdir(parents=True)
    talk = Talk()
    await talk.start()
    await talk.chat.open(person=True)
    await talk.say("hello")
    assert "/save FILE writes this conversation elsewhere" in await talk.say("/quit")
    assert not talk.chat.leaving
    assert "is not saved yet" in await talk.say("/new")
    assert await talk.say("/quit") == ""
    assert talk.chat.leaving


async def test_G5_a_script_ends_where_it_says_so(home: Path) -> None:
    (home / "store.db").mkdir(parents=True)
    talk = Talk()
    await talk.say("hello", "/quit")
    assert talk.chat.leaving


@pytest.mark.slow
@pytest.mark.parametrize(("lines", "said"), [((), BACK), (("again",), UNSAVED)])
async def test_what_waits_for_another_program_at_the_end_is_not_promised(
    lines: tuple[str, ...], said: str, home: Path
) -> None:
    talk = Talk()
    await talk.start()
    await talk.say("hello")
    with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await talk.say(*lines)
        await talk.chat.close()
        assert farewell(talk.chat) == said


@pytest.mark.usefixtures("gone")
async def test_where_the_folder_is_gone_the_conversation_is_named() -> None:
    talk = Talk()
    said = await left(talk, "hello")
    assert talk.chat.shelf is not None
    assert said == BACK.replace("--continue", f"--resume {talk.chat.shelf.journal.key}")
