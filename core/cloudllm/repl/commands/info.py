"""Commands that tell or end: /tokens, /quit."""

from __future__ import annotations

from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, no_argument
from cloudllm.repl.wording import described


async def _tokens(chat: Chat, argument: str) -> None:
    no_argument("/tokens", argument)
    session = chat.session
    if session is None or session.last_reply is None:
        chat.screen.output("No tokens used yet.")
        return
    limit = await session.limit()
    lines = (
        f"last reply  {described(session.last_reply.usage)}",
        f"session     {described(session.usage)}",
        f"window      {f'{limit:,} tokens' if limit else 'unknown'}",
    )
    chat.screen.output("\n".join(lines))


async def _quit(chat: Chat, argument: str) -> None:
    no_argument("/quit", argument)
    chat.leaving = True


COMMANDS = (
    SlashCommand("/tokens", "tokens of the last reply and of the session", _tokens),
    SlashCommand("/quit", "leave", _quit),
)
