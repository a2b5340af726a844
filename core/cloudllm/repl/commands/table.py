"""The chat's own commands: the one table, from which help, completion and the manual are made."""

from __future__ import annotations

from cloudllm.repl.commands import (
    about,
    conversation,
    help,  # noqa: A004 - the command's name
    info,
    model,
    said,
    sessions,
    settings,
    setup,
)
from cloudllm.repl.commands.base import SlashCommand

COMMANDS: dict[str, SlashCommand] = {
    command.name: command
    for command in sorted(
        (
            *about.COMMANDS,
            *conversation.COMMANDS,
            *help.COMMANDS,
            *info.COMMANDS,
            *model.COMMANDS,
            *said.COMMANDS,
            *sessions.COMMANDS,
            *settings.COMMANDS,
            *setup.COMMANDS,
        ),
        key=lambda command: command.name,
    )
}
