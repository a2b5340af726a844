"""llm's tables before 0.32: a conversation is a row of responses, each with the prompt before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cloudllm.importing import llmtext
from cloudllm.importing.logsdb import Log
from cloudllm.importing.models import model_id
from cloudllm.importing.tree import Node
from cloudllm.importing.values import blocks, milliseconds, text
from cloudllm.messages import Message, Role

_RESPONSES = "SELECT * FROM responses WHERE conversation_id = ? ORDER BY id"
_FRAGMENTS = 'SELECT fragment_id FROM {table} WHERE response_id = ? ORDER BY "order"'
_ATTACHMENTS = (
    "SELECT attachments.type, path, url FROM {table} JOIN attachments"
    ' ON attachments.id = attachment_id WHERE {key} = ? ORDER BY "order"'
)


def responses(log: Log, conversation: str) -> list[dict[str, Any]]:
    """The responses of a conversation, the oldest first."""
    return log.rows(_RESPONSES, (conversation,), of="responses")


def steps(log: Log, row: Mapping[str, Any]) -> Iterator[Node]:
    """What a response adds: a system prompt, results, what was asked, the reply; one after the other.

    Their parents are not set.
    """
    key, created = text(row["id"]), milliseconds(row.get("datetime_utc"))
    system = blocks(
        *(each.strip() for each in _fragments(log, "system_fragments", key)),
        text(row.get("system")).strip(),
    )
    if system:
        yield Node(None, system=system, created=created)
    if results := tuple(_results(log, key)):
        yield Node(None, results, created=created)
    asked = [*_fragments(log, "prompt_fragments", key), text(row.get("prompt"))]
    asked += _attachments(log, "prompt_attachments", "response_id", key)
    if said := "\n".join(filter(None, asked)):
        yield Node(None, (Message(Role.USER, said),), created=created)
    reply = _reply(log, key, row)
    if reply.content or reply.reasoning or reply.tool_calls:
        yield Node(None, (reply,), created=created)


def _reply(log: Log, key: str, row: Mapping[str, Any]) -> Message:
    calls = log.rows("SELECT * FROM tool_calls WHERE response_id = ?", (key,), of="tool_calls")
    return llmtext.reply(
        text(row.get("response")),
        text(row.get("reasoning")),
        [llmtext.call(each, text(each.get("arguments"))) for each in calls],
        model_id(text(row.get("model"))),
        llmtext.usage_of(row),
    )


def _results(log: Log, key: str) -> Iterator[Message]:
    sql = "SELECT * FROM tool_results WHERE response_id = ? ORDER BY id"
    for row in log.rows(sql, (key,), of="tool_results"):
        yield llmtext.result(
            text(row.get("tool_call_id")),
            text(row.get("name")),
            text(row.get("output")),
            text(row.get("exception")),
            _attachments(log, "tool_results_attachments", "tool_result_id", row["id"]),
        )


def _fragments(log: Log, table: str, key: str) -> list[str]:
    rows = log.rows(_FRAGMENTS.format(table=table), (key,), of=table)
    return [llmtext.fragment(log, row["fragment_id"]) for row in rows]


def _attachments(log: Log, table: str, key: str, value: object) -> list[str]:
    rows = log.rows(_ATTACHMENTS.format(table=table, key=key), (value,), of=table)
    return [llmtext.attachment(row) for row in rows]
