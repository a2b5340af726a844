"""Samples of texts, and which of them bytes still hold: proof that a text is gone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

LENGTH = 24
"""Bytes of a sample, at most."""

_WORD = 8  # bytes that are compared at a time
_SHORTEST = 2 * _WORD - 1  # wherever it begins, a whole word of it begins at a multiple of 8
_BLOCK = 1024  # words


def sampled(texts: Iterable[str], most: int) -> frozenset[bytes]:
    """The beginning, the middle and the end of each text, `most` of them in all.

    A text of less than 15 bytes gives none: it could be found anywhere.
    """
    found = sorted({sample for text in texts for sample in _parts(text.encode())})
    return frozenset(found[:: -(-len(found) // most) or 1])


class Samples:
    """Looks for many samples at once: every byte is looked at about once, however many there are."""

    def __init__(self, samples: Iterable[bytes]) -> None:
        self._samples = frozenset(samples)
        self._lengths = {len(each) for each in self._samples}
        self._words = {
            int.from_bytes(each[at : at + _WORD], sys.byteorder)
            for each in self._samples
            for at in range(_WORD)
        }

    def held(self, data: bytes) -> set[bytes]:
        """Those that the data holds."""
        words = memoryview(data)[: len(data) // _WORD * _WORD].cast("Q")
        found: set[bytes] = set()
        for start in range(0, len(words), _BLOCK):
            block = words[start : start + _BLOCK]
            if self._words.isdisjoint(block):
                continue
            for place, word in enumerate(block, start):
                if word in self._words:
                    found |= self._samples.intersection(self._around(data, place * _WORD))
        return found

    def _around(self, data: bytes, place: int) -> Iterator[bytes]:
        """All that could be a sample and has its first whole word at `place`."""
        for begin in range(max(0, place - _WORD + 1), place + 1):
            for length in self._lengths:
                yield data[begin : begin + length]


def _parts(text: bytes) -> Iterator[bytes]:
    if len(text) < _SHORTEST:
        return
    middle = max(0, len(text) - LENGTH) // 2
    yield from (text[:LENGTH], text[middle : middle + LENGTH], text[-LENGTH:])
