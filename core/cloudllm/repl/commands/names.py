"""Finds the command that a word means: by its name, an alias, or how its name begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import TYPED, SlashCommand
from cloudllm.repl.commands.table import COMMANDS
from cloudllm.repl.secrets import without_secret
from cloudllm.words import one_line


def known(chat: Chat) -> dict[str, SlashCommand]:
    """The chat's own commands and those of the plugins loaded so far, by name."""
    return dict(sorted({**chat.plugin_commands, **COMMANDS}.items()))


async def find(chat: Chat, word: str) -> SlashCommand:
    """The command that a word means; all but the chat's own names wait for the plugins.

    Raises:
        UsageError: there is none, or more than one.
    """
    if (own := _exact(word, COMMANDS)) is not None:
        return own
    await chat.load_plugins()
    return resolve(chat, word)


def resolve(chat: Chat, word: str) -> SlashCommand:
    """The command that a word means, by what is loaded so far.

    A name or an alias goes first, then what only one name begins with; the chat's own commands go
    before those of plugins.

    Raises:
        UsageError: there is none, or more than one.
    """
    exact = _exact(word, COMMANDS) or _exact(word, chat.plugin_commands)
    if exact is not None:
        return exact
    for commands in (COMMANDS, chat.plugin_commands) if len(word) > 1 else ():
        begun = [command for name, command in commands.items() if name.startswith(word)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise _ambiguous(word, begun)
    raise _unknown(word, known(chat).values())


def hint(chat: Chat, draft: str) -> str:
    """What may come next in a draft that is a command, for show beside it; "" if nothing is known.

    It is quick, and what it gives is not yet safe to show.
    """
    word, blank, argument = draft.partition(" ")
    if not draft.startswith("/") or draft.startswith("//") or "\n" in draft:
        return ""
    try:
        exact = _exact(word, COMMANDS) or _exact(word, chat.plugin_commands)
        command = exact if exact is not None or not blank else resolve(chat, word)
    except UsageError:
        return ""
    if command is None:
        return ""
    typed = argument.lstrip()
    explained = command.explain(chat, typed) if typed and command.explain is not None else ""
    return explained if typed else command.hint


def is_wait(line: str) -> bool:
    """Is this line /wait, the one command that is for the reply that is coming in?"""
    word, _, argument = line.strip().partition(" ")
    begun = [name for name in COMMANDS if word != "/" and name.startswith(word)]
    return begun == ["/wait"] and not argument


def _exact(word: str, commands: Mapping[str, SlashCommand]) -> SlashCommand | None:
    if word in commands:
        return commands[word]
    return next((each for each in commands.values() if word in each.aliases), None)


def _ambiguous(word: str, commands: Iterable[SlashCommand]) -> UsageError:
    *names, last = (command.name for command in commands)
    return UsageError(
        f"{word} may be {', '.join(names)} or {last}", advice="Type one letter more, or Tab"
    )


def _unknown(word: str, commands: Iterable[SlashCommand]) -> UsageError:
    names = [each.name.removeprefix("/") for each in commands]
    close = get_close_matches(word[1:], names, n=2, cutoff=0.6)
    hint = f"Did you mean /{' or /'.join(close)}?" if close else "/help lists them all."
    return UsageError(
        f"unknown command {one_line(without_secret(word), TYPED)}",
        advice=f"{hint} To send a text that starts with a slash, begin it with //",
    )
