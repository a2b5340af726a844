"""`cloudllm sessions export`: conversations as a document, in a form that a plugin offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cloudllm.cli import listing
from cloudllm.cli.compose import Options, load_plugins
from cloudllm.cli.options import shared_options
from cloudllm.cli.sessions_store import existing, named, recover
from cloudllm.errors import UsageError
from cloudllm.words import counted

if TYPE_CHECKING:
    from cloudllm.archive import Exporter
    from cloudllm.exporting import Exporters
    from cloudllm.store.conversations import Conversations, Entry

_STANDARD_OUTPUT = "-"


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All conversations, the newest first.")
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    help="markdown, json, jsonl, text, html, or what a plugin offers.",
)
@click.option("--output", metavar="FILE", help="Write this file; its ending says the format.")
@click.option("--force", is_flag=True, help="Write over the file, if it is there already.")
@shared_options
def export(
    options: Options,
    *,
    names: tuple[str, ...],
    everything: bool,
    form: str | None,
    output: str | None,
    force: bool,
) -> None:
    """Write conversations as a document.

    Without --format and --output it is Markdown, on standard output. json and jsonl hold everything,
    all branches too, and `sessions import` reads them again.
    """
    if bool(names) == everything:
        raise UsageError("say which conversations to export", advice="Name them, or give --all")
    file = None if output == _STANDARD_OUTPUT else output
    with existing() as (_, conversations):
        recover(conversations)
        entries = _wanted(conversations, names)
        exporters = _exporters(options)
        exporter = _chosen(exporters, form, file)
        archives = (conversations.archive(entry.id) for entry in entries)
        pieces = exporters.write(exporter, archives)
        if file is None:
            listing.say_pieces(pieces)
        else:
            from cloudllm.repl import exported  # noqa: PLC0415 - only for a file
            from cloudllm.repl.saving import save_pieces  # noqa: PLC0415 - see above

            path = save_pieces(file, pieces, force=force)
            said = exported.form(file) if form is None else ""
            listing.aside(f"Wrote {counted(len(entries), 'conversation')} to {path}{said}.")


def _wanted(conversations: Conversations, names: tuple[str, ...]) -> list[Entry]:
    """The conversations of these names; without names, all."""
    entries = named(conversations, names) if names else conversations.entries()
    if not entries:
        raise UsageError("there are no conversations")
    return entries


def _exporters(options: Options) -> Exporters:
    from cloudllm.exporting import Exporters  # noqa: PLC0415 - not for --help
    from cloudllm.settings import Settings  # noqa: PLC0415 - it imports pydantic

    settings = Settings.load(flags=options.flags)
    return Exporters(load_plugins(settings, enabled=options.plugins))


def _chosen(exporters: Exporters, form: str | None, file: str | None) -> Exporter:
    """The exporter that is named, or else the one that the file's ending names."""
    from cloudllm.exporting import USUAL  # noqa: PLC0415 - not for --help

    if form is not None:
        return exporters.get(form)
    if file is not None:
        return exporters.for_file(file)
    return exporters.get(USUAL)
