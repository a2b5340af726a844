"""`cloudllm sessions rename|delete|purge`: what changes conversations, or takes them away."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cloudllm.cli import listing
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.cli.sessions_store import existing, named, titles
from cloudllm.errors import UsageError
from cloudllm.paths import history_text
from cloudllm.words import counted

if TYPE_CHECKING:
    from cloudllm.store.conversations import Entry
    from cloudllm.store.purge import Purged

_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_DAY = 86_400_000  # milliseconds
_UNCHANGED = "Nothing was changed."


@click.command()
@click.argument("name")
@click.argument("title")
@shared_options
def rename(_options: Options, *, name: str, title: str) -> None:
    """Give the conversation NAME a TITLE."""
    with existing() as (_, conversations):
        entry = conversations.rename(conversations.find(name).id, title)
    listing.aside(f"It is called “{entry.title}” now.")


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_YES
@shared_options
def delete(_options: Options, *, names: tuple[str, ...], yes: bool) -> None:
    """Delete conversations.

    Their bytes may stay in the file for a while; `purge` removes what must be gone from the disk.
    """
    with existing() as (_, conversations):
        entries = named(conversations, names)
        _check_closed(entries)
        _agree(f"Delete {_described(entries)}?", yes=yes)
        conversations.delete([entry.id for entry in entries])
    listing.aside(f"{counted(len(entries), 'conversation')} deleted.")


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--older-than",
    "days",
    metavar="DAYS",
    type=click.IntRange(1, 100_000),
    help="Those that have not changed for so many days.",
)
@click.option("--all", "everything", is_flag=True, help="All of them.")
@_YES
@shared_options
def purge(
    _options: Options, *, names: tuple[str, ...], days: int | None, everything: bool, yes: bool
) -> None:
    """Remove conversations from the disk for good.

    Their text goes from the file, its index, its log and its backups, and the bytes on the disk are
    searched afterwards, to be sure. What was typed stays in the editor's history of inputs.
    """
    if [bool(names), days is not None, everything].count(True) != 1:
        raise UsageError(
            "say which conversations are to go", advice="Name them, or give --older-than or --all"
        )
    with existing() as (store, conversations):
        if names:
            entries = named(conversations, names)
            _check_closed(entries)
        else:
            entries = _closed(conversations.entries(), days)
        if not entries:
            listing.aside("There is nothing to purge.")
            return
        _agree(f"Purge {_described(entries)}, for good?", yes=yes)
        from cloudllm.store.purge import purge as remove  # noqa: PLC0415 - not for --help

        purged = remove(store, [entry.id for entry in entries])
    _tell(purged)


def _closed(entries: Sequence[Entry], days: int | None) -> list[Entry]:
    """Those that no chat has open, and that have not changed for so many days, if it is told."""
    before = None if days is None else time.time() * 1000 - days * _DAY
    wanted = [entry for entry in entries if before is None or entry.updated < before]
    if in_use := [entry for entry in wanted if entry.is_open]:
        listing.aside(f"Left out, being open in a chat: {titles(in_use)}.")
    return [entry for entry in wanted if not entry.is_open]


def _tell(purged: Purged) -> None:
    """Say what is gone, and what a person has to remove."""
    what = f"{counted(purged.conversations, 'conversation')} with {counted(purged.messages, 'message')}"
    listing.aside(f"{what} purged; the bytes on the disk were searched, and nothing is left.")
    if purged.backups:
        names = ", ".join(each.name for each in purged.backups)
        listing.aside(f"Backups that held some of it are gone: {names}.")
    inputs = history_text()
    if os.path.exists(inputs):  # noqa: PTH110 - Path's raises for some folders
        listing.aside(f"The input history keeps what was typed; remove {inputs} to empty it.")
    for each in purged.damaged:
        listing.aside(f"{each}: this damaged file still holds some of it. Remove it yourself.")


def _check_closed(entries: Sequence[Entry]) -> None:
    """Raise `UsageError` if a chat has one of them: it would go on writing to what is gone."""
    if in_use := [entry for entry in entries if entry.is_open]:
        raise UsageError(f"{titles(in_use)}: open in a chat", advice="Leave that chat first")


def _agree(question: str, *, yes: bool) -> None:
    """Go on if the person says yes; end with exit code 1 if not, 130 if it is Ctrl-C."""
    try:
        if listing.agreed(question, yes=yes):
            return
    except click.Abort:
        listing.aside(_UNCHANGED)
        raise
    listing.aside(_UNCHANGED)
    click.get_current_context().exit(1)


def _described(entries: Sequence[Entry]) -> str:
    return f"{counted(len(entries), 'conversation')}, {titles(entries)}"
