"""/set: show settings, change them for this chat, and keep them for later ones."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from cloudllm import paths
from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand, Value
from cloudllm.repl.commands.model import choose_model, models
from cloudllm.threads import in_thread

_AT_THE_START = (
    "history.private", "repl.editing_mode", "repl.sentinel", "repl.submit"
)  # fmt: skip
_NAMES_MODELS = ("model", "fallback", "history.title_model")
_STRATEGY = "context.strategy"
_SAVE = "--save"
_BETWEEN = re.compile(r"\s*=\s*|\s+")


class Wanted(NamedTuple):
    """What is typed after /set: `KEY VALUE` or `KEY = VALUE`, and whether to keep it."""

    key: str
    value: str | None
    save: bool


def parsed(argument: str) -> Wanted:
    """Key and value; a value in double quotes is taken for a string of TOML."""
    given = "" if argument == _SAVE else argument
    given = given.removeprefix(f"{_SAVE} ").removesuffix(f" {_SAVE}")
    key, *rest = _BETWEEN.split(given.strip(), maxsplit=1)
    return Wanted(key, _unquoted(rest[0]) if any(rest) else None, given != argument)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        with suppress(ValueError):  # then it is no such string, but a text with quotes at its ends
            return str(tomllib.loads(f"value = {value}")["value"])
    return value


async def _set(chat: Chat, argument: str) -> None:
    key, value, save = parsed(argument)
    if save and value is None:
        raise UsageError("/set --save needs a key and a value", advice="/set KEY VALUE --save")
    if not key:
        chat.screen.output("\n".join(_differing(chat)))
    elif value is None:
        chat.screen.output(_shown(chat, key))
    else:
        await _change(chat, key, value, save=save)


async def _change(chat: Chat, key: str, value: str, *, save: bool) -> None:
    later = key in _AT_THE_START or key.startswith("plugins.")
    if later and not save:
        raise UsageError(
            f"{key} counts when the chat starts",
            advice=f"For the next one: /set {key} VALUE --save",
        )
    if key == "model":
        await choose_model(chat, value)
    elif not later:
        await chat.set(key, value)
        chat.screen.notice(_line(chat, key))
    if save:
        await _save(chat, key, value, later=later)


async def _save(chat: Chat, key: str, value: str, *, later: bool) -> None:
    from cloudllm.settings import set_value  # noqa: PLC0415 - rarely needed
    from cloudllm.settings.layers import variable  # noqa: PLC0415 - rarely needed

    path = paths.config_file()
    await in_thread(partial(set_value, path, key, value))
    when = "; it counts when the next chat starts" if later else ""
    chat.screen.notice(f"{key} is saved in {path}{when}.")
    name = variable(tuple(key.split(".")))
    if os.environ.get(name):
        chat.screen.notice(f"{name} is set, too, and goes before the file.")


def _differing(chat: Chat) -> Iterable[str]:
    """A line for each setting that is not at its default, with where that was said."""
    from cloudllm.settings import Settings  # noqa: PLC0415 - the chat has it by now

    defaults = dict(Settings().items())
    for key, value in chat.settings.items():
        if key not in defaults or value != defaults[key]:
            yield _line(chat, key)
    yield "All else is as it comes; `cloudllm config show` lists it, /set KEY shows one."


def _shown(chat: Chat, key: str) -> str:
    from cloudllm.repl.fuzzy import best  # noqa: PLC0415 - rarely needed
    from cloudllm.settings.text import did_you_mean, one_line  # noqa: PLC0415 - rarely needed

    keys = [each for each, _ in chat.settings.items()]
    if key in keys:
        return _line(chat, key)
    section = [_line(chat, each) for each in keys if each.startswith(f"{key}.")]
    if not section:
        meant = did_you_mean(key, keys) or _may_be(best(key, keys, str))
        raise UsageError(f"{one_line(key)}: unknown setting{meant}")
    return "\n".join(section)


def _may_be(keys: list[str]) -> str:
    return f"; did you mean {keys[0]}?" if keys else ""


def _line(chat: Chat, key: str) -> str:
    """The setting as a line of TOML, with where it comes from."""
    from cloudllm.settings.text import toml_value  # noqa: PLC0415 - the chat has it by now

    value = dict(chat.settings.items()).get(key)
    return f"{key} = {toml_value(value)}  # {chat.origin(key)}"


def _explain(chat: Chat, typed: str) -> str:
    """What the setting that is typed expects."""
    key, blank, value = typed.partition(" ")
    if not blank or value.strip():
        return ""
    with suppress(CloudLLMError):  # the settings are not there yet
        _ = chat.settings
        from cloudllm.repl.commands.values import expected  # noqa: PLC0415 - after the settings

        return expected(key)
    return ""


async def _offered(chat: Chat, typed: str) -> Iterable[Value]:
    from cloudllm.repl.commands import values  # noqa: PLC0415 - after the settings

    key, blank, rest = typed.partition(" ")
    if not blank:
        return values.keys(chat, typed)
    if rest.rpartition(" ")[2].startswith("-") and " " in rest:
        return [(f"{typed.rpartition(' ')[0]} {_SAVE}", "also for later chats")]
    if key in _NAMES_MODELS or key.startswith("aliases."):
        found = await models(chat, rest)
    elif key == _STRATEGY:
        found = await chat.strategies()
    else:
        found = values.words(key)
    pairs = [each if isinstance(each, tuple) else (each, "") for each in found]
    return [(f"{key} {value}", meaning) for value, meaning in pairs]


COMMANDS = (
    SlashCommand(
        "/set",
        "show or change a setting; --save keeps it for later",
        _set,
        argument="[KEY [VALUE]]",
        complete=_offered,
        example="/set temperature 0.2 --save",
        explain=_explain,
    ),
)
