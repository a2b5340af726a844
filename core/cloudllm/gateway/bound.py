"""How much of a reply is taken: what is more than that is cut off."""

from __future__ import annotations

from dataclasses import replace

from cloudllm.errors import InvalidResponse
from cloudllm.events import StreamEnded, StreamEvent

_MIB = 1 << 20


def too_long(limit: int) -> InvalidResponse:
    """The error for a reply of more than so many bytes."""
    size = f"{limit / _MIB:g} MiB" if limit >= _MIB else f"{limit:,} bytes"
    return InvalidResponse(
        f"the reply is longer than max_reply_bytes allows ({size}), so it was cut there",
        advice="The setting max_reply_bytes changes where a reply is cut",
    )


class Bound:
    """Counts what came of a reply, in bytes of UTF-8."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self.reached = False

    def fit(self, delta: StreamEvent) -> StreamEvent:
        """The delta as far as there is room for it; `reached` says that it was cut."""
        if isinstance(delta, StreamEnded):
            return delta
        text = delta.text
        size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        if size <= self._left:
            self._left -= size
            return delta
        self.reached = True
        kept = text.encode(errors="surrogatepass")[: self._left].decode(errors="ignore")
        self._left = 0
        return replace(delta, text=kept)

    def check(self) -> None:
        """Raise `InvalidResponse` if anything was cut."""
        if self.reached:
            raise too_long(self._limit)
