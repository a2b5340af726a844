"""`cloudllm sessions import`: conversations out of files of other programs, and of our own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudllm.cli import listing
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.cli.sessions_store import in_store, made, opened
from cloudllm.cli.sessions_text import counted
from cloudllm.errors import CloudLLMError, StoreError, UsageError
from cloudllm.words import one_line

if TYPE_CHECKING:
    from cloudllm.archive import Archive
    from cloudllm.store.database import Store

    _Add = Callable[[Archive], bool]
    """Takes a conversation in; was it new? Raises `UsageError` if it is none."""

_KNOWN = "SELECT 1 FROM conversation WHERE key = ? OR origin = ?"
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
    comes in, or json or jsonl as `sessions export` writes it. What is here already is left as it is,
    so a file may be imported again.
    """
    count = _Count("would be imported" if dry_run else "imported")
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
        if count.seen:
            listing.say(count.lines())
    if failures:
        raise UsageError("\n".join(failures))
    if not count.seen:
        listing.say(count.lines())


@dataclass(slots=True)
class _Count:
    """What has become of the conversations so far; `done` is the word for those that were new."""

    done: str
    new: int = 0
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    shown: float = 0.0

    @property
    def seen(self) -> int:
        """How many there were."""
        return self.new + self.known + self.skipped.total()

    def lines(self) -> Iterator[str]:
        """The result, a line for each kind."""
        yield f"{counted(self.new)} {self.done}."
        if self.known:
            yield f"{counted(self.known)} here already."
        for reason, number in self.skipped.most_common(_REASONS):
            yield f"{counted(number)} skipped: {reason}."
        if (more := len(self.skipped) - _REASONS) > 0:
            yield f"And {more:,} more for other reasons."

    def tell(self, file: Path) -> None:
        """Say how far it is, from time to time."""
        now = time.monotonic()
        if now - self.shown > _MOMENT:
            self.shown = now
            listing.passing(f"{file.name}: {counted(self.seen)} …")


def _read(file: Path, add: _Add, count: _Count) -> None:
    """Take in what a file holds; raises `CloudLLMError` where it cannot be read on."""
    from cloudllm.importing import read  # noqa: PLC0415 - not for --help

    for archive in read(file):
        try:
            is_new = bool(archive.messages) and add(archive)
        except UsageError as error:
            count.skipped[str(error).rstrip(".")] += 1
            continue
        if not archive.messages:
            count.skipped["it holds no message"] += 1
        elif is_new:
            count.new += 1
        else:
            count.known += 1
        count.tell(file)


@contextmanager
def _adding() -> Iterator[_Add]:
    """Puts conversations into the store, which is made if there is none."""
    with made() as store:
        conversations = in_store(store)
        yield lambda archive: conversations.add(archive) is not None


@contextmanager
def _trial() -> Iterator[_Add]:
    """Says which of them are new, and changes nothing."""
    seen: set[str] = set()
    with opened() as store:

        def is_new(archive: Archive) -> bool:
            names = {archive.id, archive.origin} - {""}
            known = not seen.isdisjoint(names)
            seen.update(names)
            return not known and (store is None or not _is_known(store, archive))

        yield is_new


def _is_known(store: Store, archive: Archive) -> bool:
    with store.read() as connection:
        row = connection.execute(_KNOWN, (archive.id, archive.origin or None)).fetchone()
    return row is not None
