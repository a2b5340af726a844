"""The slash commands: one table, from which help, completion and the manual are made."""

from __future__ import annotations

from difflib import get_close_matches

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import conversation, info, model
from cloudllm.repl.commands.base import SlashCommand
from cloudllm.repl.sentinel import Command, UserText

_KEYS = (
    "The sentinel (\\end) on a line of its own sends, and so does Alt-Enter.",
    "\\\\end is a line of text; // at the start is a text with a slash.",
    "Ctrl-C stops a reply, Ctrl-R searches the history, Ctrl-X Ctrl-E opens your",
    "editor, Ctrl-D on an empty line leaves.",
)


async def submit(chat: Chat, submission: Command | UserText) -> None:
    """Run a command, or send a message and show the reply; raises `CloudLLMError`."""
    if isinstance(submission, Command):
        await run(chat, submission.text)
    else:
        await chat.send(submission.text)


async def run(chat: Chat, line: str) -> None:
    """Run a line such as `/model openai/gpt-6-luna`.

    A command that is not the chat's own waits until the plugins are loaded.

    Raises:
        UsageError: there is no such command; nothing is sent to the model.
        CloudLLMError: whatever the command itself raises.
    """
    name, _, argument = line.strip().partition(" ")
    command = await find(chat, name)
    await command.run(chat, argument.strip())


def known(chat: Chat) -> dict[str, SlashCommand]:
    """The chat's own commands and those of the plugins loaded so far, by name."""
    return dict(sorted({**chat.plugin_commands, **COMMANDS}.items()))


async def find(chat: Chat, name: str) -> SlashCommand:
    """The command of that name; raises `UsageError` with a suggestion if there is none."""
    if name in COMMANDS:
        return COMMANDS[name]
    await chat.load_plugins()
    commands = known(chat)
    if name in commands:
        return commands[name]
    close = get_close_matches(name, commands, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else "/help lists them all."
    raise UsageError(
        f"unknown command {name}",
        advice=f"{hint} To send a text that starts with a slash, begin it with //",
    )


async def _help(chat: Chat, argument: str) -> None:
    await chat.load_plugins()
    if argument:
        wanted = [await find(chat, "/" + argument.lstrip("/"))]
    else:
        wanted = list(known(chat).values())
    width = max(len(command.usage) for command in wanted)
    lines = [f"{command.usage:<{width}}  {command.summary}" for command in wanted]
    if not argument:
        lines += ["", *_KEYS]
    chat.screen.output("\n".join(lines))


COMMANDS: dict[str, SlashCommand] = {
    command.name: command
    for command in sorted(
        (
            SlashCommand("/help", "list the commands", _help, argument="[COMMAND]"),
            *conversation.COMMANDS,
            *info.COMMANDS,
            *model.COMMANDS,
        ),
        key=lambda command: command.name,
    )
}
