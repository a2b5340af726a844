"""The slash commands: one table, from which help, completion and the manual are made."""

from __future__ import annotations

from cloudllm.errors import BudgetExceeded, UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.names import find, hint, is_wait, known, resolve
from cloudllm.repl.commands.table import COMMANDS
from cloudllm.repl.secrets import secret_setting
from cloudllm.repl.sentinel import Command, UserText

__all__ = ("COMMANDS", "find", "hint", "is_wait", "known", "resolve", "run", "submit")


async def submit(chat: Chat, submission: Command | UserText, *, asks: bool) -> None:
    """Run a command, or send a message and show the reply; raises `CloudLLMError`.

    With `asks` a budget's refusal is a question, which the next submission answers.
    """
    chat.agreed, chat.kept = chat.consent.answer(submission), None
    try:
        if isinstance(submission, Command):
            await run(chat, submission.text)
        else:
            await chat.send(submission.text)
    except BudgetExceeded as error:
        raise chat.consent.ask(submission, error) if asks else error from None
    finally:
        chat.agreed = None


async def run(chat: Chat, line: str) -> None:
    """Run a line such as `/model openai/gpt-6-luna`.

    A command that is not the chat's own waits until the plugins are loaded.

    Raises:
        UsageError: there is no such command, or a secret is typed in it; nothing is sent to the
            model.
        CloudLLMError: whatever the command itself raises.
    """
    word, *rest = line.split(maxsplit=1)
    command = await find(chat, word)
    if (secret := secret_setting(line)) is not None:
        raise UsageError(
            f"{secret} is a secret, which is not to be typed where it can be seen",
            advice="/setup takes a key unseen; or set the variable of the key",
        )
    await command.run(chat, "".join(rest).strip())
