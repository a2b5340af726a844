"""Commands on what answers and how: /model, /system, /set."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand

_AT_THE_START = ("repl.", "plugins.")


async def _model(chat: Chat, argument: str) -> None:
    if not argument:
        names = ", ".join(chat.registry.names())
        chat.screen.output(f"model      {chat.settings.model}\nproviders  {names}")
        return
    client = await chat.use_model(argument)
    chat.screen.notice(f"The next message goes to {client.id}.")


async def _system(chat: Chat, argument: str) -> None:
    if not argument:
        chat.screen.output(chat.settings.system_prompt or "No system prompt.")
        return
    await chat.set("system_prompt", argument)
    chat.screen.notice("The system prompt is changed.")


async def _set(chat: Chat, argument: str) -> None:
    key, value = _split(argument)
    current = dict(chat.settings.items())
    if key.startswith(_AT_THE_START) and value:
        raise UsageError(
            f"{key} counts when the chat starts",
            advice=f"For the next one: cloudllm config set {key} VALUE",
        )
    if not key:
        chat.screen.output("\n".join(f"{name} = {shown}" for name, shown in current.items()))
    elif not value and key in current:
        chat.screen.output(f"{key} = {current[key]}")
    elif key == "model":
        await _model(chat, value)
    else:
        await chat.set(key, value)
        chat.screen.notice(f"{key} = {dict(chat.settings.items()).get(key)}")


def _split(argument: str) -> tuple[str, str]:
    """Key and value of `KEY VALUE` or `KEY = VALUE`."""
    match = re.match(r"([^\s=]*)\s*=?\s*(.*)", argument, re.DOTALL)
    return (match[1], match[2].strip()) if match else ("", "")


def _models(chat: Chat) -> Iterable[str]:
    return (f"{name}/" for name in chat.registry.names())


def _keys(chat: Chat) -> Iterable[str]:
    return (key for key, _ in chat.settings.items())


COMMANDS = (
    SlashCommand(
        "/model",
        "show or change the model",
        _model,
        argument="[PROVIDER/MODEL]",
        complete=_models,
    ),
    SlashCommand("/system", "show or change the system prompt", _system, argument="[TEXT]"),
    SlashCommand(
        "/set",
        "show or change a setting for this chat",
        _set,
        argument="[KEY [VALUE]]",
        complete=_keys,
    ),
)
