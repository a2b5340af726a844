"""Search over all messages: what is there is found, newest first, and nothing typed is syntax."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.messages import Message, Role
from cloudllm.store import migrations
from cloudllm.store import search as searching
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.search import Hit, search

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)

TEXT_OF_ALL_KINDS = (
    "Ownership and borrowing: 東京都は 🦄 👩‍👩‍👧 Straße Σίσυφος z a line\nbreak ending."
)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that is only read."""
    made = Store(tmp_path_factory.mktemp("one") / "store.db")
    add(made, "nothing of that kind", TEXT_OF_ALL_KINDS)
    yield made
    made.close()


def add(store: Store, *texts: str, folder: str = "/home", created: int = 1_000) -> int:
    """A conversation of these messages, a minute apart."""
    messages = tuple(
        ArchivedMessage(
            id=str(at),
            parent=str(at - 1) if at else None,
            message=Message((Role.USER, Role.ASSISTANT)[at % 2], text),
            created=created + at,
        )
        for at, text in enumerate(texts)
    )
    archive = Archive(title="T", created=created, folder=folder, messages=messages)
    entry = Conversations(store).add(archive)
    assert entry is not None
    return entry.id


def found(store: Store, words: str, *, folder: str | None = None, limit: int = 20) -> list[Hit]:
    with store.read() as connection:
        return search(connection, words, folder=folder, limit=limit)


def contents(store: Store, words: str) -> list[str]:
    return [f"{hit.before}{hit.match}{hit.after}" for hit in found(store, words)]


@pytest.mark.parametrize(
    "words",
    [
        '"and borrowing', 'ending "ownership and', "ownership", "OWNER", "ners", "ow", "w", "borrowing ownership", '"and borrowing"', "東京",
        "京", "東京都は", "🦄", "👩‍👩‍👧", "straße", "STRAßE", "ΣΊΣΥΦΟΣ", "σίσυφος", "z", '"line break"', "g.",
    ],
)  # fmt: skip
def test_words_parts_of_words_and_phrases_are_found_in_any_writing(words: str, one: Store) -> None:
    assert len(found(one, words)) == 1


def test_a_mark_among_words_does_not_empty_the_result(store: Store) -> None:
    add(store, "the lake is frozen", "cold - and still", "frozen - in part")
    assert contents(store, "frozen -") == ["frozen - in part"]
    assert contents(store, "lake - frozen") == ["the lake is frozen"]
    assert contents(store, "lake -> …") == ["the lake is frozen"]
    assert contents(store, "-") == ["frozen - in part", "cold - and still"]
    assert contents(store, "->") == contents(store, "-> …") == contents(store, "- warm") == []


@pytest.mark.parametrize(
    "words",
    [
        '"ownership borrowing',
        "",
        "  ",
        '""',
        '"  "',
        "absent",
        "borrows",
        "and nowhere",
        '"and ending"',
        "qq",
        "本",
        "🐙",
    ],
)
def test_what_is_not_there_is_not_found(words: str, one: Store) -> None:
    assert found(one, words) == []


@given(text=TEXT, begin=st.integers(0, 40), length=st.integers(1, 20))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(text="AΣ", begin=1, length=1)
@example(text="İstanbul \u017f", begin=0, length=20)
@example(text='say "hello', begin=4, length=6)
def test_every_part_of_every_message_is_found(
    text: str, begin: int, length: int, store: Store
) -> None:
    add(store, text)
    part = " ".join(text.replace('"', " ")[begin : begin + length].split())
    if part:
        hits = found(store, part, limit=1_000_000)
        assert any(hit.match in text and hit.match for hit in hits)


@given(
    words=st.text(alphabet=st.sampled_from("\"*():^{}-+ ANDORTNEAcontentrowid\0'%_;é"), max_size=30)
)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(words='"')
@example(words="content : x")
@example(words="NEAR(a b, 3)")
@example(words="one* OR two")
@example(words="a\0b")
@example(words="\ud800")
def test_nothing_typed_is_syntax_and_nothing_raises(words: str, one: Store) -> None:
    for hit in found(one, words):
        assert hit.match


@pytest.mark.parametrize(
    "words", ["a* b", "NEAR(x", "title:x", "NOT", 'say "so', "(", "'; --", "%", "a_c"]
)
def test_syntax_is_found_as_it_stands(words: str, store: Store) -> None:
    add(store, "plain abc", f"here {words} there")
    assert len(found(store, words)) == 1


