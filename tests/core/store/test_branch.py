"""Whatever a branch holds, what is loaded of it is a history that a session accepts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import Archive, ArchivedMessage, Cost, Message, Role, Status, ToolCall, Usage
from cloudllm.errors import UsageError
from cloudllm.order import check_next
from cloudllm.store.conversations import Conversations, Loaded
from cloudllm.store.database import Store
from tests.core.store.stored import alternating, line_of, said

CALL = ToolCall("c1", "add", "{}")
ids = st.sampled_from(["a", "b"])
messages = st.builds(
    Message,
    role=st.sampled_from(Role),
    content=st.text(max_size=3),
    reasoning=st.text(max_size=2),
    tool_calls=st.lists(st.builds(ToolCall, ids, ids, ids), max_size=2).map(tuple),
    tool_call_id=st.none() | ids,
    pinned=st.booleans(),
    status=st.sampled_from(Status),
    usage=st.none() | st.builds(Usage, input_tokens=st.integers(0, 9)),
    cost=st.none() | st.builds(Cost, nano=st.integers(0, 9)),
)


def loaded(folder: Path, archive: Archive) -> Loaded:
    store = Store(folder / "store.db")
    kept = Conversations(store)
    made = kept.add(archive)
    assert made is not None
    found = kept.load(made.id)
    store.close()
    return found


@settings(max_examples=50, deadline=None)
@given(st.lists(messages, max_size=8))
def test_every_history_is_valid(
    tmp_path_factory: pytest.TempPathFactory, found: list[Message]
) -> None:
    result = loaded(tmp_path_factory.mktemp("data"), line_of(*found))
    for at, message in enumerate(result.messages):
        check_next(result.messages[:at], message)
    check_next(result.messages, said("user", "next"))
    assert len(result.ids) == len(result.messages)
    assert list(result.ids) == sorted(result.ids)
    users = [each.content for each in found if each.role is Role.USER and each.content]
    text = "\n\n".join([*(each.content for each in result.messages), result.unanswered])
    assert all(each in text for each in users)


def test_messages_of_one_role_are_joined(tmp_path: Path) -> None:
    result = loaded(
        tmp_path,
        line_of(
            said("assistant", "before all"),
            said("user", "one", pinned=True),
            said("user", "two"),
            said("assistant", "1", reasoning="a", usage=Usage(input_tokens=1), cost=Cost(nano=1)),
            said("assistant", "2", usage=Usage(input_tokens=2), model="acme/one"),
            said("user", "three"),
            said("user", "four"),
        ),
    )
    assert result.messages == (
        said("user", "one\n\ntwo", pinned=True),
        said(
            "assistant",
            "1\n\n2",
            reasoning="a",
            usage=Usage(input_tokens=3),
            cost=Cost(nano=1),
            model="acme/one",
        ),
    )
    assert result.ids == (3, 5)
    assert (result.unanswered, result.unanswered_id, result.head) == ("three\n\nfour", 7, 7)


def test_calls_that_were_answered_stay_and_others_go(tmp_path: Path) -> None:
    result = loaded(
        tmp_path,
        line_of(
            said("user", "sum"),
            said("assistant", "", tool_calls=(CALL,)),
            said("tool", "4", tool_call_id="c1"),
            said("assistant", "four"),
            said("user", "again"),
            said("assistant", "well", tool_calls=(CALL,)),
            said("user", "so?"),
        ),
    )
    assert [each.role for each in result.messages] == [
        "user", "assistant", "tool", "assistant", "user", "assistant",
    ]  # fmt: skip
    assert [bool(each.tool_calls) for each in result.messages] == [0, 1, 0, 0, 0, 0]
    assert result.unanswered == "so?"


def test_a_conversation_of_nothing_can_be_gone_on_with(tmp_path: Path) -> None:
    result = loaded(tmp_path, Archive())
    assert (result.messages, result.unanswered, result.head) == ((), "", None)
    assert result.entry.title == "(empty)"


def test_what_was_taken_out_can_be_put_in_elsewhere_and_is_the_same(tmp_path: Path) -> None:
    archive = Archive(
        id="key 1",
        title="A title",
        created=1_000,
        updated=2_000,
        folder="/x",
        model="acme/one",
        system_prompt="Be brief.",
        origin="llm:1",
        messages=(
            ArchivedMessage(id="1", parent=None, message=said("system", "rules"), created=5),
            ArchivedMessage(id="2", parent="1", message=said("user", "\x00é"), created=6),
            ArchivedMessage(
                id="3",
                parent="2",
                message=said("assistant", "a", tool_calls=(CALL,), usage=Usage(input_tokens=1)),
            ),
            ArchivedMessage(id="4", parent="2", message=said("assistant", "b", reasoning="r")),
            ArchivedMessage(id="5", parent=None, message=said("user", "c", pinned=True)),
        ),
        head="3",
    )
    store = Store(tmp_path / "store.db")
    kept = Conversations(store)
    made = kept.add(archive)
    assert made is not None
    assert kept.archive(made.id) == archive
    assert kept.add(archive) is None
    assert kept.add(replace(archive, id="")) is None
    assert kept.add(replace(archive, origin="")) is None
    other = Store(tmp_path / "other.db")
    elsewhere = Conversations(other)
    again = elsewhere.add(kept.archive(made.id))
    assert again is not None
    assert elsewhere.archive(again.id) == archive
    store.close()
    other.close()


@pytest.mark.parametrize(
    ("pairs", "head", "words"),
    [
        ([("1", "2"), ("2", "1")], None, "The message 1 follows 2, which does not come before it"),
        ([("1", "1")], None, "The message 1 follows 1"),
        ([("1", None), ("1", None)], None, "Two messages have the id 1"),
        ([("1", None)], "\x1b7", "The branch in use ends with ␛7, which is not there"),
    ],
)
def test_what_is_no_tree_is_refused_whole(
    tmp_path: Path, pairs: list[tuple[str, str | None]], head: str | None, words: str
) -> None:
    store = Store(tmp_path / "store.db")
    kept = Conversations(store)
    found = tuple(
        ArchivedMessage(id=name, parent=parent, message=said("user", "x")) for name, parent in pairs
    )
    with pytest.raises(UsageError, match=words):
        kept.add(Archive(messages=found, head=head))
    assert kept.entries() == []
    store.close()


@pytest.mark.parametrize("created", [-5, 0, 10**30])
def test_a_time_that_cannot_be_breaks_nothing_and_is_not_always_the_newest(
    tmp_path: Path, created: int
) -> None:
    store = Store(tmp_path / "store.db")
    kept = Conversations(store)
    odd = Archive(created=created, updated=created, title="odd")
    assert kept.add(odd) is not None
    assert kept.add(alternating("new")) is not None
    assert {each.title for each in kept.entries()} == {"odd", "new"}
    assert kept.entries()[0].title == "new"
    store.close()
