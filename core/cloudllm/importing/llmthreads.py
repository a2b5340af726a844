"""llm's tables since 0.32: messages in a tree, each named by a hash over itself and its parent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudllm.importing import llmtext
from cloudllm.importing.logsdb import Log
from cloudllm.importing.models import model_id
from cloudllm.importing.tree import Node
from cloudllm.importing.values import items, known, milliseconds, text
from cloudllm.messages import Message, Role, ToolCall, Usage

_MESSAGES = """
    WITH RECURSIVE chain (hash) AS (
        SELECT value FROM json_each(?)
        UNION SELECT parent_hash FROM chain JOIN messages USING (hash)
    )
    SELECT messages.* FROM messages JOIN chain USING (hash) ORDER BY messages.rowid
"""
_LOOSE_ENDS = """
    WITH RECURSIVE chain (hash) AS (
        SELECT tip_message_hash FROM threads
        UNION SELECT tip_message_hash FROM turns WHERE thread_id IN (SELECT id FROM threads)
        UNION SELECT parent_message_hash FROM turns WHERE thread_id IN (SELECT id FROM threads)
        UNION SELECT parent_hash FROM chain JOIN messages USING (hash)
    )
    SELECT hash FROM messages
    WHERE hash NOT IN (SELECT hash FROM chain WHERE hash IS NOT NULL)
    AND hash NOT IN (SELECT parent_hash FROM messages WHERE parent_hash IS NOT NULL)
    ORDER BY messages.rowid
"""
_PARTS = "SELECT * FROM parts WHERE message_hash = ? ORDER BY position"
_ATTACHMENT = "SELECT type, path, url FROM attachments WHERE id = ?"


def nodes(log: Log, tips: Iterable[object], turns: list[dict[str, Any]]) -> dict[str, Node]:
    """The messages that lead to these, by their hashes; `turns` tell when and by whom they are."""
    rows = log.rows(_MESSAGES, (json.dumps([text(each) for each in tips]),), of="messages")
    told = _Told({text(row["hash"]): text(row["parent_hash"]) for row in rows}, turns)
    return {text(row["hash"]): _node(log, row, told) for row in rows}


def loose_ends(log: Log) -> list[str]:
    """The last messages of what no thread leads to."""
    return [text(row["hash"]) for row in log.rows(_LOOSE_ENDS, of="messages")]


class _Told:
    """What turns say of messages: when they came, and which model wrote them with how many tokens."""

    def __init__(self, parents: Mapping[str, str], turns: list[dict[str, Any]]) -> None:
        self.created: dict[str, int] = {}
        self.models: dict[str, str] = {}
        self.usage: dict[str, Usage | None] = {}
        for turn in turns:
            tip, asked = text(turn.get("tip_message_hash")), text(turn.get("parent_message_hash"))
            self.usage[tip] = llmtext.usage_of(turn)
            at, is_reply = tip, True
            while at in parents and at not in self.created:
                is_reply = is_reply and at != asked
                if is_reply:
                    self.models[at] = model_id(text(turn.get("model")))
                self.created[at] = milliseconds(turn.get("datetime_utc"))
                at = parents[at]


@dataclass(slots=True)
class _Parts:
    """What the parts of a message hold, put together."""

    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    calls: list[ToolCall | str] = field(default_factory=list)
    results: list[Message] = field(default_factory=list)


def _node(log: Log, row: Mapping[str, Any], told: _Told) -> Node:
    key, role = text(row["hash"]), text(row.get("role"))
    parts = _Parts()
    for part in log.rows(_PARTS, (key,), of="parts"):
        _take(log, part, parts)
    said, created = "\n".join(filter(None, parts.said)), told.created.get(key, 0)
    messages = parts.results
    if role == "system":
        return Node(text(row["parent_hash"]) or None, tuple(messages), said, created)
    if role == "user" and said:
        messages.append(Message(Role.USER, said))
    elif said or parts.thought or parts.calls:
        thought = "".join(parts.thought)
        reply = llmtext.reply(said, thought, parts.calls, told.models.get(key), told.usage.get(key))
        messages.append(reply)
    return Node(text(row["parent_hash"]) or None, tuple(messages), created=created)


def _take(log: Log, row: Mapping[str, Any], parts: _Parts) -> None:
    kind, payload = text(row.get("type")), llmtext.parsed(row.get("payload"))
    if kind == "reasoning":
        parts.thought.append(_text(log, row, payload))
    elif kind == "tool_call":
        arguments = json.dumps(payload.get("arguments"))
        parts.calls.append(llmtext.call(payload, arguments))
    elif kind == "tool_result":
        _take_result(log, payload, parts)
    elif kind == "attachment":
        parts.said += _marks(log, [payload.get("attachment")])
    else:
        parts.said.append(_text(log, row, payload))


def _take_result(log: Log, payload: Mapping[str, Any], parts: _Parts) -> None:
    by_server = bool(payload.get("server_executed"))
    found = llmtext.result(
        "" if by_server else text(payload.get("tool_call_id")),
        text(payload.get("name")),
        text(payload.get("output")),
        text(payload.get("exception")),
        _marks(log, items(payload.get("attachments"))),
    )
    if by_server:
        parts.said.append(found.content)
    else:
        parts.results.append(found)


def _text(log: Log, row: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    """The text of a part, which may borrow from fragments."""
    if row.get("text") is not None or "text_ref" not in payload:
        return text(row.get("text")) or text(payload.get("text"))
    pieces = (known(piece) for piece in items(payload["text_ref"]))
    return "".join(
        llmtext.fragment(log, piece["fragment"])
        if "fragment" in piece
        else text(piece.get("literal"))
        for piece in pieces
    )


def _marks(log: Log, references: list[Any]) -> list[str]:
    marks = []
    for reference in references:
        key = text(known(reference).get("id"))
        rows = log.rows(_ATTACHMENT, (key,), of="attachments")
        marks.append(llmtext.attachment(rows[0] if rows else {"path": key}))
    return marks
