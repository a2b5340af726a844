"""An SQLite file, or what is left of one: a store of ours or a log of llm's, by its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path

from cloudllm.errors import UsageError
from cloudllm.importing import llm, logsdb, ownstore, salvage, source
from cloudllm.importing.jsonfile import Item
from cloudllm.importing.logsdb import Log
from cloudllm.importing.pages import Pages


def conversations(path: Path) -> Iterator[Item]:
    """The conversations in a database; of a store of ours that is damaged, those that can be read.

    Raises:
        UsageError: it cannot be read, or it is neither ours nor llm's, or some of it could not be read.
    """
    with ExitStack() as stack:
        log = _opened(path, stack)
        if log is not None and ownstore.is_ours(log):
            yield from ownstore.conversations(log)
            return
    if log is not None and llm.is_llms(log):
        yield from llm.conversations(path)
    else:
        yield from salvaged(path, otherwise=_nothing(path, log))


def salvaged(path: Path, *, otherwise: Iterator[Item]) -> Iterator[Item]:
    """What can be read of a store of ours that is damaged; of another file, `otherwise`.

    Raises:
        UsageError: at the end, with how much that was.
    """
    beside = path.with_name(f"{path.name}-wal")
    with (
        source.in_words(str(path)),
        path.open("rb") as file,
        beside.open("rb") if beside.exists() else nullcontext() as log,
    ):
        left = salvage.Left(Pages(file, log), str(path))
        yield from left.conversations() if left else otherwise


def _opened(path: Path, stack: ExitStack) -> Log | None:
    """The database; `None` if it is too damaged for that."""
    try:
        return stack.enter_context(logsdb.opened(path))
    except UsageError:
        return None


def _nothing(path: Path, log: Log | None) -> Iterator[Item]:
    """Say why there is nothing in it."""
    if log is not None and not log.tables and logsdb.is_left_alone(path):
        raise UsageError(
            f"{path}: it is empty; what was in it may be in {path.name}-wal",
            advice="Put that file beside it, and import it again",
        )
    yield from llm.conversations(path)
