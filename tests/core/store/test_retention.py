"""Retention: old conversations go, once a day at most, and none that is open."""

from __future__ import annotations

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.messages import Message, Role
from cloudllm.store import entries
from cloudllm.store.alive import alive
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.retention import expire

DAY = 86_400
NOW = 1_800_000_000


def add(store: Store, days: float) -> int:
    """A conversation that changed so many days ago."""
    time = round((NOW - days * DAY) * 1000)
    message = ArchivedMessage(
        id="1", parent=None, message=Message(Role.USER, f"{days} days ago, or so it was"), created=1
    )
    archive = Archive(created=1, updated=time, messages=(message,))
    entry = Conversations(store, clock=lambda: NOW).add(archive)
    assert entry is not None
    with store.write() as connection:
        connection.execute("UPDATE conversation SET used = 0 WHERE id = ?", (entry.id,))
    return entry.id


def left(store: Store) -> set[int]:
    return {entry.id for entry in Conversations(store).entries()}


def test_what_has_not_changed_for_so_long_is_purged(store: Store) -> None:
    old, older = add(store, 30.1), add(store, 400)
    new = {add(store, 29.9), add(store, 0)}
    assert {old, older} <= left(store)
    assert expire(store, 30, NOW) == 2
    assert left(store) == new
    assert b"30.1 days ago, or so it was" not in store.path.read_bytes()
    assert b"29.9 days ago, or so it was" in store.path.read_bytes()


def test_what_was_only_taken_up_stays(store: Store) -> None:
    old, read = add(store, 400), add(store, 400)
    with store.write() as connection:
        entries.use(connection, read, "/home", (NOW - 29 * DAY) * 1000)
    assert old in left(store)
    assert expire(store, 30, NOW) == 1
    assert left(store) == {read}


def test_what_was_imported_lately_stays_however_old_it_is(store: Store) -> None:
    message = ArchivedMessage(id="1", parent=None, message=Message(Role.USER, "old"), created=1)
    archive = Archive(origin="x:1", created=1, updated=2, messages=(message,))
    entry = Conversations(store, clock=lambda: NOW - 40 * DAY).add(archive)
    assert entry is not None
    other = add(store, 40)
    with store.write() as connection:
        entries.use(connection, entry.id, "/home", (NOW - 39 * DAY) * 1000)
        entries.use(connection, other, "/home", (NOW - 38 * DAY) * 1000)
    more = ArchivedMessage(id="2", parent="1", message=Message(Role.ASSISTANT, "yes"), created=2)
    grown = Archive(origin="x:1", created=1, updated=3, messages=(message, more))
    assert Conversations(store, clock=lambda: NOW - 20 * DAY).add(grown) is not None
    assert expire(store, 30, NOW) == 1
    assert left(store) == {entry.id}
    assert expire(store, 30, NOW + 11 * DAY) == 1


def test_it_is_done_once_a_day_whichever_process_begins(store: Store) -> None:
    add(store, 0)
    assert expire(store, 30, NOW) == 0
    add(store, 31)
    assert expire(store, 30, NOW + DAY - 1) == 0
    assert expire(store, 30, NOW + DAY) == 1


def test_a_clock_that_was_set_back_does_not_stop_it(store: Store) -> None:
    add(store, 0)
    assert expire(store, 30, NOW + 20 * DAY) == 0
    add(store, 100)
    assert expire(store, 30, NOW) == 1


def test_what_is_open_stays(store: Store) -> None:
    open_, dead = add(store, 31), add(store, 31)
    with store.write() as connection:
        owners = "UPDATE conversation SET owner = ? WHERE id = ?"
        connection.execute(owners, (alive(store.path.parent).number, open_))
        connection.execute(owners, (12_345, dead))
    assert expire(store, 30, NOW) == 1
    assert left(store) == {open_}


def test_where_there_is_no_store_none_is_made(store: Store) -> None:
    assert expire(store, 30, NOW) == 0
    assert not store.path.exists()
