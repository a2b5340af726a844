"""What a chat does beside, where the settings say so: it purges what is old, and writes titles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError, StoreError
from cloudllm.threads import in_thread
from cloudllm.words import counted

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat
    from cloudllm.repl.engine import Engine

_FIRST_TURN = 2  # messages


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
        what = counted(count, "conversation")
        chat.screen.notice(f"Purged {what}, not in use for {_days(days)} or longer.")


async def entitle(chat: Chat, engine: Engine) -> None:
    """Have the model that `history.title_model` names write the title of a conversation that began.

    It is asked after the first reply; whatever fails, the title stays that of the first message.
    """
    from cloudllm.terms import Means  # noqa: PLC0415 - a reply has come by then
    from cloudllm.titling import improved  # noqa: PLC0415 - see above

    model, shelf, session = chat.settings.history.title_model, chat.shelf, engine.session
    key = shelf.journal.key if shelf is not None else None
    if model is None or shelf is None or key is None or len(session.history) != _FIRST_TURN:
        return
    means = Means(
        gateway=None,
        session=session.id,
        hooks=engine.hooks,
        accounts=engine.accounts,
        strategies=None,
    )
    history = session.history
    try:
        client = await in_thread(lambda: chat.registry.client(model))
        title = await improved(means, client, history)
        if title is not None:
            await shelf.entitle(key, title)
    except CloudLLMError:
        return


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days:,} days"
