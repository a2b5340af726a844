"""`cloudllm usage`: what was used and what it cost, from the ledger."""

from __future__ import annotations

import shutil
import sys

import click

from cloudllm.accounts import Budgets
from cloudllm.cli import listing
from cloudllm.cli.compose import Options
from cloudllm.cli.options import shared_options
from cloudllm.repl import usage as shared
from cloudllm.store.database import default_path
from cloudllm.store.report import By


@click.command()
@click.option(
    "--by",
    type=click.Choice(shared.KINDS),
    default="day",
    show_default=True,
    help="What each line is for.",
)
@click.option("--since", metavar="DATE", help="From this day on: 2026-11-28, or 7d for a week.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@shared_options
def usage(options: Options, *, by: By, since: str | None, as_json: bool) -> None:
    """Show what was used and what it cost, and what is left of the budgets.

    "~" marks an estimate, and a price that nobody knows is "unknown", never nothing.
    """
    from cloudllm.settings import Settings  # noqa: PLC0415 - it imports pydantic

    start = shared.since_day(since) if since is not None else None
    budget = Settings.load(flags=options.flags).budget
    budgets = Budgets(day=budget.day, month=budget.month)
    found = shared.read(default_path(), by, start, budgets)
    if as_json:
        listing.say_json(shared.facts(found))
        return
    columns = shutil.get_terminal_size().columns
    listing.say(shared.described(found, columns=columns, ascii_only=not _can_draw()))


def _can_draw() -> bool:
    """Can standard output take the characters of a bar?"""
    try:
        "█▏…".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
