"""What is imported again: what it has got since is added once, and what was done here stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm import Archive, ArchivedMessage, Journal, Message, Role
from cloudllm.errors import UsageError
from cloudllm.store import entries
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.store.stored import Chat, alternating, said

FEW = settings(max_examples=20, deadline=None)


@contextmanager
def in_a_store() -> Iterator[Conversations]:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store.db")
        yield Conversations(store, clock=lambda: 2.0)
        store.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Conversations]:
    store = Store(tmp_path / "store.db")
    yield Conversations(store, clock=lambda: 2_000.0)
    store.close()


@st.composite
def trees(draw: st.DrawFn, *, times: st.SearchStrategy[int] | None = None) -> Archive:
    """A conversation in which much is said twice."""
    size = draw(st.integers(1, 8))
    names = [str(number) for number in range(1, size + 1)]
    messages = tuple(
        ArchivedMessage(
            id=name,
            parent=draw(st.sampled_from([None, *names[:place]])),
            message=Message(draw(st.sampled_from([Role.USER, Role.ASSISTANT])), draw(_WORDS)),
            created=place if times is None else draw(times),
        )
        for place, name in enumerate(names)
    )
    head = draw(st.sampled_from(names))
    return Archive(origin="x:1", title="T", created=1, updated=9, messages=messages, head=head)


_WORDS = st.sampled_from(["a", "b\0", "\ud800"])


def leaves(archive: Archive) -> list[str]:
    inner = {each.parent for each in archive.messages}
    return [each.id for each in archive.messages if each.id not in inner]


def ways(archive: Archive) -> dict[str, tuple[tuple[str, int], ...]]:
    """Each message by what leads to it; that of twins is the same."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for each in archive.messages:
        before = () if each.parent is None else found[each.parent]
        found[each.id] = (*before, (each.message.content, each.created))
    return found


def shape(archive: Archive) -> object:
    """All that a tree is, but for the order in which its messages came."""
    found = ways(archive)
    return sorted(found.values()), archive.head and found[archive.head]


@FEW
@given(st.data(), trees(times=st.integers(0, 2)))
def test_the_beginning_and_then_all_is_as_good_as_all(data: st.DataObject, whole: Archive) -> None:
    size = data.draw(st.integers(1, len(whole.messages)))
    begun = replace(whole, messages=whole.messages[:size])
    begun = replace(begun, head=data.draw(st.sampled_from(leaves(begun))))
    with in_a_store() as kept, in_a_store() as other:
        first, at_once = kept.add(begun), other.add(whole)
        assert first is not None
        assert at_once is not None
        assert kept.missing(whole) == len(whole.messages) - size
        again = kept.add(whole)
        assert (again is None) == (size == len(whole.messages))
        found, expected = kept.archive(first.id), other.archive(at_once.id)
        assert replace(found, id="", head=None) == replace(expected, id="", head=None)
        assert again is None or found.head == expected.head
        assert kept.missing(whole) == 0
        assert kept.add(whole) is None
        assert kept.archive(first.id) == found


@FEW
@given(st.data(), trees())
def test_what_comes_between_finds_its_place(data: st.DataObject, whole: Archive) -> None:
    some: list[ArchivedMessage] = []
    for each in whole.messages:
        if each.parent in (None, *(other.id for other in some)) and data.draw(st.booleans()):
            some.append(each)
    if not some:
        return
    part = replace(whole, messages=tuple(some), head=None)
    part = replace(part, head=data.draw(st.sampled_from(leaves(part))))
    with in_a_store() as kept:
        first = kept.add(part)
        assert first is not None
        if kept.add(whole):
            assert shape(kept.archive(first.id)) == shape(whole)


@FEW
@given(st.data(), trees())
def test_what_was_done_here_survives(data: st.DataObject, whole: Archive) -> None:
    size = data.draw(st.integers(1, len(whole.messages)))
    names = [each.id for each in whole.messages[:size]]
    begun = replace(whole, messages=whole.messages[:size], head=data.draw(st.sampled_from(names)))
    with in_a_store() as kept:
        first = kept.add(begun)
        assert first is not None
        own = ArchivedMessage(
            id="own",
            parent=data.draw(st.sampled_from([None, *names])),
            message=said("user", "said here"),
            created=99,
        )
        here = replace(kept.archive(first.id), messages=(*begun.messages, own), head="own")
        assert kept.add(here) is not None
        kept.rename(first.id, "Mine")
        nodes = kept.tree(first.id).nodes
        kept.move(first.id, next(each.id for each in nodes if each.line == "said here"))
        before = kept.archive(first.id)
        kept.add(whole)
        after = kept.archive(first.id)
        assert (after.title, after.head) == ("Mine", before.head)
        assert after.messages[: size + 1] == before.messages
        assert sorted(ways(after).values()) == sorted([
            *ways(whole).values(), ways(before)[before.head or ""]
        ])  # fmt: skip
        assert kept.add(whole) is None


