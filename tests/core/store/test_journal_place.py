"""Where a chat is in the tree of its conversation, which another chat may have gone on with."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.store.stored import Told, line_of, said


async def test_a_chat_knows_where_it_is_whatever_another_one_goes_on_with(
    chats: list[Told], kept: Conversations
) -> None:
    one, two, _ = chats
    assert await one.journal.place() is None
    await one.turn("one", "answer one")
    (entry,) = kept.entries()
    await two.take_up(entry.id)
    assert await two.journal.place() == 2
    await two.turn("theirs", "answer theirs")
    assert (await one.journal.place(), await two.journal.place()) == (2, 4)
    assert await two.journal.place(2) == 2
    assert await two.journal.place(0) is None
    seen = kept.tree(entry.id).seen_from(await one.journal.place())
    assert (seen.head, [node.on_branch for node in seen.nodes]) == (2, [True, True, False, False])
    assert kept.tree(entry.id).seen_from(None).head is None
    one.undo()
    assert await one.journal.place() is None


async def test_a_message_without_a_reply_is_where_a_chat_is(
    chats: list[Told], kept: Conversations
) -> None:
    entry = kept.add(line_of(said("user", "one"), said("assistant", "1"), said("user", "two")))
    assert entry is not None
    chat = chats[0]
    assert chat.journal.unanswered == ""
    await chat.take_up(entry.id)
    assert (chat.journal.unanswered, await chat.journal.place()) == ("two", 3)
    await chat.ask_again("two", "2")
    assert (chat.journal.unanswered, await chat.journal.place()) == ("", 4)


async def test_where_a_chat_is_on_disk_is_before_what_could_not_be_written(
    chats: list[Told], kept: Conversations, path: Path
) -> None:
    await chats[0].turn("one", "answer one")
    with closing(Store(path)) as store, store.write() as connection:
        connection.execute("PRAGMA user_version = 999")
    chats[0].journal.close(5)  # the next one opens the file anew
    late = Told(path)
    await late.take_up(kept.entries()[0].id)
    await late.turn("two", "answer two")
    assert await late.journal.place() == 2
    late.journal.close(0)
