"""The conversation that a chat holds as a document, in the form that a file's name asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.errors import CloudLLMError
from cloudllm.exporting import Exporters, suffix
from cloudllm.repl.saving import save_pieces
from cloudllm.repl.transcript import first_line

if TYPE_CHECKING:
    from cloudllm.messages import Message
    from cloudllm.plugins import Plugins
    from cloudllm.repl.chat import Chat


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
    """Write it into a file, as its ending says, and return where; it blocks.

    Raises:
        UsageError: no form has this ending, there is such a file already, or it is none that can be
            written over.
        CloudLLMError: it cannot be written; what was there before is untouched.
    """
    exporters = Exporters(plugins)
    return save_pieces(name, exporters.write(exporters.for_file(name), [archive]), force=force)


def form(name: str) -> str:
    """What is to be said of the form of a file, if its name does not say it."""
    return "" if suffix(name) else ", as Markdown"


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
