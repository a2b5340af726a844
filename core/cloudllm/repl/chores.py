"""What a chat does beside: it purges conversations that are old, where the settings say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudllm.errors import StoreError

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat


async def expire(chat: Chat) -> None:
    """Purge what `history.keep_days` does not keep, once a day, and say so if there was any."""
    days = chat.settings.history.keep_days
    if chat.shelf is None or days is None:
        return
    try:
        count = await chat.shelf.expire(days)
    except StoreError as error:
        chat.screen.notice(f"What is older than {_days(days)} could not be purged: {error}")
        return
    if count:
        what = "conversation" if count == 1 else "conversations"
        chat.screen.notice(f"Purged {count:,} {what}, unchanged for {_days(days)} or longer.")


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days:,} days"