def test_all_words_must_be_in_one_message(store: Store) -> None:
    add(store, "red apple", "green pear", "a pear that is red")
    assert [hit.role for hit in found(store, "red pear")] == ["user"]


def test_the_newest_message_comes_first_whatever_order_they_were_stored_in(store: Store) -> None:
    for year in (3, 1, 4, 2):
        add(store, f"needle {year}", created=year * 10**10)
    assert contents(store, "needle") == [f"needle {year}" for year in (4, 3, 2, 1)]
    assert [hit.created for hit in found(store, "needle", limit=2)] == [4 * 10**10, 3 * 10**10]


def test_words_in_many_messages_come_in_the_same_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the sizes of a store of millions."""
    monkeypatch.setattr(searching, "_FEW", 4)
    monkeypatch.setattr(searching, "_NEW", 2)
    for year in (3, 1, 4, 2, 6, 5, 7):
        add(store, f"needle {year}", "hay", "hay", created=year * 10**10, folder=f"/{year % 2}")
    assert contents(store, "needle") == [f"needle {year}" for year in range(7, 0, -1)]
    assert [hit.created for hit in found(store, "needle", folder="/0")] == [
        6 * 10**10, 4 * 10**10, 2 * 10**10,
    ]  # fmt: skip


def test_one_folder_can_be_searched_alone(store: Store) -> None:
    add(store, "needle here", folder="/one")
    add(store, "needle there", folder="/two")
    assert [hit.entry.folder for hit in found(store, "needle", folder="/one")] == ["/one"]
    assert found(store, "needle", folder="/none") == []


def test_the_hit_stands_in_its_context_on_one_line(store: Store) -> None:
    text = f"{'before ' * 20}\n\nthe  Needle,\tas\nit is {'after ' * 20}"
    add(store, text)
    (hit,) = found(store, "needle")
    assert hit.match == "Needle"
    assert hit.before.startswith("…before before")
    assert hit.before.endswith(" before the ")
    assert hit.after.startswith(", as it is after")
    assert hit.after.endswith(" after…")
    assert all(40 < len(part) <= 61 for part in (hit.before, hit.after))


def test_a_short_message_is_shown_whole(store: Store) -> None:
    add(store, "one needle two")
    (hit,) = found(store, "needle")
    assert (hit.before, hit.match, hit.after) == ("one ", "needle", " two")
    assert hit.entry.title == "T"


def test_all_branches_are_searched_and_what_is_gone_or_still_coming_in_is_not(store: Store) -> None:
    conversation = add(store, "question", "needle one", "more", "last")
    Conversations(store).move(conversation, 1)
    assert len(found(store, "needle")) == 1
    with store.write() as connection:
        connection.execute("UPDATE message SET status = 'streaming', content = '' WHERE id = 2")
        connection.execute("UPDATE message SET content = 'needle' WHERE id = 2")
    assert found(store, "needle") == []
    with store.write() as connection:
        connection.execute("UPDATE message SET status = 'partial', content = 'needle' WHERE id = 2")
    assert len(found(store, "needle")) == 1
    Conversations(store).delete([conversation])
    assert found(store, "needle") == []
    assert found(store, "la") == []


def test_the_index_is_whole_after_all_that(store: Store) -> None:
    test_all_branches_are_searched_and_what_is_gone_or_still_coming_in_is_not(store)
    add(store, "more")
    with store.write() as connection:
        connection.execute("INSERT INTO found (found) VALUES ('integrity-check')")
        connection.execute("INSERT INTO found (found) VALUES ('rebuild')")
    assert len(found(store, "more")) == 1


def without_search(action: int, what: str | None, *_: str | None) -> int:
    """As a SQLite that can't search text: it has no such module and makes no such table."""
    if action == sqlite3.SQLITE_CREATE_VTABLE:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and what == "pragma_module_list":
        return sqlite3.SQLITE_IGNORE
    return sqlite3.SQLITE_OK


def test_where_sqlite_cannot_search_text_all_messages_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.set_authorizer(without_search)
    migrations.migrate(connection)
    connection.close()
    store = Store(path)
    add(store, "a needle", "hay", folder="/one")
    add(store, "another needle", "straw", created=5_000)
    assert contents(store, "needle") == ["another needle", "a needle"]
    assert contents(store, "straw") == ["straw"]
    assert len(found(store, "needle", folder="/one")) == 1
    store.close()
