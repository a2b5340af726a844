"""Commands on what answers and how: /model, /system, /set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from cloudllm.registry import Registry

_AT_THE_START = ("repl.", "plugins.")


async def _model(chat: Chat, argument: str) -> None:
    if not argument:
        lines = [f"model      {chat.settings.model}"]
        if aliases := chat.registry.aliases:
            lines.append(f"aliases    {', '.join(sorted(aliases))}")
        lines.append(f"providers  {', '.join(chat.registry.names())}")
        chat.screen.output("\n".join(lines))
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
    yield from chat.registry.aliases
    yield from (f"{name}/" for name in chat.registry.names())
    yield from (model_id for ids in chat.known_models.values() for model_id in ids)


async def _learn_models(chat: Chat, typed: str) -> None:
    """Have the models of the provider that is typed ready, as far as they are known offline."""
    name, slash, _ = typed.partition("/")
    with suppress(CloudLLMError):
        if slash and name not in chat.known_models and name in chat.registry.names():
            chat.known_models[name] = ()  # so that the next key does not ask again
            chat.known_models[name] = await in_thread(lambda: _known(chat.registry, name))


def _known(registry: Registry, name: str) -> tuple[str, ...]:
    from cloudllm.offers import Offers  # noqa: PLC0415 - rarely needed

    offered = Offers(registry, lambda _: None).offline(name)
    return tuple(offer.id for offer in offered if offer.provider == name and not offer.retired)


def _keys(chat: Chat) -> Iterable[str]:
    return (key for key, _ in chat.settings.items())


COMMANDS = (
    SlashCommand(
        "/model",
        "show or change the model",
        _model,
        argument="[PROVIDER/MODEL]",
        complete=_models,
        fetch=_learn_models,
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
