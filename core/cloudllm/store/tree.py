"""All messages of a conversation with their branches, as they are shown and moved between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloudllm.errors import UsageError
from cloudllm.messages import Role
from cloudllm.store.branch import path
from cloudllm.store.entries import Entry
from cloudllm.words import one_line

if TYPE_CHECKING:
    from sqlite3 import Connection

_LONGEST_LINE = 60  # characters
_SELECT = """
    SELECT id, parent, created, role, status, model, substr(content, 1, 400), length(content)
    FROM message WHERE conversation = ? ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A message in the tree.

    id         names it in the store, `parent` the one that it follows, `None` being the beginning
    created    when it began, in milliseconds since 1970
    status     "streaming" while it is coming in, or else its `Status`
    line       how its text begins, on one line
    on_branch  is it on the branch in use?
    """

    id: int
    parent: int | None
    created: int
    role: Role
    status: str
    model: str | None
    line: str
    on_branch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A conversation with every message, in the order in which they came.

    `head` is the last one of the branch in use.
    """

    entry: Entry
    nodes: tuple[Node, ...]
    head: int | None

    def seen_from(self, message: int | None) -> Tree:
        """The same for a chat that is at that message, whatever another one has gone on with."""
        if message == self.head:
            return self
        used = set(path({node.id: node.parent for node in self.nodes}, message))
        nodes = tuple(replace(node, on_branch=node.id in used) for node in self.nodes)
        return replace(self, nodes=nodes, head=message)


def tree(connection: Connection, entry: Entry) -> Tree:
    """Read all of it; texts are cut, so that a long conversation costs little."""
    head = head_of(connection, entry.id)
    rows = connection.execute(_SELECT, (entry.id,)).fetchall()
    used = set(path({row[0]: row[1] for row in rows}, head))
    nodes = tuple(
        Node(
            id=at,
            parent=parent,
            created=created,
            role=Role(role),
            status=status,
            model=model,
            line=first_line(text if length == len(text) else text + "\n…"),
            on_branch=at in used,
        )
        for at, parent, created, role, status, model, text, length in rows
    )
    return Tree(entry=entry, nodes=nodes, head=head)


def first_line(text: str) -> str:
    """How a text begins, on one line."""
    for line in text.split("\n"):
        if line.strip():
            more = "…" if len(text.strip()) > len(line.strip()) else ""
            return one_line(f"{line.strip()}{more}", _LONGEST_LINE)
    return "(empty)"


def head_of(connection: Connection, conversation: int) -> int | None:
    """The last message of the branch in use."""
    row = connection.execute("SELECT head FROM conversation WHERE id = ?", (conversation,))
    head: int | None = row.fetchone()[0]
    return head


def move(connection: Connection, conversation: int, message: int) -> None:
    """Go on from that message; raises `UsageError` if it is not one of this conversation."""
    check(connection, conversation, message)
    connection.execute("UPDATE conversation SET head = ? WHERE id = ?", (message, conversation))


def check(connection: Connection, conversation: int, message: int) -> None:
    """Raise `UsageError` if that is not a message of this conversation, or still coming in."""
    row = connection.execute(
        "SELECT status FROM message WHERE id = ? AND conversation = ?", (message, conversation)
    ).fetchone()
    if row is None:
        raise UsageError(f"The conversation has no message {message}")
    if row[0] == "streaming":
        raise UsageError("That message is still coming in", advice="Wait until it is complete")
