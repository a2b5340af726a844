"""Commands on what answers: /model, /system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from cloudllm.registry import Registry

_SHOWN = 8
"""Models that are listed of each provider."""


async def choose_model(chat: Chat, argument: str) -> None:
    """Go on with another model, or tell which there are."""
    if not argument:
        await in_thread(lambda: _learn(chat, _at_hand(chat)))
        chat.screen.output("\n".join(_usable(chat)))
        return
    client = await chat.use_model(argument)
    chat.screen.notice(f"The next message goes to {client.id}.")


def _usable(chat: Chat) -> Iterator[str]:
    """The model in use, and those that could be: of providers that have a key, or need none."""
    yield f"model    {chat.model}"
    for alias, model in sorted(chat.registry.aliases.items()):
        yield f"alias    {alias} = {model}"
    for ids in chat.known_models.values():
        others = [model_id for model_id in ids if model_id != chat.model]
        yield from (f"         {model_id}" for model_id in others[:_SHOWN])
        if left := len(others[_SHOWN:]):
            yield f"         … {left} more of {others[0].partition('/')[0]}: Tab completes names"
    yield "To see those of other providers: cloudllm models"


async def _system(chat: Chat, argument: str) -> None:
    if not argument:
        chat.screen.output(chat.settings.system_prompt or "No system prompt.")
        return
    await chat.set("system_prompt", argument)
    chat.screen.notice("The system prompt is changed.")


async def models(chat: Chat, typed: str) -> Iterable[Value]:
    """Aliases, providers, and the models of those providers that are thought of or at hand."""
    name, slash, _ = typed.partition("/")
    if slash:
        await in_thread(lambda: _learn(chat, [name]))
    elif typed:
        await in_thread(lambda: _learn(chat, _at_hand(chat)))
    return [
        *((alias, model) for alias, model in sorted(chat.registry.aliases.items())),
        *(f"{name}/" for name in chat.registry.names()),
        *(model_id for ids in [*chat.known_models.values()] for model_id in ids),
    ]


def _at_hand(chat: Chat) -> Iterator[str]:
    """The provider in use, and bundled ones that have a key or work offline; imports no other."""
    from cloudllm.keys import bundled  # noqa: PLC0415 - it imports pydantic

    yield chat.model.partition("/")[0]
    for provider in bundled(chat.registry.plugins):
        with suppress(CloudLLMError):
            if provider.offline or chat.registry.access(provider.name).has_key:
                yield provider.name


def _learn(chat: Chat, names: Iterable[str]) -> None:
    """Have the models of these providers ready, as far as they are known offline."""
    for name in names:
        if name not in chat.known_models and name in chat.registry.names():
            chat.known_models[name] = ()  # so that one that fails is not asked again
            with suppress(CloudLLMError):
                chat.known_models[name] = _known(chat.registry, name)


def _known(registry: Registry, name: str) -> tuple[str, ...]:
    from cloudllm.offers import Offers  # noqa: PLC0415 - rarely needed

    offered = Offers(registry, lambda _: None).offline(name)
    return tuple(offer.id for offer in offered if offer.provider == name and not offer.retired)


COMMANDS = (
    SlashCommand(
        "/model",
        "show or change the model",
        choose_model,
        argument="[PROVIDER/MODEL]",
        complete=models,
        aliases=("/m",),
        example="/model anthropic/claude-sonnet-5-5",
    ),
    SlashCommand("/system", "show or change the system prompt", _system, argument="[TEXT]"),
)
