"""Exporters at run time: those that plugins offer, found by name or suffix, and kept harmless."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from cloudllm.archive import Archive, Exporter
from cloudllm.errors import UsageError
from cloudllm.exporting.offers import Offer, collected
from cloudllm.exporting.pulling import pieces
from cloudllm.plugins import Plugins
from cloudllm.words import one_line

__all__ = ("Exporters",)

_ALIKE = 0.6
_HALF = re.compile(r"[\ud800-\udfff]")


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
        close = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known) or 'none'}"
        raise UsageError(f"there is no export format {one_line(name, 60)!r}", advice=hint)

    def for_suffix(self, suffix: str) -> Exporter:
        """The exporter whose files end so, such as ".md"; what ships with cloudllm comes first.

        Raises:
            UsageError: there is none.
        """
        offers = sorted(self._offered().values(), key=lambda offer: not offer.plugin.bundled)
        for offer in offers:
            if offer.exporter.suffix == suffix.lower():
                return offer.exporter
        known = ", ".join(dict.fromkeys(offer.exporter.suffix for offer in offers)) or "none"
        ending = f"ends in {one_line(suffix, 30)!r}" if suffix else "has no ending"
        raise UsageError(f"no export format has a file that {ending}", advice=f"Known: {known}")

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
