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
    assert (entry.title, entry.folder) == ("a", "a\ufffd")
    (question, reply) = conversations.archive(entry.id).messages
    assert (question.message.content, reply.message.model) == (half, f"openai/{half}")
    assert conversations.load(entry.id).messages[0].content == half


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ownership in Rust", "Ownership in Rust"),
        ("x" * 200, "x" * 200),
        ("a/b 👩\u200d🚀 *so* # it is", "a/b 👩\u200d🚀 *so* # it is"),
        ("x" * 10_084, "x" * 59 + "…"),
        ("# One\n\ntwo", "One"),
        ("a\x1b[31mb\0c\u202ed", "abcd"),
        ("half \ud800", "half"),
        (" \n", "hi"),
        ("\u200b\0", "hi"),
        (7, "7"),
        (["a"], '["a"]'),
        ({}, "{}"),
    ],
)
def test_every_title_becomes_one_that_a_list_can_show(
    conversations: Conversations, tmp_path: Path, given: object, kept: str
) -> None:
    entry = conversations.add(
        one(written(tmp_path / "x.json", [chatgpt(node("hi", "root"), title=given)]))
    )
    assert entry is not None
    assert entry.title == kept


def test_what_has_grown_in_a_log_of_llm_is_added(conversations: Conversations) -> None:
    for archive in read(DATA / "old.db"):
        conversations.add(archive)
    missing = [conversations.missing(archive) for archive in read(LOG)]
    assert missing == [0, 0, 0, 4, 2, None, None, None, None, None, None]
    for archive in read(LOG):
        conversations.add(archive)
    found = {archive.origin: archive for archive in map(conversations.archive, range(1, 12))}
    for archive in read(LOG):
        assert contents(found[archive.origin]) == contents(archive)
        assert found[archive.origin].head == archive.head


def test_names_longer_than_any_can_be_are_left_out(conversations: Conversations) -> None:
    entry = conversations.add(replace(own(), folder="/f" * 9_999, model="m" * 9_999))
    assert entry is not None
    assert (entry.folder, entry.model) == ("", "")


def test_what_has_grown_at_chatgpt_is_as_if_it_came_at_once(
    conversations: Conversations, tmp_path: Path
) -> None:
    system = node("be kind", "root", "system", create_time=1)
    begun = [system, node("q1", "be kind", create_time=2)]
    begun += [node("a1", "q1", "assistant", create_time=3)]
    edited = [node("q1 better", "be kind", create_time=4)]
    edited += [node("a2", "q1 better", "assistant", create_time=5, metadata={"model_slug": "gpt"})]
    more = [node("q2", "a2", create_time=6), node("a1", "q1", "assistant", create_time=3)]
    path = tmp_path / "x.json"
    for places in (begun, [*begun, *edited], [*edited, *more, *begun]):
        assert conversations.add(one(written(path, [chatgpt(*places, update_time=9)])))
    store = Store(tmp_path / "other" / "store.db")
    other = Conversations(store)
    at_once = other.add(one(path))
    assert at_once is not None
    found, expected = conversations.archive(1), other.archive(at_once.id)
    assert {each.message.content for each in found.messages} == {
        "q1",
        "a1",
        "q1 better",
        "a2",
        "q2",
    }
    assert len(found.messages) == len(expected.messages)
    for archive in (found, expected):
        assert [each.message.content for each in archive.branch()] == ["q1 better", "a2", "q2"]
        assert (archive.system_prompt, archive.model) == ("be kind", "openai/gpt")
    store.close()


def test_what_comes_without_a_name_comes_once_too(
    conversations: Conversations, tmp_path: Path
) -> None:
    path = tmp_path / "x.json"
    hi, other, ho = node("hi", "root"), node("hey", "root"), node("ho", "hi", "assistant")
    begun, unlike = ({"conversation_id": None, "create_time": at} for at in (5, 6))
    missing: list[list[int | None]] = []
    for documents in (
        [chatgpt(hi, **begun), chatgpt(hi, **unlike), chatgpt(other, **begun)],
        [chatgpt(hi, ho, **begun), chatgpt(hi, **unlike)],
        [chatgpt(hi, conversation_id=None)],
        [chatgpt(hi, conversation_id=None), chatgpt(hi, ho, conversation_id=None)],
    ):
        found = list(read(written(path, documents)))
        missing.append([conversations.missing(archive) for archive in found])
        for archive in found:
            conversations.add(archive)
        assert [conversations.missing(archive) for archive in found] == [0] * len(found)
    assert missing == [[None, None, None], [1, 0], [None], [0, None]]
