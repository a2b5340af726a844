"""Commands on the conversation: /clear, /retry, /undo."""

from __future__ import annotations

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, no_argument


async def _clear(chat: Chat, argument: str) -> None:
    no_argument("/clear", argument)
    if chat.session is not None:
        chat.session.clear_history()
    chat.screen.notice("The conversation starts anew; the system prompt stays.")


async def _retry(chat: Chat, argument: str) -> None:
    no_argument("/retry", argument)
    if chat.session is None or not chat.session.history:
        raise UsageError("there is nothing to retry yet")
    await chat.play(chat.session.retry_message())


async def _undo(chat: Chat, argument: str) -> None:
    no_argument("/undo", argument)
    text = chat.session.undo() if chat.session is not None else None
    if text is None:
        raise UsageError("there is nothing to undo yet")
    chat.screen.notice("The last turn is taken back.")
    chat.screen.put_back(text)


COMMANDS = (
    SlashCommand("/clear", "forget the conversation, keep the system prompt", _clear),
    SlashCommand("/retry", "ask for the last reply again", _retry),
    SlashCommand("/undo", "take the last turn back; its text returns to the editor", _undo),
)
