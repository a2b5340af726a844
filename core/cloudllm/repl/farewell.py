"""What is said on leaving a chat: how to come back to a conversation that was kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat


def farewell(chat: Chat) -> str:
    """The line for the person who leaves; "" if there is nothing on disk to come back to.

    To be asked when the chat is closed, and all that could be written is.
    """
    shelf = chat.shelf
    if shelf is None or shelf.journal.key is None or not chat.history or shelf.journal.failing:
        return ""
    way = "--continue" if shelf.folder else f"--resume {shelf.journal.key}"
    return f"To go on with this conversation: cloudllm {way}"
