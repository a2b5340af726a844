"""G5: the reply that is coming in has one row, whatever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm import TextDelta
from cloudllm.store.alive import alive
from cloudllm.store.database import Store
from cloudllm.store.kept import Kept, Place
from cloudllm.store.running import Running
from tests.core.store.stored import rows, said


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "data" / "store.db")) as made:
        yield made


def running(store: Store) -> Running:
    kept = Kept(key="k", title="", folder="", created=1, alive=alive(store.path.parent))
    asked = Place(said("user", "hello"), None, 1)
    reply = Place(said("assistant", ""), asked, 1)
    return Running(
        kept=kept, place=reply, head=[asked], new=[asked], first=True, continued=said("user", "a")
    )


def test_what_comes_before_the_turn_is_on_disk_waits_for_that(store: Store) -> None:
    reply = running(store)
    reply.add(TextDelta("early"))
    reply.write(store)  # as where the thread has just written all that there was
    assert not store.path.exists()
    reply.kept.write(store, reply.begin)
    reply.write(store)
    streaming = "SELECT count(*) FROM message WHERE status = 'streaming'"
    assert rows(store.path, streaming) == [(1,)]
    assert rows(store.path, "SELECT text FROM piece WHERE number >= 2") == [("early",)]
