"""A message as a row: whatever its texts hold, it comes back as it was, and SQLite sees all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from cloudllm.messages import Message, Role
from cloudllm.store import rows
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.archives import messages
from tests.core.store.stored import line_of, said


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("rows") / "store.db")
    yield made
    made.close()


def seen(store: Store, entry_id: int) -> tuple[str, str, int]:
    """The text as SQLite shows it, what is beside it, and how long SQLite takes it to be."""
    with store.read() as connection:
        found: tuple[str, str, int] = connection.execute(
            "SELECT content, details, length(content) FROM message WHERE conversation = ?",
            (entry_id,),
        ).fetchone()
    return found


@settings(max_examples=60, deadline=None)
@given(messages)
def test_any_message_comes_back_as_it_was(store: Store, message: Message) -> None:
    kept = Conversations(store)
    entry = kept.add(line_of(message))
    assert entry is not None
    assert kept.archive(entry.id).messages[0].message == message
    content, _, length = seen(store, entry.id)
    assert length == len(content) == len(message.content)


def test_what_is_shown_for_what_no_column_holds(store: Store) -> None:
    kept = Conversations(store)
    for text, shown in (("a\0b", "a␀b"), ("\ud83d\ude00", "\U0001f600"), ("\udc80", "\ufffd")):
        entry = kept.add(line_of(said("user", text)))
        assert entry is not None
        assert seen(store, entry.id)[0] == shown


def test_plain_texts_are_kept_once(store: Store) -> None:
    entry = Conversations(store).add(line_of(said("user", "plain é 🦄 ␀ \ufffd")))
    assert entry is not None
    assert seen(store, entry.id)[1] == "{}"


def test_two_halves_are_one_character() -> None:
    assert rows.fit("a\ud83d\ude00b\ude00") == "a\U0001f600b\ufffd"
    assert rows.from_raw(rows.raw("\0\ud83d é")) == "\0\ud83d é"


def test_bytes_that_are_no_text_cost_nothing_around_them() -> None:
    assert rows.from_raw(b"a\xffb") == "a\ufffdb"


def test_details_that_make_no_sense_cost_no_text() -> None:
    for details in ('{"exact": 5}', "{", "[]"):
        found = rows.message(("user", "text", "", "complete", 0, None, details))
        assert (found.role, found.content) == (Role.USER, "text")
