"""A conversation taken out of the store: all its messages with their branches, as values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cloudllm.messages import Cost, Message, Role, Status, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedMessage:
    """A message in the tree of its conversation.

    id       names it within the conversation
    parent   the id of the message that it follows; `None` is the beginning
    created  when it began, in milliseconds since 1970
    """

    id: str
    parent: str | None
    message: Message
    created: int = 0

    def as_object(self) -> dict[str, object]:
        """The message as names and values for JSON; what is usual or unknown is left out.

        The names are part of the interface: docs/conversations.md describes them.
        """
        found: dict[str, object] = {"id": self.id, "parent": self.parent, "created": self.created}
        message = self.message
        found |= {"role": str(message.role), "content": message.content}
        usual = Message(Role.USER, "")
        for name in ("reasoning", "pinned", "model"):
            if (value := getattr(message, name)) != getattr(usual, name):
                found[name] = value
        if message.status is not Status.COMPLETE:
            found["status"] = str(message.status)
        return found | facts(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A conversation with all its branches.

    id             names it among all conversations; "" lets the store give it one
    title          "" lets the store take one from the first message
    created        when it began, and `updated` when it last changed, in milliseconds since 1970
    folder         where it was held; "" is unknown
    model          the model id that it went to last
    origin         what it was imported from, such as "llm:01jd…"; "" if it was held here
    messages       every message, each after the one that it follows
    head           the id of the last message of the branch that is in use
    """

    id: str = ""
    title: str = ""
    created: int = 0
    updated: int = 0
    folder: str = ""
    model: str = ""
    system_prompt: str = ""
    origin: str = ""
    messages: tuple[ArchivedMessage, ...] = ()
    head: str | None = None

    def heading(self) -> dict[str, object]:
        """What there is beside the messages, as names and values for JSON."""
        return {
            "id": self.id,
            "title": self.title,
            "created": self.created,
            "updated": self.updated,
            "folder": self.folder,
            "model": self.model,
            "system_prompt": self.system_prompt,
            "origin": self.origin,
            "head": self.head,
        }

    def as_object(self) -> dict[str, object]:
        """All of it as names and values for JSON, with all branches."""
        return {**self.heading(), "messages": [each.as_object() for each in self.messages]}

    def branch(self) -> tuple[ArchivedMessage, ...]:
        """The messages of the branch in use, the oldest first."""
        by_id = {each.id: each for each in self.messages}
        found: list[ArchivedMessage] = []
        at = self.head
        while at is not None and len(found) < len(by_id):
            found.append(by_id[at])
            at = by_id[at].parent
        return tuple(reversed(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """A form in which conversations can be written; a plugin offers it.

    name         what `--format` takes: lower-case letters, digits and hyphens
    suffix       how a file of it ends, such as ".md"
    description  a few words
    write        gives the text of these conversations, in pieces; it may read them one by one
    """

    name: str
    suffix: str
    description: str
    write: Callable[[Iterable[Archive]], Iterable[str]]


def facts(message: Message) -> dict[str, object]:
    """What is known of a message beside its text, as names and values for JSON."""
    known: dict[str, object] = {}
    if message.tool_calls:
        known["tool_calls"] = [_fields(call) for call in message.tool_calls]
    for name in ("tool_call_id", "finish_reason", "error"):
        if (value := getattr(message, name)) is not None:
            known[name] = value
    if message.usage is not None:
        known["usage"] = _unusual(message.usage, Usage())
    if message.cost is not None:
        known["cost"] = _unusual(message.cost, Cost())
    return known


def _fields(value: ToolCall | Usage | Cost) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__slots__}


def _unusual(value: Usage | Cost, usual: Usage | Cost) -> dict[str, object]:
    default = _fields(usual)
    return {name: found for name, found in _fields(value).items() if found != default[name]}
