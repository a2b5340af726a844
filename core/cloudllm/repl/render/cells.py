"""How wide text is on the screen: clusters of code points that are drawn as one, and their cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from wcwidth import wcswidth, wcwidth

IDEOGRAPHS = re.compile("[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3]+")
"""Characters of two cells each that are clusters of their own, unless a mark follows."""

_MAX_CLUSTER = 32
"""Code points. Longer than any real emoji; without an end, an endless one would cost its square."""


def cells(text: str) -> int:
    """How many cells `text`, which must be safe and without tabs, takes on a row."""
    if text.isascii():
        return len(text)
    others = IDEOGRAPHS.sub("", text)
    if len(others) < len(text):
        return 2 * (len(text) - len(others)) + cells(others)
    return sum(cluster_cells(cluster) for cluster in clusters(text))


def clusters(text: str) -> Iterator[str]:
    """What the terminal draws into one place, one after the other."""
    cluster = ""
    for character in text:
        if extends(cluster, character):
            cluster += character
        else:
            if cluster:
                yield cluster
            cluster = character
    if cluster:
        yield cluster


def extends(cluster: str, character: str) -> bool:
    """Whether the terminal draws this character into the cluster before it."""
    if not cluster or len(cluster) >= _MAX_CLUSTER or character.isascii():
        return False
    return (
        wcwidth(character) == 0
        or cluster.endswith("\u200d")
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or (_is_flag_half(character) and len(cluster) == 1 and _is_flag_half(cluster))
    )


@lru_cache(4096)
def cluster_cells(cluster: str) -> int:
    """The cells of one cluster."""
    return max(0, wcswidth(cluster) if len(cluster) > 1 else wcwidth(cluster))


def steady(text: str) -> str:
    """The text with the base alone of each cluster that is not as wide as its parts, as of emoji.

    prompt_toolkit counts the parts, and would repaint the rest of the row in the wrong place.
    """
    if text.isascii():
        return text
    return "".join(map(_steady_cluster, clusters(text)))


@lru_cache(4096)
def _steady_cluster(cluster: str) -> str:
    size = cluster_cells(cluster)
    if len(cluster) == 1 or size == sum(max(0, wcwidth(part)) for part in cluster):
        return cluster
    base = cluster[0]
    return base + " " * (size - wcwidth(base))


def expand_tabs(text: str, stop: int) -> str:
    """The text with each tab as the blanks to the next multiple of `stop` cells."""
    if "\t" not in text:
        return text
    first, *others = text.split("\t")
    for piece in others:
        first += " " * (stop - cells(first) % stop) + piece
    return first


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
