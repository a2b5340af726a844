"""The forms in which conversations are exported: Markdown, JSON, JSON Lines, plain text and HTML."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import cast

from cloudllm import Archive, Exporter, hookimpl

_FORMS = (
    ("markdown", ".md", "the branch in use, as Markdown"),
    ("html", ".html", "the branch in use, as one page that needs nothing else"),
    ("text", ".txt", "the branch in use, as plain text"),
    ("json", ".json", "everything, with all branches; can be imported"),
    ("jsonl", ".jsonl", "the same, a message on each line"),
)


@hookimpl
def cloudllm_exporters() -> list[Exporter]:
    """Offer them all; the module of each is imported when it is used."""
    return [
        Exporter(name=name, suffix=suffix, description=description, write=partial(_write, name))
        for name, suffix, description in _FORMS
    ]


def _write(name: str, archives: Iterable[Archive]) -> Iterable[str]:
    module = import_module(f"{__name__}.{name}")
    return cast("Iterable[str]", module.write(archives))
