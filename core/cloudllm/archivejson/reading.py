"""Conversations out of our own JSON: whatever a file holds, it is looked at before it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.archivejson.fields import Fields
from cloudllm.errors import UsageError
from cloudllm.messages import Cost, Message, Role, Status, ToolCall, Usage

_FORMAT, _VERSION = "cloudllm", 1
_ROLES = {str(role): role for role in (Role.USER, Role.ASSISTANT, Role.TOOL)}
_STATUSES = {str(status): status for status in Status}


def archives_of(value: object, where: str = "") -> Iterator[Archive]:
    """The conversations of a whole document, as the exporter "json" writes it, one by one.

    `where` stands before each place in what is said of it.

    Raises:
        UsageError: it is no such document, or one of another version; it says what is wrong where.
    """
    document = Fields(value, where)
    _check_version(document)
    for each, place in document.items("conversations"):
        yield archive_of(each, place)


def archive_of(value: object, where: str) -> Archive:
    """The conversation that `Archive.as_object` wrote; names that it does not know are no matter.

    Raises:
        UsageError: it is none; it says what is wrong where, `where` being the place of the whole.
    """
    found = Fields(value, where)
    tree = _tree(found.items("messages"))
    head = found.text_or_null("head")
    if head is not None and head not in tree:
        raise UsageError(f"{found.place('head')}: no message has the id {head!r:.60}")
    return Archive(
        id=found.text("id", ""),
        title=found.text("title", ""),
        created=found.number("created", 0),
        updated=found.number("updated", 0),
        folder=found.text("folder", ""),
        model=found.text("model", ""),
        system_prompt=found.text("system_prompt", ""),
        origin=found.text("origin", ""),
        messages=tuple(tree.values()),
        head=head,
    )


def _check_version(document: Fields) -> None:
    if document.text("format") != _FORMAT:
        raise UsageError(f"{document.place('format')}: must be {_FORMAT!r}")
    version = document.number("version")
    if version != _VERSION:
        raise UsageError(
            f"{document.place('version')}: this cloudllm reads version {_VERSION}, not {version}",
            advice="Update cloudllm" if version > _VERSION else "",
        )


def _tree(messages: Iterable[tuple[object, str]]) -> dict[str, ArchivedMessage]:
    """The messages by id. None stands before the one that it follows, so there are no circles."""
    tree: dict[str, ArchivedMessage] = {}
    for value, place in messages:
        found = Fields(value, place)
        name, parent = found.text("id"), found.text_or_null("parent")
        if name in tree:
            raise UsageError(f"{found.place('id')}: another message has the id {name!r:.60}")
        if parent is not None and parent not in tree:
            raise UsageError(
                f"{found.place('parent')}: no message before it has the id {parent!r:.60}",
                advice="A message must stand after the one that it follows",
            )
        tree[name] = ArchivedMessage(
            id=name, parent=parent, message=_message(found), created=found.number("created", 0)
        )
    return tree


def _message(found: Fields) -> Message:
    calls = found.items("tool_calls") if found.has("tool_calls") else ()
    usage, cost = (found.fields(name) for name in ("usage", "cost"))
    return Message(
        found.one_of("role", _ROLES),
        found.text("content"),
        reasoning=found.text("reasoning", ""),
        tool_calls=tuple(_call(Fields(value, place)) for value, place in calls),
        tool_call_id=found.text_or_null("tool_call_id", None),
        pinned=found.flag("pinned"),
        status=found.one_of("status", _STATUSES, str(Status.COMPLETE)),
        model=found.text_or_null("model", None),
        finish_reason=found.text_or_null("finish_reason", None),
        usage=None if usage is None else _usage(usage),
        error=found.text_or_null("error", None),
        cost=None if cost is None else _cost(cost),
    )


def _call(found: Fields) -> ToolCall:
    return ToolCall(found.text("id"), found.text("name"), found.text("arguments"))


def _usage(found: Fields) -> Usage:
    return Usage(
        input_tokens=found.number("input_tokens", 0),
        output_tokens=found.number("output_tokens", 0),
        cached_tokens=found.number_or_null("cached_tokens"),
        stored_tokens=found.number_or_null("stored_tokens"),
        reasoning_tokens=found.number_or_null("reasoning_tokens"),
        estimated=found.flag("estimated"),
    )


def _cost(found: Fields) -> Cost:
    return Cost(
        nano=found.number("nano", 0),
        estimated=found.flag("estimated"),
        unknown=found.number("unknown", 0),
        source=found.text("source", ""),
    )
