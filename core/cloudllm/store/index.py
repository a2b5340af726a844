"""The index of all text, by trigrams: which messages may hold a phrase, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_GRAM = 3
_MOST_GRAMS = 24  # of one phrase; more make no difference to what is found
_MOST_ENDINGS = 100  # of a short word; one that has more is in so many messages that any will do
_LAST = "\U0010ffff"


def has_index(connection: Connection) -> bool:
    """Is there one? Not in a file that was made where SQLite can't search text."""
    row = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'found'").fetchone()
    return row is not None


def query(connection: Connection, phrases: Iterable[str]) -> str | None:
    """What `matching` is asked for the messages that may hold all phrases; `None` is any message."""
    if not has_index(connection):
        return None
    parts = [part for phrase in phrases if (part := _part(connection, phrase)) is not None]
    return " AND ".join(parts) or None


def matching(connection: Connection, query: str, among: range, limit: int = -1) -> set[int]:
    """The ids, among these, of messages that may hold what is asked for, and of few others."""
    rows = connection.execute(
        "SELECT rowid FROM found WHERE found MATCH ? AND rowid BETWEEN ? AND ? LIMIT ?",
        (query, among.start, among.stop - 1, limit),
    )
    return {at for (at,) in rows}


def tidy(connection: Connection) -> bool:
    """Write the index anew without what was deleted; false if something of that is left.

    Takes seconds where there is much text, within the transaction of the caller.
    """
    if not has_index(connection):
        return True
    connection.execute("INSERT INTO found (found) VALUES ('optimize')")
    (parts,) = connection.execute("SELECT count(DISTINCT segid) FROM found_idx").fetchone()
    return bool(parts <= 1)


def _part(connection: Connection, phrase: str) -> str | None:
    """What the index is asked for; `None` if the answer would be nearly every message."""
    if len(phrase) >= _GRAM:
        return " AND ".join(map(_quoted, _grams(phrase)))
    endings = _endings(connection, phrase)
    if len(endings) > _MOST_ENDINGS:
        return None
    return f"({' OR '.join(map(_quoted, endings or [_LAST * _GRAM]))})"


def _grams(phrase: str) -> Sequence[str]:
    """Trigrams of the phrase, spread over it if there are too many."""
    found = list(dict.fromkeys(phrase[at : at + _GRAM] for at in range(len(phrase) - _GRAM + 1)))
    return found[:: -(-len(found) // _MOST_GRAMS)]


def _endings(connection: Connection, word: str) -> list[str]:
    """The trigrams that begin with a word of one or two characters."""
    found: list[str] = []
    for letters in product(*({c, c.lower(), c.casefold()} for c in word)):
        begin = "".join(letters)
        rows = connection.execute(
            "SELECT term FROM trigram WHERE term >= ? AND term < ? LIMIT ?",
            (begin, begin + _LAST, _MOST_ENDINGS + 1),
        )
        found += [term for (term,) in rows]
    return found


def _quoted(gram: str) -> str:
    return '"' + gram.replace('"', '""') + '"'
