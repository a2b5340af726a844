"""G5: what others do to a conversation while a chat holds it mixes up no text and loses none."""

from __future__ import annotations

import asyncio
import random
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import TextDelta
from cloudllm.messages import Message
from cloudllm.recording import Start
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.entries import Entry
from tests.core.store.stored import Told, check_file, contents, line_of, rows, said


async def test_a_reply_whose_conversation_is_deleted_never_runs_into_that_of_another_chat(
    path: Path, chats: list[Told], kept: Conversations
) -> None:
    """SQLite gives the ids of what was deleted last once more."""
    one, two, _ = chats
    start = Start(0, (said("user", "what is one?"),))
    await one.begin(start)
    one.journal.add(TextDelta("one "))
    await one.journal.saved()
    kept.delete([each.id for each in kept.entries()])
    start_of_two = Start(0, (said("user", "what is two?"),))
    await two.begin(start_of_two)
    for chat, text in ((one, "is one"), (two, "two is two"), (one, " ."), (two, ".")):
        chat.journal.add(TextDelta(text))
        await chat.journal.saved()
    pieces = "SELECT message, group_concat(text, '') FROM piece GROUP BY 1 ORDER BY 2"
    assert [text for _, text in rows(path, pieces)] == ["one is one .", "two is two."]
    one.settle(start, "one is one .")
    two.settle(start_of_two, "two is two.")
    await one.journal.saved()
    await two.journal.saved()
    for chat in (one, two):
        await chat.check()
    check_file(path)


@pytest.mark.parametrize("ids_are_taken", [False, True])
async def test_a_message_that_another_chat_took_back_is_written_anew_where_a_reply_follows_it(
    path: Path, chats: list[Told], kept: Conversations, ids_are_taken: bool
) -> None:
    one, two, three = chats
    await one.turn("hello", "there")
    start = Start(2, (said("user", "and?"),))
    await one.begin(start)
    entry = kept.entries()[0]
    ((sent,),) = rows(path, "SELECT id FROM message WHERE content = 'and?'")
    kept.move(entry.id, sent)
    await two.take_up(entry.id)
    one.settle(start, "")
    await one.journal.saved()
    if ids_are_taken:
        await three.turn("something else", "yes")
    await two.ask_again("and?", "so")
    await two.check()
    assert contents(two.history) == ["hello", "there", "and?", "so"]
    await one.turn("more", "of it")
    await one.check()
    check_file(path)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(), min_size=1), min_size=2, max_size=2))
