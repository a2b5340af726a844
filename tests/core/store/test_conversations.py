"""Conversations in the store: listed, found by name, renamed, copied, moved in, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from cloudllm.errors import UsageError
from cloudllm.store import entries
from cloudllm.store.conversations import Conversations, Entry
from cloudllm.store.database import Store
from cloudllm.store.tree import first_line
from tests.core.store.stored import alternating, check_file, line_of, rows, said


@pytest.fixture
def kept(path: Path) -> Iterator[Conversations]:
    store, seconds = Store(path), count(1_700_000_000)
    yield Conversations(store, clock=lambda: float(next(seconds)))
    store.close()
    if path.exists():
        check_file(path)


def add(kept: Conversations, *texts: str, folder: str = "", key: str = "") -> Entry:
    made = kept.add(replace(alternating(*texts), folder=folder, id=key))
    assert made is not None
    return made


def test_the_newest_comes_first_and_folders_are_kept_apart(kept: Conversations) -> None:
    for text, folder in (("a", "/x"), ("b", "/y"), ("c", "/x")):
        add(kept, text, "1", folder=folder)
    assert [each.title for each in kept.entries()] == ["c", "b", "a"]
    assert [each.title for each in kept.entries(limit=2)] == ["c", "b"]
    assert [each.title for each in kept.entries(folder="/x")] == ["c", "a"]
    last = kept.last("/y")
    assert last is not None
    assert (last.title, last.turns, last.folder) == ("b", 1, "/y")
    assert kept.last("/z") is None


def test_the_last_one_of_a_folder_is_what_was_taken_up_there_last(kept: Conversations) -> None:
    old, new = add(kept, "old", "1", folder="/x"), add(kept, "new", "1", folder="/x")
    other = add(kept, "other", "1", folder="/y")

    def use(entry: Entry, folder: str, now: int = 0) -> None:
        with kept._store.write() as connection:
            entries.use(connection, entry.id, folder, now)

    def touch(entry: Entry) -> None:
        with kept._store.write() as connection:
            entries.touch(connection, entry.id, 0)

    def last(folder: str) -> str:
        found = kept.last(folder)
        assert found is not None
        return found.title

    before = kept.entries()
    assert last("/x") == "new"
    use(old, "/x")  # the clock was set back, too
    assert (last("/x"), last("/y")) == ("old", "other")
    assert kept.entries() == before
    use(other, "/x")
    assert (last("/x"), last("/y")) == ("other", "other")
    use(new, "/z")
    assert (last("/x"), last("/z")) == ("other", "new")
    touch(new)  # it went on in /z, but it is one of /x
    assert (last("/x"), last("/z")) == ("new", "new")


def test_turns_are_those_of_the_branch_in_use(kept: Conversations) -> None:
    entry = add(kept, "a", "1", "b", "2", "c", "3")
    assert entry.turns == 3
    nodes = kept.tree(entry.id).nodes
    kept.move(entry.id, nodes[1].id)
    assert kept.entries()[0].turns == 1
    assert kept.fork(entry.id, nodes[3].id).turns == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Hello", "Hello"),
        ("\n  \n two  words \nmore", "two words…"),
        ("x" * 100, "x" * 59 + "…"),
        (" \n ", "(empty)"),
        ("\x1b[31mred", "␛[31mred"),
    ],
)
def test_a_text_is_shown_by_its_first_line(text: str, line: str) -> None:
    assert first_line(text) == line


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("abcd1", "one"),
        ("abcd", "one"),
        ("Twin", "Twin"),
        ("tw", "Twin"),
        (" TWIN ", "Twin"),
        ("ond", "second"),
    ],
)
def test_a_conversation_is_found_by_key_title_or_a_part_of_it(
    kept: Conversations, name: str, found: str
) -> None:
    add(kept, "one", key="abcd1")
    add(kept, "Twin", key="xyzz1")
    add(kept, "second", key="xyzz2")
    assert kept.find(name).title == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("xyzz", r"^2 conversations fit “xyzz”: xyzz2 \(“second”\), xyzz1 \(“first”\)\. Name one"),
        ("abc", r"^There is no conversation “abc”\. /list shows them$"),
        ("secnod", r"no conversation “secnod”. Did you mean “second”\?$"),
        ("", r"^There is no conversation “”"),
        ("a/\x1b\n" + "b" * 10_000, r"^There is no conversation “a/\S+ b+…”\. /list"),
    ],
)
def test_what_cannot_be_found_is_one_clear_line(kept: Conversations, name: str, words: str) -> None:
    add(kept, "first", key="xyzz1")
    add(kept, "second", key="xyzz2")
    with pytest.raises(UsageError, match=words) as caught:
        kept.find(name, listing="/list")
    assert len(str(caught.value)) < 300


def test_where_nothing_is_kept_that_is_said(kept: Conversations) -> None:
    with pytest.raises(UsageError, match="None has been kept yet"):
        kept.find("x")


def test_many_that_fit_are_not_all_listed(kept: Conversations) -> None:
    for number in range(7):
        add(kept, f"same {number}")
    with pytest.raises(UsageError, match=r"^7 conversations fit “same”: .* and 2 more\."):
        kept.find("same")


def test_it_can_be_renamed(kept: Conversations) -> None:
    entry = add(kept, "one")
    assert kept.rename(entry.id, " a/b 👩\u200d🚀 ").title == "a/b 👩\u200d🚀"


def test_a_whole_title_in_another_case_comes_before_the_beginning_of_one(
    kept: Conversations,
) -> None:
    for title in ("My talk", "My talk (fork)"):
        kept.add(replace(alternating("a", "b"), title=title))
    assert kept.find("my talk").title == "My talk"


def test_a_model_replaces_its_own_titles_and_those_of_messages_only(kept: Conversations) -> None:
    entry = add(kept, "one")
    assert kept.rename(entry.id, "two", by="model").title == "two"
    assert kept.rename(entry.id, "three", by="model").title == "three"
    assert kept.rename(entry.id, "mine").title == "mine"
    assert kept.rename(entry.id, "four", by="model").title == "mine"


@pytest.mark.parametrize(
    "title", ["", " \n", "x" * 201, "a\x1bb", "a\nb", "a\u202eb", "\ud83d", "x" * 10_000]
)
def test_what_can_be_no_title_is_refused(kept: Conversations, title: str) -> None:
    entry = add(kept, "one")
    with pytest.raises(UsageError) as caught:
        kept.rename(entry.id, title)
    assert len(str(caught.value)) < 200
    assert kept.entries()[0].title == "one"


def test_a_fork_is_a_copy_of_the_branch_up_to_there(kept: Conversations) -> None:
    entry = add(kept, "one", "1", "two", "2")
    whole, part = kept.fork(entry.id), kept.fork(entry.id, 2)
    assert whole.title == "one (fork)"
    assert kept.load(whole.id).messages == kept.load(entry.id).messages
    assert [each.content for each in kept.load(part.id).messages] == ["one", "1"]
    assert [each.id for each in kept.entries()] == [part.id, whole.id, entry.id]
    assert len(kept.tree(entry.id).nodes) == 4


def test_the_head_can_be_moved_to_any_message(kept: Conversations) -> None:
    entry = add(kept, "one", "1", "two", "2")
    kept.move(entry.id, 2)
    assert [each.content for each in kept.load(entry.id).messages] == ["one", "1"]
    tree = kept.tree(entry.id)
    assert tree.head == 2
    assert [each.on_branch for each in tree.nodes] == [True, True, False, False]
    kept.move(entry.id, 1)
    assert kept.load(entry.id).unanswered == "one"
    other = add(kept, "other")
    for message in (99, 5):
        with pytest.raises(UsageError, match=f"The conversation has no message {message}"):
            kept.move(entry.id, message)
        with pytest.raises(UsageError, match=f"The conversation has no message {message}"):
            kept.fork(entry.id, message)
    assert kept.tree(other.id).head == 5


def test_what_is_deleted_is_gone_from_every_table(path: Path, kept: Conversations) -> None:
    gone, stays = add(kept, "precious", "1"), add(kept, "other", "2")
    kept.delete([gone.id, 99])
    assert [each.id for each in kept.entries()] == [stays.id]
    assert rows(path, "SELECT count(*) FROM message") == [(2,)]
    found = "SELECT rowid FROM found WHERE found MATCH '\"pre\"'"
    assert rows(path, found) == []
    for ask in (kept.load, kept.archive, kept.tree, kept.fork):
        with pytest.raises(UsageError, match="There is no such conversation any more"):
            ask(gone.id)
    with pytest.raises(UsageError, match="no such conversation"):
        kept.rename(gone.id, "x")
    with pytest.raises(UsageError, match="no such conversation"):
        kept.move(gone.id, 1)


def test_a_long_conversation_is_listed_without_its_texts(kept: Conversations) -> None:
    made = kept.add(line_of(said("user", "x" * 1_000_000)))
    assert made is not None
    assert kept.tree(made.id).nodes[0].line == "x" * 59 + "…"


def test_the_title_of_a_fork_is_no_longer_than_a_title_may_be(kept: Conversations) -> None:
    entry = add(kept, "one", "1")
    kept.rename(entry.id, "x" * 200)
    assert kept.fork(entry.id).title == "x" * 193 + " (fork)"
    assert kept.fork(entry.id).title == "x" * 191 + " (fork 2)"


def test_forks_and_forks_of_forks_are_told_apart(kept: Conversations) -> None:
    entry = add(kept, "one", "1")
    first = kept.fork(entry.id)
    second = kept.fork(first.id)
    third = kept.fork(entry.id)
    assert [each.title for each in (first, second, third)] == [
        "one (fork)", "one (fork 2)", "one (fork 3)",
    ]  # fmt: skip
    kept.delete([second.id])
    assert kept.fork(third.id).title == "one (fork 2)"


def test_a_fork_is_held_in_the_folder_that_is_told(kept: Conversations) -> None:
    entry = kept.add(replace(alternating("a", "b"), folder="/one"))
    assert entry is not None
    assert kept.fork(entry.id).folder == "/one"
    assert kept.fork(entry.id, folder="/two").folder == "/two"


def test_an_archive_can_be_that_of_another_branch(kept: Conversations) -> None:
    entry = add(kept, "one", "1", "two", "2")
    assert kept.archive(entry.id).head == "4"
    assert [each.id for each in kept.archive(entry.id, 2).branch()] == ["1", "2"]


NUL = "seven words\0 stand behind a zero \ud800 here"


def test_what_stands_behind_a_nul_is_shown_found_and_kept(kept: Conversations) -> None:
    made = kept.add(line_of(said("user", NUL), said("assistant", NUL, reasoning=NUL, model=NUL)))
    assert made is not None
    shown = "seven words␀ stand behind a zero \ufffd here"
    assert [node.line for node in kept.tree(made.id).nodes] == [shown] * 2
    assert kept.ending(made.id) == shown
    for words in ("behind", "words␀ stand", "zero", "re"):
        hit, _ = kept.search(f'"{words}"')
        assert hit.before + hit.match + hit.after == shown
        assert hit.match == words
    for words in ("words\0 stand", "zero \ud800 here"):
        assert len(kept.search(f'"{words}"')) == 2
    for message in kept.load(made.id).messages:
        assert message.content == NUL
    assert kept.archive(made.id).messages[1].message.reasoning == NUL
    assert kept.archive(made.id).messages[1].message.model == NUL
