"""A conversation of ChatGPT's export as an archive: its `mapping` is the tree, place for place.

What the model sends to a tool and what comes back (searches, Python, pictures) is in no form that
another model could go on from, so it becomes text of the reply, under the name of the tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing.chatgptcontent import Content, content_of
from cloudllm.importing.models import chatgpt_model_id
from cloudllm.importing.tree import Node, planted
from cloudllm.importing.values import fields, known, milliseconds, note, text
from cloudllm.messages import Message, Role, Status

FIELDS = (
    "id",
    "conversation_id",
    "title",
    "create_time",
    "update_time",
    "default_model_slug",
    "current_node",
    "mapping",
)
"""What is read of a conversation."""

_PERSON_OR_MODEL = {"user": Role.USER, "assistant": Role.ASSISTANT}
_TO_EVERYONE = ("", "all")


def is_conversation(value: object) -> TypeGuard[dict[str, Any]]:
    """Does it look like one?"""
    return isinstance(value, dict) and "mapping" in value


def archive_of(value: object, where: str) -> Archive:
    """The archive of one conversation; without messages it has none.

    Raises:
        UsageError: it is broken; the message begins with `where`.
    """
    conversation = fields(value, where)
    if "mapping" not in conversation:
        raise UsageError(f"{where}: it has no mapping")
    mapping = fields(conversation["mapping"], f"{where}: its mapping")
    nodes = {key: _node(value, f"{where}: message {key}") for key, value in mapping.items()}
    key = text(conversation.get("conversation_id") or conversation.get("id"))
    archive = Archive(
        title=text(conversation.get("title")),
        created=milliseconds(conversation.get("create_time")),
        updated=milliseconds(conversation.get("update_time")),
        model=chatgpt_model_id(text(conversation.get("default_model_slug"))),
        origin=f"chatgpt:{key}" if key else "",
    )
    return planted(archive, nodes, text(conversation.get("current_node")), where)


def _node(value: object, where: str) -> Node:
    node = fields(value, where)
    parent = text(node.get("parent")) or None
    if node.get("message") is None:
        return Node(parent)
    message = fields(node["message"], f"{where}: its message")
    content = content_of(message)
    role = text(known(message.get("author")).get("role"))
    created = milliseconds(message.get("create_time"))
    if role == "system" or content.system:
        return Node(parent, system=content.system or content.said, created=created)
    if not content.said and not content.thought:
        return Node(parent, created=created)
    return Node(parent, (_message(message, role, content),), created=created)


def _message(message: Mapping[str, Any], role: str, content: Content) -> Message:
    metadata = known(message.get("metadata"))
    finish = text(known(metadata.get("finish_details")).get("type"))
    said, recipient = content.said, text(message.get("recipient"))
    if role not in _PERSON_OR_MODEL:
        said = note(text(known(message.get("author")).get("name")) or role or "unknown", said)
    elif recipient not in _TO_EVERYONE:
        said = note(f"to {recipient}", said)
    if role == "user":
        return Message(Role.USER, said)
    return Message(
        Role.ASSISTANT,
        said,
        reasoning=content.thought,
        model=chatgpt_model_id(text(metadata.get("model_slug"))) or None,
        finish_reason=finish or None,
        status=_status(text(message.get("status")), finish),
    )


def _status(status: str, finish: str) -> Status:
    if finish == "interrupted":
        return Status.CANCELLED
    return Status.PARTIAL if status == "in_progress" else Status.COMPLETE