async def test_a_chat_that_has_it_open_goes_on_undisturbed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store(path)
    kept = Conversations(store)
    begun = replace(alternating("one", "1"), origin="x:1")
    first = kept.add(begun)
    assert first is not None
    journal = Journal(path)
    lines: list[str] = []
    journal.listen(lines.append)
    chat = Chat(journal)
    journal.resume(kept.load(first.id))
    await journal.saved()
    grown = kept.add(replace(alternating("one", "1", "two", "2"), origin="x:1"))
    assert grown is not None
    assert kept.archive(first.id).head == "2"
    chat.history = kept.load(first.id).messages
    await chat.turn("mine", "yes")
    assert [each.content for each in kept.load(first.id).messages] == ["one", "1", "mine", "yes"]
    assert len(kept.archive(first.id).messages) == 6
    assert lines == []
    journal.close(5)
    store.close()


def test_who_has_gone_back_stays_there(kept: Conversations) -> None:
    first = kept.add(replace(alternating("one", "1", "two", "2"), origin="x:1"))
    assert first is not None
    kept.move(first.id, kept.tree(first.id).nodes[1].id)
    kept.add(replace(alternating("one", "1", "two", "2", "three", "3"), origin="x:1"))
    assert [each.content for each in kept.load(first.id).messages] == ["one", "1"]


async def test_who_has_gone_back_to_the_beginning_stays_there_too(
    tmp_path: Path, kept: Conversations
) -> None:
    first = kept.add(replace(alternating("one", "1"), origin="x:1"))
    assert first is not None
    chat = Chat(Journal(tmp_path / "store.db"))
    loaded = kept.load(first.id)
    chat.journal.resume(loaded)
    chat.history = loaded.messages
    chat.undo()
    chat.journal.close(5)
    assert kept.add(replace(alternating("one", "1", "two", "2"), origin="x:1")) is not None
    assert kept.load(first.id).messages == ()


def test_what_grows_is_not_taken_up_in_a_folder_by_that(kept: Conversations) -> None:
    first = kept.add(replace(alternating("one", "1"), origin="x:1", created=4))
    other = kept.add(replace(alternating("other", "1"), folder="/f", created=4))
    assert first is not None
    assert other is not None
    for now, used in enumerate((first, other), start=1):
        with kept._store.write() as connection:
            entries.use(connection, used.id, "/f", now)
    two = replace(alternating("one", "1", "two", "2"), origin="x:1", created=4)
    assert kept.add(two) is not None
    assert kept.last("/f") == other
    with kept._store.write() as connection:
        entries.use(connection, first.id, "/f", 5)
    assert kept.add(replace(alternating("one", "1", "2"), origin="x:1", created=4)) is not None
    last = kept.last("/f")
    assert last is not None
    assert last.id == first.id


def test_the_branch_in_use_brings_its_model_and_its_time(kept: Conversations) -> None:
    begun = replace(alternating("one", "1"), origin="x:1", created=4, updated=5)
    first = kept.add(replace(begun, model="a/1", system_prompt="A"))
    assert first is not None
    more = replace(begun, messages=alternating("one", "1", "two", "2").messages, head="4")
    grown = kept.add(replace(more, model="a/2", system_prompt="B", updated=9))
    assert grown is not None
    assert (grown.id, grown.model, grown.updated) == (first.id, "a/2", 9)
    assert kept.archive(first.id).system_prompt == "B"


def test_one_that_was_deleted_comes_back(kept: Conversations) -> None:
    archive = replace(alternating("one", "1"), origin="x:1")
    first = kept.add(archive)
    assert first is not None
    kept.delete([first.id])
    assert kept.missing(archive) is None
    assert kept.add(archive) is not None


def test_two_that_have_nothing_in_common_but_the_id_are_not_mixed(kept: Conversations) -> None:
    first = kept.add(replace(alternating("one", "1"), id="abc"))
    assert first is not None
    other = replace(alternating("about", "something else"), id="abc")
    for look in (kept.missing, kept.add):
        with pytest.raises(UsageError, match="another conversation here has the id abc"):
            look(other)
    assert len(kept.archive(first.id).messages) == 2


def test_the_key_tells_before_the_origin_does(kept: Conversations) -> None:
    kept.add(replace(alternating("one", "1"), id="abc"))
    kept.add(replace(alternating("other", "1"), id="def", origin="x:1"))
    assert kept.missing(replace(alternating("one", "1", "two"), id="abc", origin="x:1")) == 1


def test_a_very_deep_one_takes_no_longer_than_it_must(kept: Conversations) -> None:
    deep = replace(alternating(*map(str, range(3_000))), origin="x:1")
    assert kept.add(deep) is not None
    assert kept.missing(replace(alternating(*map(str, range(3_001))), origin="x:1")) == 1


@pytest.mark.parametrize("name", ["\x1b[2J", "\0", "\ud800", " a ", "x" * 1_000_000])
def test_a_name_that_can_be_no_key_tells_it_from_others_too(kept: Conversations, name: str) -> None:
    archive = replace(alternating("one", "1"), id=name)
    entry = kept.add(archive)
    assert entry is not None
    assert entry.key.isalnum()
    assert kept.missing(archive) == 0
    assert kept.missing(replace(archive, id="y" * 1_000_000)) is None
