"""Exporters at run time: those that plugins offer, found by name or suffix, and kept harmless."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import PurePath

from cloudllm.archive import Archive, Exporter
from cloudllm.errors import UsageError
from cloudllm.exporting.offers import Offer, collected
from cloudllm.exporting.pulling import pieces
from cloudllm.plugins import Plugins
from cloudllm.words import quoted

__all__ = ("USUAL", "Exporters", "suffix")

USUAL = "markdown"
"""The exporter for a file that has no ending."""

_ALIKE = 0.6
_HALF = re.compile(r"[\ud800-\udfff]")


def suffix(name: str) -> str:
    """How a file's name ends, such as ".md"; "" if it has no ending."""
    return PurePath(name).suffix


class Exporters:
    """The exporters of `plugins`; those are loaded when an exporter is first wanted."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._lock = threading.Lock()
        self._offers: dict[str, Offer] | None = None

    def names(self) -> dict[str, Exporter]:
        """Every exporter by its name; loads the plugins, so it blocks."""
        return {name: offer.exporter for name, offer in self._offered().items()}

    def get(self, name: str) -> Exporter:
        """The exporter of that name; loads the plugins, so it blocks.

        Raises:
            UsageError: there is none; the advice names the one that may be meant.
        """
        known = self.names()
        if name in known:
            return known[name]
        close = [each for each, found in known.items() if found.suffix == f".{name}"]
        close = close or get_close_matches(name, known, n=1, cutoff=_ALIKE)
        hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known) or 'none'}"
        raise UsageError(f"there is no export format {quoted(name)}", advice=hint)

    def for_file(self, name: str) -> Exporter:
        """The exporter that the ending of a file's name asks for; Markdown if it has none.

        The longest ending that fits counts, and what ships with cloudllm comes first.

        Raises:
            UsageError: there is none; the advice names the endings that are known.
        """
        ending = suffix(name)
        if not ending:
            return self.get(USUAL)
        offers = sorted(self._offered().values(), key=lambda offer: not offer.plugin.bundled)
        suffixes = [*dict.fromkeys(offer.exporter.suffix for offer in offers)]
        fitting = [each for each in suffixes if name.lower().endswith(each)]
        longest = max(fitting, key=len, default=None)
        for offer in offers:
            if offer.exporter.suffix == longest:
                return offer.exporter
        raise UsageError(
            f"no export format has a file that ends in {quoted(ending, 30)}",
            advice=f"Known: {', '.join(suffixes) or 'none'}",
        )

    def write(self, exporter: Exporter, archives: Iterable[Archive]) -> Iterator[str]:
        """The text of these conversations in that form, in pieces that can be encoded.

        `archives` is read in the calling thread, one by one, as they are wanted.

        Raises:
            UsageError: there is no such exporter.
            PluginError: the plugin failed, gave what is no text, or took too long for a piece.
            CloudLLMError: what the plugin raised to tell the person.
        """
        offer = self._offered()[self.get(exporter.name).name]
        for piece in pieces(self._plugins, offer, archives):
            yield piece if piece.isascii() else _HALF.sub("\ufffd", piece)

    def _offered(self) -> dict[str, Offer]:
        """The exporters of all plugins by name; loads them, once."""
        with self._lock:
            if self._offers is None:
                self._offers = collected(self._plugins)
            return self._offers
