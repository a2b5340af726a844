"""Ways into a chat for a person who has no key: paste one, or use what needs none."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cloudllm import keys, paths
from cloudllm.errors import ConfigurationError, UnknownProvider, UsageError
from cloudllm.registry import DEFAULT_PROVIDER
from cloudllm.repl import remedy
from cloudllm.settings import set_value
from cloudllm.settings.keyfile import store_key
from cloudllm.threads import in_thread

if TYPE_CHECKING:
    from cloudllm.provider import Provider
    from cloudllm.registry import Registry
    from cloudllm.repl.chat import Chat

_KEY = "key"
_PASTE_KEY = "paste a key, kept in a private file"
_QUESTION = "Paste the key, then Enter. It is not shown; Ctrl-C changes nothing."
_UNCHANGED = "Nothing is changed."
_MADE = "client-made"
"""The item of the conformance kit whose gap says what a provider lacks before it can be used."""

_LISTED = 20
"""Models that are shown to choose from."""


def is_first_start(chat: Chat) -> bool:
    """Has nobody chosen a model yet, by an option, a variable or in the configuration?"""
    return chat.settings.origin("model") == "default"


def ways(registry: Registry) -> dict[str, str]:
    """What can be chosen, what answers best first, each with a few words; imports providers."""
    inviting = [each for each in keys.bundled(registry.plugins) if each.invitation]
    inviting.sort(key=lambda each: (each.offline, not each.requires, each.name))
    return {_KEY: _PASTE_KEY, **{each.name: _invitation(each) for each in inviting}}


def _invitation(provider: Provider) -> str:
    """What a provider invites with, and what has to be installed first."""
    missing = ", ".join(_missing(provider))
    return f"{provider.invitation}{f' (not installed: {missing})' if missing else ''}"


def _missing(provider: Provider) -> list[str]:
    """The packages that a provider needs and does not find."""
    needs = provider.requires.items()
    return [package for module, package in needs if find_spec(module) is None]


async def offer(chat: Chat, why: str) -> None:
    """Show what can be chosen, below one line that says why, and let a number choose."""
    found = await in_thread(partial(ways, chat.registry))
    numbers = {str(number): f"/setup {word}" for number, word in enumerate(found, 1)}
    starts = await in_thread(partial(_key_starts, chat.registry))
    secrets = dict.fromkeys(starts, f"/setup {_KEY}")
    typed = chat.screen.offer({**numbers, str(len(found) + 1): ""}, secrets)
    how = "Choose (Enter: not now):" if typed else "Choose, as with /setup 1:"
    lines = [f"  {number}  {text}" for number, text in zip(numbers, found.values(), strict=True)]
    chat.screen.output("\n".join([f"{why}. {how}", *lines]))


async def choose(chat: Chat, choice: str) -> None:
    """Go one of the ways, by its word or its number; what it leads to is the default from then on.

    Raises:
        UsageError: there is no such way, or nobody is there to be asked.
        CloudLLMError: it leads nowhere yet, and why; nothing is changed.
    """
    found = await in_thread(partial(ways, chat.registry))
    words = list(found)
    if choice.isascii() and choice.isdigit() and 0 < int(choice[:3]) <= len(words):
        choice = words[int(choice) - 1]
    if choice not in found:  # not repeated: it may be a key
        raise UsageError(f"/setup takes a number up to {len(words)}, or one of {', '.join(words)}")
    name = await _with_new_key(chat) if choice == _KEY else choice
    if name:
        await _settle_on(chat, name)
    else:
        chat.screen.notice(_UNCHANGED)


async def _with_new_key(chat: Chat) -> str:
    """Ask for a key and keep it; gives the name of its provider, or "" if there is none."""
    answer = await chat.screen.ask(_QUESTION, secret=True)
    if not answer.strip():
        return ""
    key = keys.given_key(answer, "what you have pasted").secret.get_secret_value()
    provider = await _provider_of(chat, key)
    path = paths.keys_file()
    await in_thread(partial(store_key, path, provider.name, key))
    await chat.reload()
    chat.screen.notice(f"The key for {provider.label} is kept in {path}, which only you can read.")
    access = await in_thread(partial(chat.registry.access, provider.name))
    if not access.key.startswith(path.name):
        chat.screen.notice(f"{access.key}: this counts more than a key that is kept.")
    return provider.name


async def _provider_of(chat: Chat, key: str) -> Provider:
    """The provider whose keys begin so; if there is none that we know, the one that is named."""
    found = await in_thread(partial(recognised, chat.registry, key))
    while found is None:
        question = f"Whose key is it? Enter alone means {DEFAULT_PROVIDER}."
        answer = (await chat.screen.ask(question)).strip() or DEFAULT_PROVIDER
        names = {each.lower(): each for each in chat.registry.names()}
        name = names.get(answer.lower(), answer)
        try:
            found = await in_thread(partial(chat.registry.provider, name))
        except UnknownProvider as error:
            chat.screen.notice(str(error))
    return found


def _key_starts(registry: Registry) -> list[str]:
    """How the keys begin that can be recognised."""
    return [start for each in keys.bundled(registry.plugins) for start in each.key_prefix]


def recognised(registry: Registry, key: str) -> Provider | None:
    """The bundled provider whose keys begin as this one; what others declare could catch a key."""
    matching = [
        (len(prefix), each)
        for each in keys.bundled(registry.plugins)
        for prefix in each.key_prefix
        if key.startswith(prefix)
    ]
    return max(matching, key=lambda pair: pair[0], default=(0, None))[1]


async def _settle_on(chat: Chat, name: str) -> None:
    """Use a provider's model, in this chat and from now on."""
    model = await _model(chat, name)
    try:
        client = await chat.use_model(model)
    except ConfigurationError as error:
        provider = chat.registry.provider(name)
        if _missing(provider):
            for gap in provider.known_gaps:  # what else it lacks
                if gap.item == _MADE:
                    chat.screen.notice(f"{provider.label}: {gap.reason}")
        if not await remedy.accepted(chat, error):
            chat.screen.notice(_UNCHANGED)
            return
        client = await chat.use_model(model)
    path = paths.config_file()
    await in_thread(partial(set_value, path, "model", client.id))
    chat.screen.notice(f"{client.id} answers from now on: model in {path} says so.")


async def _model(chat: Chat, name: str) -> str:
    """The id of the provider's default model; without one, of a model that its service has."""
    provider, default = await in_thread(partial(chat.registry.resolve, f"{name}/"))
    if default or not provider.lists_models:
        return f"{name}/{default}"
    listed = await in_thread(partial(chat.registry.live_models, name))
    models = listed.chats
    if not models:
        raise ConfigurationError(f"{provider.label} has no model yet", advice="Get it one first")
    return f"{name}/{models[0] if len(models) == 1 else await _picked(chat, models)}"


async def _picked(chat: Chat, models: list[str]) -> str:
    """The model that a person picks, by its number or its name."""
    shown = [f"  {number}  {model}" for number, model in enumerate(models[:_LISTED], 1)]
    if len(models) > _LISTED:
        shown.append(f"  … and {len(models) - _LISTED} more, to be picked by name")
    chat.screen.output("\n".join(shown))
    while True:
        answer = (await chat.screen.ask(f"Which one? Enter alone means {models[0]}.")).strip()
        if answer in models or not answer:
            return answer or models[0]
        if answer.isascii() and answer.isdigit() and 0 < int(answer[:9]) <= len(models):
            return models[int(answer) - 1]
        chat.screen.notice("That is none of them.")
