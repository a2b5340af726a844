"""Samples of texts, and which of them bytes still hold: proof that a text is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, compress

LENGTH = 24
"""Bytes of a sample, at most."""

PART = 63
"""Bytes of a text of which some sample is found wherever they stand, unless there is too much text."""

_WORD = 8  # bytes that are compared at a time, where they begin at a multiple of 8
_SHORTEST = 2 * _WORD - 1  # wherever it begins, a whole word of it begins at a multiple of 8
_CLOSEST = 5  # bytes from one spread sample to the next
_MOST_SPREAD = 250_000
_MOST_PARTS = 20_000
_FEWEST = 3  # different bytes of a sample; a line of dashes says nothing of where it comes from

_Places = tuple[tuple[int, int], ...]


class Samples:
    """Looks for many samples at once: every byte is looked at about once, however many there are.

    What is `anywhere` is found wherever it stands. A `spread` sample has `LENGTH` bytes, and is only
    found where it begins at a multiple of 8: they are to be so many that one of them does. `common` are
    the words that are often met, as `common_words` gives them; it is only faster with them.
    """

    def __init__(
        self,
        anywhere: Collection[bytes],
        spread: Collection[bytes] = (),
        common: Mapping[int, int] | None = None,
    ) -> None:
        self._spread = frozenset(spread).difference(anywhere)
        self._all = self._spread.union(anywhere)
        self._common = common or {}
        # How samples stand around a word of theirs: so many bytes before it, and so many in all.
        self._places: dict[int, _Places] = {}
        self._users: dict[int, int] = {}  # how many samples a word is of, if it is more than one
        for sample in self._all:
            for before, word in self._words(sample):
                self._add((before, len(sample)), word)

    def held(self, blocks: Iterable[bytes]) -> set[bytes]:
        """Those that any of the blocks holds; each one is to begin at a multiple of 8."""
        found: set[bytes] = set()
        wanted, places, users = set(self._all), self._places.copy(), self._users.copy()
        for data in blocks:
            words = _words(data)
            for at in compress(range(0, len(data), _WORD), map(places.__contains__, words)):
                for before, length in places[words[at // _WORD]]:
                    begin = at - before
                    sample = data[begin : begin + length]
                    if sample in wanted and begin >= 0:
                        wanted.remove(sample)
                        found.add(sample)
                        for _, word in self._words(sample):
                            _let_go(places, users, word)
        return found

    def _add(self, place: tuple[int, int], word: int) -> None:
        known = self._places.get(word)
        if known is None:
            self._places[word] = (place,)
            return
        self._users[word] = self._users.get(word, 1) + 1
        if place not in known:
            self._places[word] = (*known, place)

    def _words(self, sample: bytes) -> Iterator[tuple[int, int]]:
        """A rare word for each way in which the sample may stand, and how many bytes are before it.

        A common one, such as blanks, would have to be looked at again and again.
        """
        count = self._common.get
        for shift in range(1 if sample in self._spread else _WORD):
            words = _words(sample[shift:]).tolist()
            number = min(range(len(words)), key=lambda number: count(words[number], 0))
            yield shift + _WORD * number, words[number]


def common_words(blocks: Iterable[bytes]) -> dict[int, int]:
    """The words that are there more than once, and how often."""
    counts = Counter(chain.from_iterable(map(_words, blocks)))
    return {word: count for word, count in counts.items() if count > 1}


def _words(data: bytes) -> memoryview[int]:
    """The numbers that each 8 bytes are."""
    return memoryview(data)[: len(data) // _WORD * _WORD].cast("Q")


def _let_go(places: dict[int, _Places], users: dict[int, int], word: int) -> None:
    """One of the samples that have the word has been found, and need not be found again."""
    users[word] = users.get(word, 1) - 1
    if not users[word]:
        del places[word]


def sampled(texts: Iterable[bytes], common: Mapping[int, int] | None = None) -> Samples:
    """Samples of these texts, of which one is found in each part of `PART` bytes.

    Of more than 1.2 million bytes the parts must be longer, in proportion, or else be the whole text.
    A shorter text is found by its beginning, its middle or its end, but one of less than 15 bytes is
    not: it could be anywhere. The same holds for what only repeats one or two bytes.
    """
    long, short = set[bytes](), set[bytes]()
    for text in texts:
        if len(text) >= PART:
            long.add(text)
        elif len(text) >= _SHORTEST:
            middle = max(0, len(text) - LENGTH) // 2
            short |= {text[:LENGTH], text[middle : middle + LENGTH], text[-LENGTH:]}
    stride = sum(map(len, long)) // _MOST_SPREAD
    spread = {sample for text in long for sample in _spread(text, stride)}
    return Samples(_some(short), _telling(spread), common)


def _spread(text: bytes, stride: int) -> Iterator[bytes]:
    """Samples at such a distance, or less if else the whole text might not be found.

    As the distance is odd, one of each 8 samples that follow each other begins at a multiple of 8.
    """
    room = len(text) - LENGTH + 1
    stride = max(_CLOSEST, min(stride, room // _WORD - 1)) | 1
    for at in range(0, room, stride):
        yield text[at : at + LENGTH]


def _some(samples: set[bytes]) -> set[bytes]:
    """These, or as many of them as can be looked for."""
    telling = _telling(samples)
    return set(sorted(telling)[:: -(-len(telling) // _MOST_PARTS) or 1])


def _telling(samples: set[bytes]) -> set[bytes]:
    return {each for each in samples if len(set(each)) >= _FEWEST}
