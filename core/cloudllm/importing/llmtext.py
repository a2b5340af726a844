"""What both generations of llm's tables hold alike: attachments, fragments, calls and usage."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloudllm.importing.logsdb import Log
from cloudllm.importing.values import blocks, known, mark, note, text, tokens
from cloudllm.messages import Message, Role, ToolCall, Usage


def attachment(row: Mapping[str, Any]) -> str:
    """A mark for a row of `attachments`: what kind of file, and its name or address."""
    kind, _, form = text(row.get("type")).partition("/")
    name = text(row.get("url")) or text(row.get("path")).replace("\\", "/").rpartition("/")[2]
    return mark(kind if kind in ("image", "audio", "video") else "file", name or form)


def fragment(log: Log, number: object) -> str:
    """The text of a fragment; one that has been deleted is said to be missing."""
    rows = log.rows("SELECT content FROM fragments WHERE id = ?", (number,), of="fragments")
    return text(rows[0]["content"]) if rows else mark("fragment", f"{text(number)} is missing")


def result(call: str, name: str, output: str, error: str, marks: list[str]) -> Message:
    """What a tool gave; without the id of its call it is a text of the reply."""
    output = "\n".join(filter(None, (output, "" if error in output else error, *marks)))
    if call:
        return Message(Role.TOOL, output, tool_call_id=call)
    return Message(Role.ASSISTANT, note(name or "tool", output))


def call(row: Mapping[str, Any], arguments: str) -> ToolCall | str:
    """A call of a tool; without an id, which its result would need, it is a text of the reply."""
    name, key = text(row.get("name")), text(row.get("tool_call_id"))
    if key and not row.get("server_executed"):
        return ToolCall(key, name, arguments)
    return note(f"to {name}", arguments)


def reply(
    said: str, thought: str, calls: list[ToolCall | str], model: str | None, usage: Usage | None
) -> Message:
    """A message of the model."""
    words = [each for each in calls if isinstance(each, str)]
    return Message(
        Role.ASSISTANT,
        blocks(said, *words),
        reasoning=thought,
        tool_calls=tuple(each for each in calls if isinstance(each, ToolCall)),
        model=model or None,
        usage=usage,
    )


def usage_of(row: Mapping[str, Any]) -> Usage | None:
    """The tokens of a row of `turns` or `responses`, if it knows them."""
    incoming, outgoing = tokens(row.get("input_tokens")), tokens(row.get("output_tokens"))
    if incoming is None and outgoing is None:
        return None
    details = parsed(row.get("token_details"))
    return Usage(
        input_tokens=incoming or 0,
        output_tokens=outgoing or 0,
        cached_tokens=_deep(details, "cached_tokens"),
        reasoning_tokens=_deep(details, "reasoning_tokens"),
    )


def parsed(value: object) -> dict[str, Any]:
    """A column that holds an object of JSON; {} if it holds none."""
    try:
        return known(json.loads(text(value) or "{}"))
    except ValueError:
        return {}


def _deep(details: Mapping[str, Any], name: str) -> int | None:
    for key, value in details.items():
        found = _deep(value, name) if isinstance(value, dict) else None
        if key == name:
            found = tokens(value)
        if found is not None:
            return found
    return None
