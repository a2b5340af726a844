"""Purge: what is removed is gone from every byte on the disk, and nothing else is."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudllm import Journal, Status, TextDelta
from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import StoreError
from cloudllm.messages import Message, Role
from cloudllm.recording import Start
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.drafts import Drafts
from cloudllm.store.purge import Purged, purge
from cloudllm.store.samples import LENGTH, PART, Samples, common_words, sampled
from cloudllm.store.search import search
from tests.core.store.stored import Chat

CANARY = "xyzzy-plugh-0123456789"
READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN" if sys.argv[2] == "hold" else "SELECT 1")
print(connection.execute("SELECT count(*) FROM conversation").fetchone()[0], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(store: Store) -> Iterator[Callable[[str], None]]:
    """Another process that has the store open; on "hold", in the midst of reading."""
    started: list[subprocess.Popen[bytes]] = []

    def start(how: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", READER, str(store.path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()

    yield start
    for process in started:
        process.communicate(b"")


def add(
    store: Store,
    said: str = "said",
    title: str = "A title",
    *,
    folder: str = "",
    model: str = "",
    system_prompt: str = "",
) -> int:
    messages = (
        ArchivedMessage(id="1", parent=None, message=Message(Role.USER, said), created=1),
        ArchivedMessage(
            id="2",
            parent="1",
            message=Message(Role.ASSISTANT, f"answer to {said} {'and so on ' * 2_000}{said}"),
            created=2,
        ),
    )
    entry = Conversations(store).add(
        Archive(
            title=title,
            created=1,
            folder=folder,
            model=model,
            system_prompt=system_prompt,
            messages=messages,
            head="2",
        )
    )
    assert entry is not None
    return entry.id


def holding(store: Store, text: str) -> list[str]:
    """The names of all files of the folder that hold the text."""
    return [each.name for each in store.path.parent.iterdir() if text.encode() in each.read_bytes()]


def test_what_is_purged_is_gone_from_every_file_and_the_rest_stays(store: Store) -> None:
    kept = add(store, "what stays with this store", "Kept", folder="/kept")
    gone = add(
        store,
        f"my number is {CANARY}-message",
        f"Title {CANARY}-title",
        folder=f"/home/{CANARY}-folder",
        model=f"acme/{CANARY}-model",
        system_prompt=f"You know {CANARY}-prompt.",
    )
    assert holding(store, CANARY)
    assert purge(store, [gone]) == Purged(conversations=1, messages=2)
    assert holding(store, CANARY) == []
    assert [entry.id for entry in Conversations(store).entries()] == [kept]
    with store.read() as connection:
        assert search(connection, "plugh") == []
        assert search(connection, "zz") == []
        assert len(search(connection, "this store")) == 2


def test_the_index_keeps_nothing_of_it_either(store: Store) -> None:
    add(store, "what stays")
    gone = add(store, f"{CANARY} 東京都")
    purge(store, [gone])
    with store.write() as connection:
        terms = {term for (term,) in connection.execute("SELECT term FROM trigram")}
        assert not {"xyz", "zzy", "東京都"} & terms
        (segments,) = connection.execute("SELECT count(DISTINCT segid) FROM found_idx").fetchone()
        connection.execute("INSERT INTO found (found) VALUES ('integrity-check')")
    assert segments == 1
    assert "東".encode() not in store.path.read_bytes()


def test_what_was_deleted_or_changed_before_without_care_is_gone_too(store: Store) -> None:
    """As it comes to lie in the file where SQLite does not wipe what it frees."""
    gone = add(store, f"{CANARY} which is long enough")
    with store.write() as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE other (text TEXT) STRICT")
        connection.execute("INSERT INTO other SELECT content FROM message WHERE id = 1")
    with store.write() as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM other")
    with store.read() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    purge(store, [gone])
    assert holding(store, CANARY) == []


def test_what_another_conversation_holds_as_well_is_no_reason_to_fail(store: Store) -> None:
    first = add(store, f"{CANARY} in both", system_prompt="The same prompt for everyone")
    add(store, f"{CANARY} in both", system_prompt="The same prompt for everyone")
    fork = Conversations(store).fork(first)
    assert purge(store, [first]).conversations == 1
    assert Conversations(store).load(fork.id).messages[0].content == f"{CANARY} in both"


def test_all_branches_and_pieces_and_several_at_once(store: Store) -> None:
    first, second = add(store, f"{CANARY} one"), add(store, f"{CANARY} two")
    Conversations(store).move(first, 1)
    with store.write() as connection:
        connection.execute(
            "INSERT INTO piece VALUES (2, 7, 'text', ?)", (f"{CANARY} coming in just now",)
        )
    assert purge(store, [first, second, first, 999]) == Purged(conversations=2, messages=4)
    assert holding(store, CANARY) == []
    assert purge(store, [first]) == Purged()


def test_a_draft_with_the_same_text_goes_and_another_stays(store: Store) -> None:
    gone = add(store, f"the words {CANARY}")
    with store.write() as connection:
        connection.execute("INSERT INTO draft VALUES (1, 1, ?)", (f"the words {CANARY}\n",))
        connection.execute("INSERT INTO draft VALUES (2, 1, ?)", (f"the words {CANARY}"[:20],))
    Drafts(store).save("the words of another")
    purge(store, [gone])
    with store.read() as connection:
        drafts = connection.execute("SELECT text FROM draft").fetchall()
    assert drafts == [("the words of another",)]
    assert holding(store, CANARY) == []


def test_a_backup_with_it_goes_another_stays_and_a_damaged_file_is_named(store: Store) -> None:
    gone = add(store, f"{CANARY} which was in the backup as well")
    folder = store.path.parent
    for name in ("store.db.before-v9", "store.db.damaged-20260101-000000"):
        copy = sqlite3.connect(folder / name)
        with store.read() as connection:
            connection.backup(copy)
        copy.close()
    (folder / "store.db.before-v2").write_bytes(b"something else altogether" * 100)
    assert purge(store, [gone]) == Purged(
        conversations=1,
        messages=2,
        backups=(folder / "store.db.before-v9",),
        damaged=(folder / "store.db.damaged-20260101-000000",),
    )
    assert holding(store, CANARY) == ["store.db.damaged-20260101-000000"]
    assert (folder / "store.db.before-v2").exists()


def test_another_process_that_has_it_open_does_no_harm(
    store: Store, other: Callable[[str], None]
) -> None:
    gone = add(store, CANARY)
    other("idle")
    purge(store, [gone])
    assert holding(store, CANARY) == []


def test_one_that_is_reading_all_the_time_is_said_and_nothing_is_removed(
    store: Store, other: Callable[[str], None]
) -> None:
    gone = add(store, f"{CANARY} and more of it")
    other("hold")
    with pytest.raises(StoreError, match=r"nothing was removed.*then purge again") as caught:
        purge(store, [gone])
    assert "\n" not in str(caught.value)
    assert [entry.id for entry in Conversations(store).entries()] == [gone]


def test_one_that_begins_to_read_just_then_is_said_as_well(
    store: Store, other: Callable[[str], None]
) -> None:
    gone = add(store, f"{CANARY} and more of it")
    with store.read() as connection:
        connection.set_trace_callback(
            lambda statement: other("hold") if "DELETE FROM message" in statement else None
        )
    with pytest.raises(StoreError, match=r"still in its log.*the last one to end removes the log"):
        purge(store, [gone])
    with store.read() as connection:
        connection.set_trace_callback(None)
    with pytest.raises(StoreError, match="nothing was removed"):
        purge(store, [gone])


def test_after_a_purge_that_failed_the_last_program_to_end_removes_the_rest(store: Store) -> None:
    gone = add(store, f"{CANARY} and more of it")
    reader = sqlite3.connect(store.path, isolation_level=None)
    with store.read() as connection:
        connection.set_trace_callback(
            lambda statement: begin() if "DELETE FROM message" in statement else None
        )

    def begin() -> None:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM conversation").fetchone()

    with pytest.raises(StoreError, match="still in its log"):
        purge(store, [gone])
    assert holding(store, CANARY)
    store.close()
    reader.close()
    with sqlite3.connect(store.path) as last:
        last.execute("SELECT count(*) FROM conversation").fetchone()
    last.close()
    assert holding(store, CANARY) == []


@pytest.mark.parametrize("part", [slice(None), slice(-63, None), slice(101, 164), slice(0, 63)])
def test_what_is_left_is_named_even_if_it_is_a_piece_of_it(store: Store, part: slice) -> None:
    said = " ".join(f"{number} and {CANARY}" for number in range(50))
    gone = add(store, said)
    log = store.path.with_name("store.db-journal")
    log.write_bytes(b"!" * 5 + said.encode()[part])
    with pytest.raises(StoreError, match=r"still on the disk, in .*store\.db-journal"):
        purge(store, [gone])


def test_a_part_out_of_the_middle_is_found_in_a_file_set_aside(store: Store) -> None:
    said = "\n".join(f"line {number} of a letter to {CANARY}" for number in range(90))
    gone = add(store, said)
    aside = store.path.with_name("store.db.damaged-20260101-000000")
    aside.write_bytes(b"\xff" * 4_095 + said.encode()[1_001:1_064] + b"\xff" * 4_095)
    assert purge(store, [gone]).damaged == (aside,)


async def test_half_characters_of_a_reply_that_is_coming_in_are_no_hindrance(store: Store) -> None:
    stays = add(store, "what stays")
    journal = Journal(store.path)
    chat = Chat(journal)
    await chat.begin(Start(0, (Message(Role.USER, f"question \0 \ud83d {CANARY}"),)))
    journal.add(TextDelta(f"half \ud83d of it and {CANARY}"))
    await journal.saved()
    newest, _ = Conversations(store).entries()
    assert purge(store, [stays]).messages == 2
    assert purge(store, [newest.id]).messages == 2
    assert holding(store, CANARY) == []
    journal.close(5)


async def test_what_a_journal_wrote_piece_by_piece_is_gone(store: Store) -> None:
    journal = Journal(store.path, folder="/work")
    chat = Chat(journal)
    pieces = [f"piece {number} of {CANARY} " * 20 for number in range(30)]
    for status in (Status.COMPLETE, Status.PARTIAL):
        start = Start(len(chat.history), (Message(Role.USER, f"question {CANARY}"),))
        await chat.begin(start)
        for piece in pieces:
            journal.add(TextDelta(piece))
            await journal.saved()
        chat.settle(start, "".join(pieces), status)
    await chat.begin(Start(len(chat.history), (Message(Role.USER, f"last question {CANARY}"),)))
    journal.add(TextDelta(f"coming in while the program dies, {CANARY}"))
    await journal.saved()
    assert holding(store, CANARY)
    (entry,) = Conversations(store).entries()
    assert purge(store, [entry.id]) == Purged(conversations=1, messages=6)
    assert holding(store, CANARY) == []
    journal.close(5)
    assert holding(store, CANARY) == []


def test_the_locks_of_this_process_on_the_file_are_kept(store: Store) -> None:
    """Closing a file frees all locks on it; the next one to leave would take the WAL away."""
    purge(store, [add(store, CANARY)])
    outsider = [sys.executable, "-c", READER, str(store.path), "idle"]
    subprocess.run(outsider, input=b"", check=True, capture_output=True)
    assert store.path.with_name("store.db-wal").exists()


def held(samples: Samples, data: bytes) -> set[bytes]:
    return samples.held([data])


@given(st.binary(max_size=40), st.binary(max_size=40), st.text(max_size=60))
def test_a_short_text_is_found_wherever_it_stands(before: bytes, after: bytes, text: str) -> None:
    raw = text.encode(errors="replace")
    found = held(sampled([raw]), before + raw + after)
    telling = len({*raw[:LENGTH]}) >= 3
    assert bool(found) or len(raw) < 15 or len(raw) >= PART or not telling
    assert all(len(each) <= LENGTH for each in found)


@given(st.integers(PART, 3_000), st.integers(0, 3_000), st.integers(0, 99))
@example(591, 2_521, 0)
def test_each_part_of_a_long_text_is_found_wherever_it_stands(
    size: int, begin: int, before: int
) -> None:
    text = Random(size).randbytes(size).replace(b"-", b"+")  # what stands around goes on with none
    begin %= size - PART + 1
    part = text[begin : begin + PART]
    assert held(sampled([text]), b"-" * before + part + b"-" * 99)
    assert not held(sampled([text]), b"-" * before + part[: LENGTH - 1] + b"-" * 99)


def test_of_very_much_text_the_parts_are_longer_but_every_whole_text_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cloudllm.store.samples._MOST_SPREAD", 2_000)
    random = Random(7)
    short = [random.randbytes(size) for size in range(PART, 400, 9)]
    long = random.randbytes(18_000)
    samples = sampled([*short, long])
    assert len(held(samples, long)) < 18_000 // 5 / 8
    for before in range(8):
        for text in short:
            assert held(samples, b"." * before + text)
        for begin in range(0, 17_000, 997):
            assert held(samples, b"." * before + long[begin:][: 8 * 13 + 23])


@given(st.binary(max_size=200), st.sets(st.binary(min_size=15, max_size=LENGTH), max_size=5))
def test_only_what_is_there_is_found(data: bytes, samples: set[bytes]) -> None:
    there = {each for each in samples if each in data}
    assert held(Samples(samples), data) == there
    assert held(Samples(samples, common=common_words([data, data])), data) == there


@given(st.lists(st.sampled_from([b"abcdefgh", b"12345678", b"        "]), max_size=30))
def test_what_is_found_is_not_looked_for_again_but_all_else_is(words: list[bytes]) -> None:
    data = b"".join(words)
    samples = {data[at : at + LENGTH] for at in range(0, len(data) - LENGTH + 1, 8)}
    samples |= {b"abcdefgh" * 3, b"12345678abcdefgh12345678"}
    assert held(Samples((), samples), data) == {each for each in samples if each in data}
    assert held(Samples(samples), data) == {each for each in samples if each in data}


def test_of_many_short_texts_some_are_sampled_and_lines_of_dashes_never() -> None:
    texts = [f"the text with the number {number}".encode() for number in range(100_000)]
    found = held(sampled(texts), b" ".join(texts))
    assert 10_000 <= len(found) <= 20_000
    assert held(sampled([b"-" * 99, b"- " * 30, b" " * 15]), b"- " * 99 + b"-" * 200) == set()


@pytest.mark.slow
def test_G7_grep_finds_nothing_after_a_purge_of_many_with_the_store_open_elsewhere(
    store: Store, other: Callable[[str], None]
) -> None:
    gone = [add(store, f"{CANARY} {number} " * (number % 50 + 1)) for number in range(60)]
    kept = [add(store, f"what stays {number}") for number in range(60)]
    other("idle")
    other("idle")
    assert purge(store, gone).messages == 120
    grep = ["grep", "-rc", CANARY, str(store.path.parent)]
    counts = subprocess.run(grep, check=False, capture_output=True, text=True).stdout.split()
    assert counts
    assert all(line.endswith(":0") for line in counts)
    assert len(Conversations(store).entries()) == len(kept)
    with store.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
