"""The messages of a foreign conversation, in the order and the form that an archive has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import UsageError
from cloudllm.importing.values import blocks, note
from cloudllm.messages import Message, Role


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the foreign tree, which may stand for no message, for one, or for several.

    system   the system prompt that holds from here on; "" changes none
    created  in milliseconds since 1970; 0 is unknown
    """

    parent: str | None
    messages: tuple[Message, ...] = ()
    system: str = ""
    created: int = 0


def planted(archive: Archive, nodes: Mapping[str, Node], head: str | None, where: str) -> Archive:
    """The archive with these messages, and what its branch says of its system prompt and model.

    Places without a message are left out. Without a `head` that is there it is the newest end.

    Raises:
        UsageError: messages follow each other in a circle, or follow one that is missing.
    """
    order = _in_order(nodes, where)
    if head not in nodes:
        head = _newest_end(nodes, order)
    lifted = _leading(nodes, head)
    messages: list[ArchivedMessage] = []
    last: dict[str | None, str | None] = {None: None}
    system: dict[str | None, str] = {None: ""}
    for at in order:
        node = nodes[at]
        is_news = at not in lifted and node.system not in ("", system[node.parent])
        system[at] = node.system or system[node.parent]
        last[at] = last[node.parent]
        for message in _said(node, is_news=is_news):
            number = str(len(messages) + 1)
            messages.append(
                ArchivedMessage(id=number, parent=last[at], message=message, created=node.created)
            )
            last[at] = number
    archive = replace(
        archive,
        system_prompt=blocks(*(nodes[at].system for at in lifted)),
        messages=tuple(messages),
        head=last[head] or (messages[-1].id if messages else None),
    )
    models = (each.message.model for each in reversed(archive.branch()))
    return replace(archive, model=next(filter(None, models), archive.model))


def _said(node: Node, *, is_news: bool) -> Iterator[Message]:
    if is_news:
        yield Message(Role.USER, note("system", node.system))
    yield from node.messages


def _in_order(nodes: Mapping[str, Node], where: str) -> list[str]:
    """Every place after the one that it follows, else by time."""
    order: list[str] = []
    done: set[str | None] = {None}
    for start in sorted(nodes, key=lambda at: nodes[at].created):
        way: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in done:
            if at in way:
                raise UsageError(f"{where}: message {at} follows itself in a circle")
            if at not in nodes:
                *_, after = way
                raise UsageError(f"{where}: message {after} follows {at}, which is missing")
            way[at] = None
            at = nodes[at].parent
        order += reversed(way)
        done.update(way)
    return order


def _newest_end(nodes: Mapping[str, Node], order: list[str]) -> str | None:
    inner = {node.parent for node in nodes.values()}
    return next((at for at in reversed(order) if at not in inner), None)


def _leading(nodes: Mapping[str, Node], head: str | None) -> dict[str, None]:
    """The places before the first message of the branch that hold a system prompt, in order."""
    way: list[str] = []
    while head is not None:
        way.append(head)
        head = nodes[head].parent
    leading: dict[str, None] = {}
    for at in reversed(way):
        if nodes[at].system:
            leading[at] = None
        if nodes[at].messages:
            break
    return leading
