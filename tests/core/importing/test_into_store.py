"""What was read, put into a real store: all of it is there, can be gone on with, and only once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.importing import read
from cloudllm.messages import Cost, Message, Role, Status
from cloudllm.order import check_next
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm_plugins.exporters import json as as_json
from cloudllm_plugins.exporters import jsonl as as_jsonl
from tests.core.importing.reading import DATA, chatgpt, node, one, own, written

LOG = DATA / "both.db"


@pytest.fixture
def conversations(tmp_path: Path) -> Iterator[Conversations]:
    store = Store(tmp_path / "data" / "store.db")
    yield Conversations(store)
    store.close()


def contents(archive: Archive) -> list[tuple[str | None, Message]]:
    return [(each.parent, each.message) for each in archive.messages]


def test_a_real_log_of_llm_is_taken_over_whole(conversations: Conversations) -> None:
    archives = list(read(LOG))
    added = [conversations.add(archive) for archive in archives]
    assert len([entry for entry in added if entry is not None]) == 11
    for archive, entry in zip(archives, added, strict=True):
        assert entry is not None
        kept = conversations.archive(entry.id)
        assert contents(kept) == contents(archive)
        assert kept.title == archive.title or not archive.title
        assert (kept.head, kept.system_prompt) == (archive.head, archive.system_prompt)
    assert all(conversations.add(archive) is None for archive in read(LOG))


def test_every_branch_can_be_gone_on_with(conversations: Conversations) -> None:
    for archive in read(LOG):
        entry = conversations.add(archive)
        assert entry is not None
        loaded = conversations.load(entry.id)
        history: list[Message] = []
        for message in loaded.messages:
            check_next(history, message)
            history.append(message)
        assert history
        assert loaded.unanswered == ""


def test_reply_of_several_parts_is_one_message_to_go_on_with(
    conversations: Conversations, tmp_path: Path
) -> None:
    thoughts = node("thoughts", "hi", "assistant")
    thoughts["message"]["content"] = {"content_type": "thoughts", "thoughts": ["hm"]}
    code = node("code", "thoughts", "assistant", recipient="python")
    places = [node("hi", "root"), thoughts, code, node("ho", "code", "assistant")]
    entry = conversations.add(one(written(tmp_path / "x.json", [chatgpt(*places)])))
    assert entry is not None
    question, reply = conversations.load(entry.id).messages
    assert question.content == "hi"
    assert (reply.content, reply.reasoning) == ("[to python]\ncode\n\nho", "hm")


@pytest.mark.parametrize("write", [as_json.write, as_jsonl.write])
def test_what_the_store_gives_out_goes_into_another_as_it_is(
    conversations: Conversations, tmp_path: Path, write: Callable[[list[Archive]], Iterable[str]]
) -> None:
    cost = Cost(nano=7, estimated=True, source="a table")
    odd = Message(Role.ASSISTANT, "a\0b\r\n\x1b ", model="", cost=cost, status=Status.CANCELLED)
    tree = (*own().messages, ArchivedMessage(id="x", parent="5", message=odd, created=9))
    first = conversations.add(replace(own(), messages=tree))
    assert first is not None
    given = conversations.archive(first.id)
    path = tmp_path / "all"
    path.write_text("".join(write([given])), encoding="utf-8")
    store = Store(tmp_path / "other" / "store.db")
    other = Conversations(store)
    second = other.add(one(path))
    assert second is not None
    assert other.archive(second.id) == given
    assert (given.messages[-1].message, given.messages[0].message.pinned) == (odd, True)
    assert conversations.add(one(path)) is None
    assert conversations.archive(first.id) == given
    store.close()


def test_half_characters_do_not_hinder_the_store(
    conversations: Conversations, tmp_path: Path
) -> None:
    half = "a\ud800"
    places = [node(half, "root"), node("ho", half, "assistant", metadata={"model_slug": half})]
    found = one(written(tmp_path / "x.json", [chatgpt(*places, title=half, conversation_id=half)]))
    entry = conversations.add(replace(found, system_prompt=half, folder=half))
    assert entry is not None
    assert conversations.load(entry.id).messages[0].content == "a?"
