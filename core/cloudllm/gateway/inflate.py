"""Unpacks a compressed body piece by piece, so that no packet can become a flood."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

_PIECE = 1 << 16  # bytes at most that are unpacked at once
_GZIP = 31  # zlib's window bits for gzip's format, for zlib's, and for neither
_ZLIB = 15
_BARE = -15
_METHOD = 8  # what the first byte of zlib's format ends in
_KNOWN = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": None}


def coding_of(header: str) -> str:
    """The `content-encoding` without what changes nothing; empty if that is all of it."""
    words = (word.strip().lower() for word in header.split(","))
    return ", ".join(word for word in words if word not in {"", "identity"})


def knows(coding: str) -> bool:
    """Whether a body of this coding can be unpacked; one that is packed twice can't be."""
    return coding in _KNOWN


class Inflater:
    """Unpacks one body."""

    def __init__(self, coding: str) -> None:
        self._bits = _KNOWN[coding]
        self._machine: Any = None  # zlib does not name its class

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what comes of the data, in pieces; raises `zlib.error` after the last good byte."""
        while data:
            if self._machine is None:
                self._machine = zlib.decompressobj(self._bits or _bits_of(data))
            yield from self._unpack(data)
            data = b""
            if self._machine.eof:
                data = self._next_part()

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        """All that one part of the body has for this data."""
        while True:
            before = self._machine.copy()
            try:
                piece = self._machine.decompress(data, _PIECE)
            except zlib.error:
                yield _up_to_the_error(before, data)
                raise
            if piece:
                yield piece
            data = self._machine.unconsumed_tail
            if self._machine.eof or not (data or len(piece) == _PIECE):
                return

    def _next_part(self) -> bytes:
        """What follows a part: gzip's format allows another; what is none is filling."""
        rest: bytes = self._machine.unused_data
        if self._bits == _GZIP and rest.startswith(b"\x1f"):
            self._machine = None
            return rest
        return b""


def _bits_of(data: bytes) -> int:
    """The format that is called "deflate": zlib's, as it should be, or a bare one."""
    return _ZLIB if data[0] & 0x0F == _METHOD else _BARE


def _up_to_the_error(machine: Any, data: bytes) -> bytes:  # noqa: ANN401 - zlib's
    """What is good of the data; zlib itself gives nothing once it has met an error."""
    good = bytearray()
    for number in range(len(data)):
        try:
            good += machine.decompress(data[number : number + 1])
        except zlib.error:
            break
        if len(good) > _PIECE:
            break
    return bytes(good)
