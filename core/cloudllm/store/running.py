"""The reply that is coming in: begun, written piece by piece, then put in place or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from cloudllm.events import ReasoningDelta, TextDelta
from cloudllm.messages import Message
from cloudllm.store import rows
from cloudllm.store.database import Store
from cloudllm.store.kept import Kept, Place
from cloudllm.store.recovery import FIRST_PIECE

if TYPE_CHECKING:
    from sqlite3 import Connection

_PIECE = "INSERT INTO piece VALUES (?, ?, ?, CAST(? AS TEXT))"
_OURS = """
    SELECT 1 FROM message JOIN conversation ON conversation.id = message.conversation
    WHERE message.id = ? AND message.owner = ? AND key = ?
"""


@dataclass(slots=True, eq=False, kw_only=True)
class Running:
    """A turn under way in the conversation `kept`.

    head       the messages that the reply follows; `new` are those of them that came with this turn
    first      the conversation began with this turn
    continued  the reply that this one goes on with
    deltas     what has come, as kind and text; the first `saved` of them are on disk
    """

    kept: Kept
    place: Place
    head: Sequence[Place]
    new: Sequence[Place]
    first: bool
    continued: Message | None
    deltas: list[tuple[str, str]] = field(default_factory=list)
    saved: int = 0
    number: int = FIRST_PIECE
    _thought: bool = False
    _begun: bool = False

    def add(self, delta: TextDelta | ReasoningDelta) -> None:
        """Take in a piece of the reply."""
        if isinstance(delta, TextDelta):
            self.deltas.append(("text", delta.text))
            return
        before = self.continued is not None and self.continued.reasoning and not self._thought
        self._thought = True
        self.deltas.append(("reasoning", f"\n\n{delta.text}" if before else delta.text))

    def begin(self, connection: Connection) -> None:
        """Have the user's message on disk, and a row for the reply."""
        self._begun = True
        self.kept.hold(connection)
        at = self.kept.put(connection, self.place, owner=self.kept.alive.number)
        if self.continued is not None:
            old = ("text", self.continued.content), ("reasoning", self.continued.reasoning)
            self._put(connection, at, 0, old)

    def write(self, store: Store) -> None:
        """Write what has come since the last time, as soon as it has begun."""
        count = len(self.deltas)
        if count == self.saved or not self._begun:
            return
        done: list[int] = []

        def change(connection: Connection) -> None:
            saved, number = self.saved, self.number
            if not self._is_there(connection):
                self.place.era = 0
                self.begin(connection)
                saved, number = 0, FIRST_PIECE
            runs = _runs(self.deltas[saved:count])
            self._put(connection, self.place.id, number, runs)
            done.append(number + len(runs))

        self.kept.write(store, change)
        self.saved, self.number = count, done[0]

    def settle(self, connection: Connection, place: Place, now: int) -> None:
        """Put the whole reply in place, and the head there."""
        self.kept.hold(connection)
        if not self._is_there(connection):
            self.place.era = 0
        elif place is self.place:
            rows.end(connection, place.id, place.message)
        else:
            self._take_back_reply(connection)
        self.kept.move(connection, place, now)

    def take_back(self, connection: Connection) -> None:
        """Nothing came: leave no rows of this turn."""
        if not self.kept.is_there(connection):
            return
        if self._is_there(connection):
            self._take_back_reply(connection)
        for place in reversed(self.new):
            if self.kept.finds(connection, place):
                self._delete(connection, place)
        if self.first:
            connection.execute(
                "DELETE FROM conversation WHERE id = :id"
                " AND NOT EXISTS (SELECT 1 FROM message WHERE conversation = :id)",
                {"id": self.kept.id},
            )

    def _is_there(self, connection: Connection) -> bool:
        """Is the row of the reply there, and this chat's own? See `Kept.finds`."""
        if not self.kept.has(self.place):
            return False
        ours = self.place.id, self.kept.alive.number, self.kept.key
        return connection.execute(_OURS, ours).fetchone() is not None

    def _take_back_reply(self, connection: Connection) -> None:
        connection.execute("DELETE FROM piece WHERE message = ?", (self.place.id,))
        self._delete(connection, self.place)

    def _delete(self, connection: Connection, place: Place) -> None:
        """Delete a message that none follows."""
        at = {"id": place.id}
        connection.execute(
            "UPDATE conversation SET head = (SELECT parent FROM message WHERE id = :id)"
            " WHERE head = :id",
            at,
        )
        connection.execute(
            "DELETE FROM message WHERE id = :id"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE parent = :id)",
            at,
        )

    def _put(
        self, connection: Connection, at: int, number: int, pieces: Sequence[tuple[str, str]]
    ) -> None:
        connection.executemany(
            _PIECE,
            [
                (at, place, kind, rows.raw(text))
                for place, (kind, text) in enumerate(pieces, number)
            ],
        )


def _runs(deltas: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What follows each other and is of one kind, together."""
    return [
        (kind, "".join(text for _, text in run)) for kind, run in groupby(deltas, itemgetter(0))
    ]
