"""The store's file for its tests, and what stands on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from tests.core.store.stored import Told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be; its folder is not there yet."""
    return tmp_path / "data" / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """The file, for which nobody waits long."""
    with closing(Store(path, patience=0.2)) as made:
        yield made


@pytest.fixture
def kept(path: Path) -> Iterator[Conversations]:
    """The conversations in the file."""
    with closing(Store(path)) as made:
        yield Conversations(made)


@pytest.fixture
async def chats(path: Path) -> AsyncIterator[list[Told]]:
    """Three chats that write into the file."""
    made = [Told(path) for _ in range(3)]
    yield made
    for each in made:
        each.journal.close(5)
