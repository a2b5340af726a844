"""The slash commands of plugins: collected, checked, and run beside the chat, which they can't stop."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Iterable, Mapping
from itertools import islice

from cloudllm.command import Command
from cloudllm.errors import CloudLLMError, PluginError
from cloudllm.hooks import ask_plugin
from cloudllm.listeners import words_of
from cloudllm.offering import offered
from cloudllm.plugins import Plugin, Plugins
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.base import SlashCommand
from cloudllm.repl.commands.context import ChatContext
from cloudllm.threads import in_thread
from cloudllm.words import kind_of, one_line

HOOK = "cloudllm_commands"

_NAME = re.compile(r"/[a-z0-9][a-z0-9_-]{0,29}")
_MOST_VALUES = 1_000
_LONGEST = 120  # characters of a summary, or of how an argument is shown
_COMPLETION_DEADLINE = 1.0  # seconds; a menu that comes later helps nobody


def collect(plugins: Plugins, own: Mapping[str, SlashCommand]) -> dict[str, SlashCommand]:
    """Ask the loaded plugins for their commands; it blocks.

    `own` are the chat's, whose names and aliases are taken. What is wrong with a command is told in
    one line, and leaves out that command alone.
    """
    offers: dict[str, list[_PluginCommand]] = {}
    for plugin, command in offered(plugins, HOOK, "commands", _checked):
        offers.setdefault(command.name, []).append(_PluginCommand(plugins, plugin, command))
    taken = {alias: command.name for command in own.values() for alias in command.aliases}
    chosen = {}
    for name, rivals in offers.items():
        if name in own:
            _leave_out(rivals, f"{name} is a command of the chat itself, so it is left out")
        elif name in taken:
            _leave_out(rivals, f"{name} is short for {taken[name]}, so it is left out")
        elif len(rivals) > 1:
            named = " and ".join(dict.fromkeys(str(rival.plugin) for rival in rivals))
            _leave_out(rivals[:1], f"{name} is offered more than once, by {named}, so none has it")
        else:
            chosen[name] = rivals[0].as_slash_command()
    return chosen


def _checked(command: object) -> Command | str:
    """The command, plain and fit to show, or what is wrong with it."""
    if not isinstance(command, Command):
        return f"{kind_of(command)} is no Command"
    name, summary, argument = command.name, command.summary, command.argument
    run, complete = command.run, command.complete
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        shown = one_line(repr(name), _LONGEST)
        return f"the name {shown} is no slash followed by lower-case letters, digits, - or _"
    if not isinstance(summary, str) or not isinstance(argument, str):
        return f"the summary and the argument of {name} must be text"
    if not callable(run) or not (complete is None or callable(complete)):
        return f"what runs or completes {name} can't be called"
    summary, argument = one_line(summary, _LONGEST), one_line(argument, _LONGEST)
    return Command(name=name, summary=summary, run=run, argument=argument, complete=complete)


class _PluginCommand:
    """One command of a plugin, and whether its completion has failed."""

    def __init__(self, plugins: Plugins, plugin: Plugin, command: Command) -> None:
        self.plugin = plugin
        self.plugins = plugins
        self._command = command
        self._broken = False

    def as_slash_command(self) -> SlashCommand:
        """The command as those of the chat are."""
        command = self._command
        return SlashCommand(
            command.name,
            command.summary,
            self._run,
            argument=command.argument,
            complete=self._complete if command.complete is not None else None,
        )

    async def _run(self, chat: Chat, argument: str) -> None:
        """Run it in a thread; cancelling ends the wait, and whatever it sends."""
        name, run = self._command.name, self._command.run
        context = ChatContext(chat, asyncio.get_running_loop(), name)

        def work() -> object:
            result: object = run(context, argument)
            return asyncio.run(_awaited(result)) if inspect.isawaitable(result) else result

        def perform() -> str | None:
            result = context.perform(work)
            if not isinstance(result, str | None):
                raise PluginError(f"plugin {self.plugin}: {name} gave {kind_of(result)}, no text")
            return result

        await chat.settle(self.plugin)
        try:
            result = await in_thread(
                lambda: ask_plugin(self.plugins, self.plugin, name, perform, deadline=None)
            )
        except asyncio.CancelledError:
            await context.stop()
            raise
        finally:
            await context.end()
        if result is not None:
            chat.screen.output(result)

    async def _complete(self, _chat: Chat, _typed: str) -> Iterable[str]:
        """Ask for the values anew; the first thing that goes wrong is told, and ends it."""
        complete = self._command.complete
        if complete is None or self._broken:
            return ()
        what = f"completion of {self._command.name}"

        def call() -> tuple[str, ...]:
            values: object = complete()
            if not isinstance(values, Iterable) or isinstance(values, str):
                raise PluginError(f"{what} gave {kind_of(values)}, no list of values")
            found = tuple(islice(values, _MOST_VALUES))
            if not all(isinstance(value, str) and value.isprintable() for value in found):
                raise PluginError(f"{what} gave a value that can't be typed")
            return found

        def ask() -> tuple[str, ...]:
            return ask_plugin(self.plugins, self.plugin, what, call, deadline=_COMPLETION_DEADLINE)

        try:
            return await in_thread(ask)
        except CloudLLMError as error:
            if not self._broken:
                self._broken = True
                self.plugins.notify(self.plugin, f"{words_of(self.plugin, error)}. It is off now.")
            return ()


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def _leave_out(commands: Iterable[_PluginCommand], why: str) -> None:
    for command in commands:
        command.plugins.notify(command.plugin, f"{why}.")
