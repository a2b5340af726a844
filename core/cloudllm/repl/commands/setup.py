"""The command that helps a person to begin: /setup."""

from __future__ import annotations

from collections.abc import Iterable

from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value
from cloudllm.threads import in_thread


async def _setup(chat: Chat, argument: str) -> None:
    from cloudllm.repl import onboarding  # noqa: PLC0415 - rarely needed

    if argument:
        await onboarding.choose(chat, argument)
    else:
        await onboarding.offer(chat, "Ways to begin")


async def _ways(chat: Chat, _typed: str) -> Iterable[Value]:
    from cloudllm.repl import onboarding  # noqa: PLC0415 - rarely needed

    return list((await in_thread(lambda: onboarding.ways(chat.registry))).items())


COMMANDS = (
    SlashCommand(
        "/setup",
        "give a key, or choose what answers without one",
        _setup,
        argument="[WAY]",
        complete=_ways,
    ),
)
