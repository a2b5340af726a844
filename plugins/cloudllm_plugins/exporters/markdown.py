"""Conversations as Markdown: what was said stands there as it was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cloudllm import Archive, Message, Role
from cloudllm_plugins.exporters.closing import closed
from cloudllm_plugins.exporters.said import about, ending, lines_of, speaker, title

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&#]")


def write(archives: Iterable[Archive]) -> Iterator[str]:
    """The branch in use of each conversation, a message at a time."""
    for number, archive in enumerate(archives):
        yield "\n---\n\n" if number else ""
        yield f"# {_escaped(title(archive))}\n"
        if about(archive):
            yield f"\n*{_escaped(about(archive))}*\n"
        if archive.system_prompt:
            yield f"\n{_quoted('System prompt', archive.system_prompt)}\n"
        for each in archive.branch():
            yield _message(each.message)


def _message(message: Message) -> str:
    parts = [f"\n## {_escaped(speaker(message))}"]
    if message.reasoning:
        parts.append(_quoted("Reasoning", message.reasoning))
    if message.content:
        # What a tool found is data, whatever it looks like.
        written = _fenced if message.role is Role.TOOL else closed
        parts.append(written(message.content))
    parts += [
        f"*calls {_escaped(call.name)}*\n\n{_fenced(call.arguments, 'json')}"
        for call in message.tool_calls
    ]
    if ending(message):
        parts.append(f"*({_escaped(ending(message))})*")
    return "\n\n".join(parts) + "\n"


def _quoted(heading: str, text: str) -> str:
    """A quotation; whatever the text begins ends with it."""
    quoted = "\n".join(f"> {line}" if line else ">" for line in lines_of(text))
    return f"> **{heading}**\n>\n{quoted}"


def _fenced(text: str, language: str = "") -> str:
    """A block of code, whatever fences the text holds."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _escaped(text: str) -> str:
    """The text as it is, in the middle of Markdown."""
    return _SPECIAL.sub(r"\\\g<0>", text)
