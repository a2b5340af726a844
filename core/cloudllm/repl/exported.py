"""The conversation that a chat holds as a document, in the form that a file's name asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.exporting import Exporters
from cloudllm.repl.saving import save_pieces
from cloudllm.repl.transcript import first_line

if TYPE_CHECKING:
    from cloudllm.messages import Message
    from cloudllm.plugins import Plugins
    from cloudllm.repl.chat import Chat

_USUAL = "markdown"


async def archive(chat: Chat) -> Archive:
    """The conversation with all its branches; what is not on disk, as in a private chat, without."""
    kept = None
    if chat.shelf is not None:
        try:
            kept = await chat.shelf.archive()
        except CloudLLMError:  # then what is in memory has to do
            kept = None
    contents = [message.content for message in chat.history]
    if kept is not None and [each.message.content for each in kept.branch()] == contents:
        return kept
    return _of(chat.history, model=chat.model, system_prompt=chat.settings.system_prompt)


def write(plugins: Plugins, name: str, archive: Archive, *, force: bool) -> Path:
    """Write it into a file, as its ending says, or else as Markdown, and return where; it blocks.

    Raises:
        UsageError: there is such a file already, or it is none that can be written over.
        CloudLLMError: it cannot be written; what was there before is untouched.
    """
    exporters = Exporters(plugins)
    try:
        exporter = exporters.for_suffix(PurePath(name).suffix)
    except UsageError:
        exporter = exporters.get(_USUAL)
    return save_pieces(name, exporters.write(exporter, [archive]), force=force)


def _of(history: Sequence[Message], *, model: str, system_prompt: str) -> Archive:
    """What is in memory."""
    messages = tuple(
        ArchivedMessage(
            id=str(number), parent=str(number - 1) if number > 1 else None, message=each
        )
        for number, each in enumerate(history, start=1)
    )
    return Archive(
        title=first_line(history[0].content),
        model=model,
        system_prompt=system_prompt,
        messages=messages,
        head=messages[-1].id,
    )
