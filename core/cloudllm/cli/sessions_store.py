"""The store as `cloudllm sessions` uses it: never made to be looked at, and named by a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.errors import StoreDamaged, StoreError, UsageError
from cloudllm.store.database import Store, default_path
from cloudllm.words import one_line

if TYPE_CHECKING:
    from cloudllm.store.conversations import Conversations, Entry

NOTHING_YET = "There are no conversations yet."


@contextmanager
def opened() -> Iterator[Store | None]:
    """The store, closed afterwards; `None` if there is none yet."""
    if not default_path().exists():
        yield None
        return
    with made() as store:
        yield store


@contextmanager
def made() -> Iterator[Store]:
    """The store, which may be made for it."""
    store = Store(default_path())
    try:
        yield store
    finally:
        store.close()


@contextmanager
def existing() -> Iterator[tuple[Store, Conversations]]:
    """The store and its conversations; raises `UsageError` if there are none yet."""
    with opened() as store:
        if store is None:
            raise UsageError("there are no conversations yet")
        yield store, in_store(store)


def in_store(store: Store) -> Conversations:
    """The conversations in it."""
    from cloudllm.store.conversations import Conversations  # noqa: PLC0415 - not for --help

    return Conversations(store)


def recover(conversations: Conversations) -> None:
    """Have what chats that died were receiving made whole; where nothing can be written, not."""
    try:
        conversations.recover()
    except StoreDamaged:
        raise
    except StoreError:
        pass


def named(conversations: Conversations, names: Iterable[str]) -> list[Entry]:
    """The conversations of these names, each once; raises `UsageError` as `find` does."""
    found = [conversations.find(name) for name in names]
    return list({entry.id: entry for entry in found}.values())


def folder_named(name: str) -> str:
    """A folder as conversations have it; it need not be there any more."""
    try:
        return str(Path(name).expanduser().resolve())
    except (OSError, ValueError, RuntimeError):  # such as a null byte, or an unknown ~user
        raise UsageError("--folder: that can be no folder") from None


def here() -> str:
    """The current folder; "" if it is gone."""
    with suppress(OSError):
        return str(Path.cwd())
    return ""


def titles(entries: Sequence[Entry]) -> str:
    """The first of them by their titles, on one line."""
    most = 3
    shown = ", ".join(f"“{one_line(each.title, 40)}”" for each in entries[:most])
    more = len(entries) - most
    return f"{shown} and {more:,} more" if more > 0 else shown