def test_a_chat_knows_its_messages_again_whatever_is_in_them(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("data") / "store.db"

    async def live() -> None:
        chat = Told(path)
        for _ in range(2):
            await chat.turn(*texts)
        await chat.take_up(1)
        await chat.turn(*texts)
        await chat.check()
        chat.journal.close(5)

    asyncio.run(live())
    assert rows(path, "SELECT count(*) FROM message") == [(6,)]


@pytest.mark.parametrize(
    "messages",
    [
        (said("user", "q"), said("assistant", "a"), said("assistant", "", reasoning="hm")),
        (said("user", "q"), said("assistant", "a", reasoning="hm"), said("assistant", "")),
        (said("user", "q"), said("assistant", "a"), said("user", "b"), said("user", "")),
    ],
)
async def test_what_was_joined_as_it_was_loaded_is_not_written_again(
    chats: list[Told], kept: Conversations, messages: tuple[Message, ...]
) -> None:
    entry = kept.add(line_of(*messages))
    assert entry is not None
    unanswered = kept.load(entry.id).unanswered
    await chats[0].take_up(entry.id)
    await chats[0].ask_again(unanswered or "next", "yes")
    await chats[0].check()
    assert len(kept.tree(entry.id).nodes) == len(messages) + (1 if unanswered else 2)


async def test_a_conversation_that_was_deleted_and_put_in_again_is_gone_on_with(
    path: Path, chats: list[Told], kept: Conversations
) -> None:
    one, two, _ = chats
    await one.turn("hello", "there")
    await one.turn("and?", "so")
    await two.turn("something else", "yes")
    entry = next(each for each in kept.entries() if each.title == "hello")
    archive = kept.archive(entry.id)
    kept.delete([each.id for each in kept.entries()])
    await two.turn("more", "of it")
    assert kept.add(archive) is not None
    await one.turn("well", "well")
    await one.check()
    check_file(path)


async def test_G5_a_chat_that_ends_before_its_reply_is_settled_has_it_found_again(
    path: Path, kept: Conversations
) -> None:
    chat = Told(path)
    await chat.turn("hello", "there")
    await chat.begin(Start(2, (said("user", "and?"),)))
    chat.journal.add(TextDelta("so"))
    chat.journal.close(5)
    with closing(Store(path)) as store, store.write() as connection:  # the process is no more
        for table in ("message", "conversation"):
            connection.execute(f"UPDATE {table} SET owner = 1 WHERE owner IS NOT NULL")
    (entry,) = kept.recover()
    assert contents(kept.load(entry.id).messages) == ["hello", "there", "and?", "so"]
    assert kept.broken("") is not None


class Crowd:
    """Three chats and a person at the command line, who do anything at random."""

    def __init__(self, chats: list[Told], kept: Conversations, chance: random.Random) -> None:
        self.chats = chats
        self.begun: dict[Told, Start] = {}
        self._kept = kept
        self._chance = chance
        self._number = 0

    async def act(self) -> None:
        """One of them does something, and it is on disk."""
        self._number += 1
        chat = self._chance.choice(self.chats)
        steps = (self.begin, self.begin, self.retry, self.undo, self.clear, self.move)
        others = (self.take_up, self.delete, self.put_in_again)
        if chat not in self.begun:
            await self._chance.choice((*steps, *others))(chat)
        elif self._chance.random() < 0.5:
            chat.journal.add(TextDelta(f"piece {self._number}"))
        else:
            self.settle(chat, self._chance.choice(("", f"reply {self._number}")))
        await chat.journal.saved()

    async def begin(self, chat: Told) -> None:
        start = Start(len(chat.history), (said("user", f"question {self._number}"),))
        self.begun[chat] = start
        await chat.begin(start)

    def settle(self, chat: Told, text: str) -> None:
        chat.settle(self.begun.pop(chat), text)

    async def retry(self, chat: Told) -> None:
        if chat.history:
            await chat.retry(f"another reply {self._number}")

    async def undo(self, chat: Told) -> None:
        if chat.history:
            chat.undo()

    async def clear(self, chat: Told) -> None:
        chat.clear()

    async def move(self, chat: Told) -> None:
        for entry in self._any():
            nodes = self._kept.tree(entry.id).nodes
            if whole := [each.id for each in nodes if each.status != "streaming"]:
                self._kept.move(entry.id, self._chance.choice(whole))
                await chat.take_up(entry.id)

    async def take_up(self, chat: Told) -> None:
        for entry in self._any():
            await chat.take_up(entry.id)

    async def delete(self, _: Told) -> None:
        self._kept.delete([entry.id for entry in self._any()])

    async def put_in_again(self, _: Told) -> None:
        for entry in self._any():
            archive = self._kept.archive(entry.id)
            self._kept.delete([entry.id])
            self._kept.add(archive)

    def _any(self) -> list[Entry]:
        entries = self._kept.entries()
        return [self._chance.choice(entries)] if entries else []


@pytest.mark.parametrize("seed", range(12))
async def test_G5_whatever_others_do_no_chat_loses_its_branch(
    path: Path, chats: list[Told], kept: Conversations, seed: int
) -> None:
    crowd = Crowd(chats, kept, random.Random(seed))
    for _ in range(50):
        await crowd.act()
    for chat in list(crowd.begun):
        crowd.settle(chat, "the last reply")
    for chat in chats:
        await chat.turn("the end", "yes")
        await chat.check()
    check_file(path)
