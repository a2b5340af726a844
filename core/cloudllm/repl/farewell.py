"""What is said on leaving a chat: how to come back to its conversation, or that it is not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat


_UNSAVED = "Not all that was said could be saved."


def farewell(chat: Chat) -> str:
    """The line for the person who leaves; "" if nothing was said, or nothing is to be kept.

    To be asked when the chat is closed, and all that could be written is.
    """
    shelf = chat.shelf
    if shelf is None:
        return ""
    if shelf.journal.lacks_message:
        return _UNSAVED
    if shelf.journal.key is None or not chat.history:
        return ""
    way = "--continue" if shelf.folder else f"--resume {shelf.journal.key}"
    return f"To go on with this conversation: cloudllm {way}"
