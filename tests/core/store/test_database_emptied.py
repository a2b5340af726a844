"""A store whose file was emptied: what its log holds is set aside, and it is said once."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from cloudllm.archive import Archive
from cloudllm.errors import StoreDamaged, UsageError
from cloudllm.importing import read
from cloudllm.store.alive import alive
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.store.stored import alternating


def killed(path: Path) -> None:
    """Leave the files of a process that was killed: all is in the log."""
    store = Store(path.with_name("other.db"))
    assert Conversations(store).add(alternating("hi", "ho")) is not None
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{store.path}{suffix}", f"{path}{suffix}")
    store.close()


@pytest.mark.parametrize("what", ["emptied", "gone"])
def test_a_log_without_its_file_is_set_aside_and_can_be_read(
    store: Store, path: Path, what: str
) -> None:
    killed(path)
    path.write_bytes(b"")
    if what == "gone":
        path.unlink()
    log = path.with_name("store.db-wal").read_bytes()
    with pytest.raises(StoreDamaged) as caught:
        Conversations(store).add(alternating("new"))
    (kept,) = path.parent.glob("store.db.damaged-*[0-9]")
    assert str(caught.value) == (
        f"{path} is gone, and its log is not; it is kept as {kept.name}, and a new one begins."
        f" To get back what can be read: cloudllm sessions import {shlex.quote(str(kept))}"
    )
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == log
    assert Conversations(store).add(alternating("new")) is not None
    found: list[Archive] = []
    with pytest.raises(UsageError, match="1 of 1 conversations could be read"):
        found.extend(read(kept))
    assert [each.message.content for each in found[0].messages] == ["hi", "ho"]


def test_a_file_that_was_emptied_is_told_of_once(store: Store, path: Path) -> None:
    assert Conversations(store).add(alternating("hi")) is not None
    assert alive(path.parent).number
    store.close()
    path.write_bytes(b"")
    with pytest.raises(StoreDamaged) as caught:
        Conversations(store).entries()
    assert str(caught.value) == f"{path} was empty, and a new one has begun"
    for each in (store, Store(path)):
        assert Conversations(each).entries() == []
        each.close()


def test_an_empty_file_where_no_chat_has_been_is_a_new_one(store: Store, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert Conversations(store).add(alternating("hi")) is not None
