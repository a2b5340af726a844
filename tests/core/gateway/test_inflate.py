"""Compressed bodies: unpacked whole, in pieces, and up to the last good byte."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm.gateway.inflate import Inflater, coding_of, knows


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]) + bytes(8)),
    ("deflate", zlib.compress),
    ("deflate", bare),
]


@given(st.binary(max_size=300), st.integers(1, 50), st.sampled_from(PACKERS))
def test_what_was_packed_comes_out(
    data: bytes, size: int, packer: tuple[str, Callable[[bytes], bytes]]
) -> None:
    coding, pack = packer
    packed = pack(data)
    inflater = Inflater(coding)
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert b"".join(piece for part in parts for piece in inflater.feed(part)) == data


def test_a_bomb_comes_in_pieces() -> None:
    pieces = Inflater("gzip").feed(gzip.compress(bytes(50 << 20)))
    assert all(len(next(pieces)) <= 1 << 16 for _ in range(100))


def test_what_is_good_comes_before_the_error() -> None:
    packer = zlib.compressobj(wbits=31)
    good = packer.compress(b"as far as this") + packer.flush(zlib.Z_SYNC_FLUSH)
    pieces = Inflater("gzip").feed(good + b"\xff" * 9)
    assert next(pieces).startswith(b"as far as this")
    with pytest.raises(zlib.error):
        next(pieces)


@pytest.mark.parametrize(
    ("header", "coding", "known"),
    [
        ("", "", False),
        ("Identity", "", False),
        ("GZip", "gzip", True),
        (" identity, deflate ", "deflate", True),
        ("gzip, gzip", "gzip, gzip", False),
        ("br", "br", False),
    ],
)
def test_codings(header: str, coding: str, *, known: bool) -> None:
    assert coding_of(header) == coding
    assert knows(coding) is known
