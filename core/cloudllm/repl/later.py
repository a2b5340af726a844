"""What the chat on a terminal calls of modules that are imported after its first prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudllm.repl.sentinel import Command, UserText

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat


def import_more() -> None:
    """Import what the next steps need; in the event loop it would hold up the keys."""
    from cloudllm.repl import (  # noqa: PLC0415 - see above
        chores,
        engine,
        resuming,
        retirement,
        statuskeeper,
    )

    _ = chores, engine, resuming, retirement, statuskeeper


def means_wait(means: Command | UserText) -> bool:
    """Is this /wait? It is asked while a turn is under way."""
    if not isinstance(means, Command):
        return False
    from cloudllm.repl.commands import is_wait  # noqa: PLC0415 - see above

    return is_wait(means.text)


def hint(chat: Chat, draft: str) -> str:
    """What is to be said of a command that is being typed."""
    if not draft.startswith("/"):
        return ""
    from cloudllm.repl.commands import hint  # noqa: PLC0415 - see above

    return hint(chat, draft)
