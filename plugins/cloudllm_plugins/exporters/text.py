"""Conversations as plain text: what was said stands there exactly as it was said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudllm import Archive, Message
from cloudllm_plugins.exporters.said import about, ending, lines_of, speaker, title

_RULE = "=" * 72


def write(archives: Iterable[Archive]) -> Iterator[str]:
    """The branch in use of each conversation, a message at a time."""
    for number, archive in enumerate(archives):
        yield "\n\n" if number else ""
        yield f"{_RULE}\n{title(archive)}\n"
        yield f"{about(archive)}\n" if about(archive) else ""
        yield f"{_RULE}\n"
        if archive.system_prompt:
            yield f"\n--- System prompt ---\n\n{archive.system_prompt}\n"
        for each in archive.branch():
            yield _message(each.message)


def _message(message: Message) -> str:
    parts = [f"\n--- {speaker(message)} ---\n"]
    if message.reasoning:
        quoted = "".join(f"| {line}\n" for line in lines_of(message.reasoning))
        parts.append(f"| Reasoning:\n{quoted}")
    if message.content:
        parts.append(f"{message.content}\n")
    parts += [f"[calls {call.name} with {call.arguments}]\n" for call in message.tool_calls]
    if ending(message):
        parts.append(f"[{ending(message)}]\n")
    return "\n".join(parts)
