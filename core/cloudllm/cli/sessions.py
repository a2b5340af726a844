"""`cloudllm sessions`: the conversations on disk, listed, searched, shown; changed and exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from cloudllm.cli import listing, sessions_json, sessions_show, sessions_text
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.cli.sessions_change import delete, purge, rename
from cloudllm.cli.sessions_export import export
from cloudllm.cli.sessions_import import import_
from cloudllm.cli.sessions_store import (
    NOTHING_YET,
    existing,
    folder_named,
    here,
    in_store,
    opened,
    recover,
)
from cloudllm.errors import UsageError

if TYPE_CHECKING:
    from cloudllm.store.conversations import Entry
    from cloudllm.store.search import Hit

_FOLDER = click.option("--folder", metavar="FOLDER", help="Only those that were held there.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_MOST = click.IntRange(1, 1_000_000)
_SHOWN = 20
"""Of many, so many are shown to a person who has not said how many."""


@click.group()
def sessions() -> None:
    """Find past conversations, and change, remove, export or import them.

    NAME is a conversation's ID or its beginning, its title, or a part of that.
    """


@sessions.command("list")
@click.option("--all", "everything", is_flag=True, help="All of them, not the newest alone.")
@_FOLDER
@click.option(
    "--limit", type=_MOST, help=f"How many at most; a terminal shows {_SHOWN} without it."
)
@_JSON
@shared_options
def list_(
    _options: Options, *, everything: bool, folder: str | None, limit: int | None, as_json: bool
) -> None:
    """List the conversations.

    What changed last comes first. * marks one that is open in a chat, ! one whose last reply was
    broken off; TURNS are those of the branch in use. In a pipe the table is whole, all of them are in
    it, as in JSON, and STATE says open, broken, both or -.

    JSON: a list of objects with id, title, created and updated (milliseconds since 1970), folder,
    model, turns, broken (the last reply was broken off) and open (in another chat).
    """
    place = None if folder is None else folder_named(folder)
    is_read = listing.on_terminal() and not as_json
    most = None if everything else limit or (_SHOWN if is_read else None)
    found: list[Entry] = []
    with opened() as store:
        if store is not None:
            found = in_store(store).entries(folder=place, limit=most and most + 1)
    shown = found[:most]
    if as_json:
        listing.say_json([*map(sessions_json.entry, shown)])
    elif not shown:
        listing.say(
            [NOTHING_YET if place is None else "There are no conversations in that folder."]
        )
    else:
        listing.say_rows(sessions_text.listed(shown, here=here(), now=_now()))
        _explain(shown, more=len(found) > len(shown))


@sessions.command()
@click.argument("words", nargs=-1, required=True)
@_FOLDER
@click.option("--limit", type=_MOST, default=_SHOWN, show_default=True, help="How many at most.")
@_JSON
@shared_options
def search(
    _options: Options, *, words: tuple[str, ...], folder: str | None, limit: int, as_json: bool
) -> None:
    """Find messages, in all branches.

    They hold every one of WORDS, or of '"phrases like this"'; the newest comes first, and what was
    found is marked »so«.

    JSON: a list of objects with conversation (as `list --json` has it), role, created, before, match
    and after; the last three are the text.
    """
    from cloudllm.store.search import search as find  # noqa: PLC0415 - not for --help

    if not " ".join(words).replace('"', " ").strip():
        raise UsageError("there is nothing to search for")
    place = None if folder is None else folder_named(folder)
    found: list[Hit] = []
    with opened() as store:
        if store is not None:
            with store.read() as connection:
                found = find(connection, " ".join(words), folder=place, limit=limit + 1)
    shown = found[:limit]
    if as_json:
        listing.say_json([*map(sessions_json.hit, shown)])
    elif shown:
        listing.say_rows(sessions_text.hits(shown, now=_now()))
    else:
        listing.aside("No message holds that.")
    if len(found) > limit:
        listing.aside("There are more; --limit says how many are listed.")


@sessions.command()
@click.argument("name")
@click.option("--all-branches", is_flag=True, help="Every message, not the branch in use alone.")
@click.option("--tree", is_flag=True, help="A line for each message, with all branches.")
@_JSON
@shared_options
def show(_options: Options, *, name: str, all_branches: bool, tree: bool, as_json: bool) -> None:
    """Print the conversation NAME.

    It stands there as it was said: what is Markdown stays Markdown.

    JSON: an object as `export --format json` has it in its list, with every branch.
    """
    if all_branches + tree + as_json > 1:
        raise UsageError("--all-branches, --tree and --json exclude each other")
    with existing() as (_, conversations):
        recover(conversations)
        archive = conversations.archive(conversations.find(name).id)
    if as_json:
        listing.say_json(archive.as_object())
    elif tree:
        listing.say_rows(sessions_show.outline(archive))
    else:
        listing.say_pieces(sessions_show.in_words(archive, everything=all_branches))


for each in (rename, delete, purge, export, import_):
    sessions.add_command(each)


def _explain(shown: Sequence[Entry], *, more: bool) -> None:
    """Say beside a list what its marks mean, and that it is not all, if a person looks at it."""
    if listing.on_terminal() and any(map(sessions_text.marks, shown)):
        listing.aside(sessions_text.LEGEND)
    if listing.on_terminal() and more:
        listing.aside("There are more; --all lists them.")


def _now() -> datetime:
    return datetime.now().astimezone()
