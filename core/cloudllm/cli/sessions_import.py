"""`cloudllm sessions import`: conversations out of files of other programs, and of our own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudllm.cli import listing
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.cli.sessions_store import in_store, made, opened
from cloudllm.errors import CloudLLMError, StoreError, UsageError
from cloudllm.store.database import default_path
from cloudllm.words import counted, one_line

if TYPE_CHECKING:
    from cloudllm.archive import Archive

    _Add = Callable[[Archive], int | None]
    """Takes a conversation in, as far as it is not here; gives how many messages were missing, or
    `None` if it was not here at all. Raises `UsageError` if it can't be taken in."""

_BESIDE = ("", "-wal", "-shm")
_REASONS = 10  # that are named
_LONGEST = 2_000  # characters of an error, which names a file
_MOMENT = 0.2  # seconds between two looks at how far it is


@click.command("import")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Only say what would be imported.")
@shared_options
def import_(_options: Options, *, files: tuple[Path, ...], dry_run: bool) -> None:
    """Import conversations from files.

    A FILE may be the logs.db of simonw/llm, ChatGPT's conversations.json or the zip file that it
    comes in, json or jsonl as `sessions export` writes it, or a store.db of another machine, or a
    backup, or one that was damaged, of which is taken what can be read. A file may be imported again: of a
    conversation that is here, the messages that are new are added, and nothing else changes.
    """
    count = _Count("To import" if dry_run else "Imported")
    failures: list[str] = []
    try:
        with _trial() if dry_run else _adding() as add:
            for file in files:
                try:
                    _read(file, add, count)
                except StoreError:
                    raise
                except CloudLLMError as error:
                    failures.append(one_line(str(error), _LONGEST))
    finally:
        listing.passing("")
        listing.say(count.lines())
    if failures:
        raise UsageError("\n".join(failures))


@dataclass(slots=True)
class _Count:
    """What has become of the conversations so far; `empty` are the files that hold none."""

    done: str
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    empty: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    shown: float = 0.0

    @property
    def seen(self) -> int:
        """How many there were."""
        return self.new + self.updated + self.unchanged + self.skipped.total()

    def lines(self) -> Iterator[str]:
        """The result, a line for each kind."""
        for file in self.empty:
            yield f"There are no conversations in {file}."
        if self.seen:
            counts = (self.new, "new"), (self.updated, "updated"), (self.unchanged, "unchanged")
            yield f"{self.done}: {', '.join(f'{number:,} {what}' for number, what in counts)}."
        for reason, number in self.skipped.most_common(_REASONS):
            yield f"{counted(number, 'conversation')} skipped: {reason}."
        if (more := len(self.skipped) - _REASONS) > 0:
            yield f"And {more:,} more for other reasons."

    def tell(self, file: Path) -> None:
        """Say how far it is, from time to time."""
        now = time.monotonic()
        if now - self.shown > _MOMENT:
            self.shown = now
            listing.passing(f"{file.name}: {counted(self.seen, 'conversation')} …")


def _read(file: Path, add: _Add, count: _Count) -> None:
    """Take in what a file holds; raises `CloudLLMError` where it cannot be read on."""
    from cloudllm.importing import read  # noqa: PLC0415 - not for --help

    _refuse_own(file)
    before = count.seen
    for archive in read(file):
        try:
            missing = add(archive)
        except UsageError as error:
            count.skipped[str(error).rstrip(".")] += 1
            continue
        if missing is None:
            count.new += 1
        elif missing:
            count.updated += 1
        else:
            count.unchanged += 1
        count.tell(file)
    if count.seen == before:
        count.empty.append(one_line(str(file)))


def _refuse_own(file: Path) -> None:
    """Raise `UsageError` for the store in use: to open its file and close it would take its locks."""
    store = default_path()
    for suffix in _BESIDE:
        with suppress(OSError, ValueError):  # it is not there, or can be no file
            if file.samefile(store.with_name(store.name + suffix)):
                raise UsageError(f"{file}: it is the store in use, so all of it is here already")


@contextmanager
def _adding() -> Iterator[_Add]:
    """Puts conversations into the store, which is made if there is none."""
    with made() as store:
        conversations = in_store(store)

        def add(archive: Archive) -> int | None:
            missing = conversations.missing(archive)
            if missing != 0:
                conversations.add(archive)
            return missing

        yield add


@contextmanager
def _trial() -> Iterator[_Add]:
    """Says what is missing of them, and changes nothing."""
    seen: dict[str, int] = {}  # how many messages of each conversation would be here by now
    with opened() as store:
        conversations = None if store is None else in_store(store)

        def look(archive: Archive) -> int | None:
            names = {archive.id, archive.origin} - {""}
            size = len(archive.messages)
            before = max((seen.get(name, 0) for name in names), default=0)
            seen.update(dict.fromkeys(names, max(before, size)))
            missing = None if conversations is None else conversations.missing(archive)
            if not before:
                return missing
            more = max(0, size - before)
            return more if missing is None else min(more, missing)

        yield look
