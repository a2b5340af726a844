"""Completion: of slash commands and their arguments, and of files named by an `@` in any text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from cloudllm.errors import CloudLLMError
from cloudllm.repl.render.sanitize import clean

if TYPE_CHECKING:  # a command or an @ comes after the first prompt
    from cloudllm.repl.chat import Chat
    from cloudllm.repl.commands.base import Value
    from cloudllm.repl.filenames import FileNames

_MOST = 100  # offers; the menu measures all of them
_LONGEST = 200  # characters of one that are shown
_PATIENCE = 5.0  # seconds to wait for the settings, at the start


class ChatCompleter(Completer):
    """Completes what is typed for `chat`; it waits for nothing but in the background."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._files: FileNames | None = None

    async def get_completions_async(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - prompt_toolkit's signature
    ) -> AsyncGenerator[Completion, None]:
        """What could stand here, once that is known; the best first."""
        found: Iterable[Completion] = ()
        if is_command(document):
            found = await self._of_command(document.text_before_cursor)
        for completion in found or await self._of_mention(document):
            yield completion

    def get_completions(
        self,
        document: Document,  # noqa: ARG002 - prompt_toolkit's signature
        complete_event: CompleteEvent,  # noqa: ARG002
    ) -> Iterable[Completion]:
        """Nothing: the editor asks for the asynchronous ones."""
        return ()

    async def _of_command(self, line: str) -> list[Completion]:
        word, blank, argument = line.partition(" ")
        return await self._arguments(word, argument.lstrip()) if blank else self._names(word)

    def _names(self, word: str) -> list[Completion]:
        from cloudllm.repl.commands import known  # noqa: PLC0415 - after the first prompt
        from cloudllm.repl.fuzzy import best  # noqa: PLC0415 - see above

        typed = word.removeprefix("/")
        pairs = [
            (name.removeprefix("/"), command)
            for command in known(self._chat).values()
            for name in (command.name, *command.aliases)
        ]
        fitting = best(typed, pairs, lambda pair: pair[0])
        if not typed:
            fitting = [pair for pair in fitting if pair[1].name.endswith(pair[0])]
        commands = dict.fromkeys(command for _, command in fitting)
        return [
            _completion(
                f"{each.name} " if each.argument else each.name, word, each.summary, each.name
            )
            for each in commands
        ]

    async def _arguments(self, word: str, typed: str) -> list[Completion]:
        from cloudllm.repl.commands import resolve  # noqa: PLC0415 - after the first prompt

        try:
            complete = resolve(self._chat, word).complete
            if complete is None:
                return []
            async with asyncio.timeout(_PATIENCE):
                await self._chat.ready.wait()
            return fitting(await complete(self._chat, typed), typed)
        except (CloudLLMError, TimeoutError):  # no such command; or the settings cannot be read
            return []

    async def _of_mention(self, document: Document) -> list[Completion]:
        from cloudllm.repl import filenames  # noqa: PLC0415 - after the first prompt

        typed = filenames.mention(document.current_line_before_cursor)
        if typed is None:
            return []
        self._files = self._files or filenames.FileNames()
        names = await self._files.below(filenames.unquoted(typed))
        return [_completion(filenames.quoted(name), typed, shown=name) for name in names]


def is_command(document: Document) -> bool:
    """Is this draft a command?"""
    text = document.text_before_cursor
    return text.startswith("/") and not text.startswith("//") and "\n" not in document.text


def completes(document: Document) -> bool:
    """Is there something to complete while this is typed? It is asked at each key."""
    if is_command(document):
        return True
    line = document.current_line_before_cursor
    if "@" not in line:
        return False
    from cloudllm.repl.filenames import mention  # noqa: PLC0415 - after the first prompt

    return mention(line) is not None


def fitting(values: Iterable[Value], typed: str) -> list[Completion]:
    """What of these whole arguments goes on from what is typed, the best first.

    Only the last word is shown and inserted. One that begins with what is typed is offered part by
    part, up to its next slash.
    """
    from cloudllm.repl.fuzzy import best  # noqa: PLC0415 - after the first prompt

    head = typed[: typed.rfind(" ") + 1]
    last = typed[len(head) :]
    pairs = [each if isinstance(each, tuple) else (each, "") for each in values]
    heads = [(value[len(head) :], meaning) for value, meaning in pairs if value.startswith(head)]
    offered: dict[str, str] = {}
    for value, meaning in best(last, heads, lambda pair: pair[0]):
        if value != last:
            offered.setdefault(_next_part(value, last), meaning)
    return [_completion(value, last, meaning) for value, meaning in [*offered.items()][:_MOST]]


def _next_part(value: str, typed: str) -> str:
    """The value up to the slash that follows what is typed, if it begins so."""
    slash = value.find("/", max(1, len(typed))) if value.startswith(typed) else -1
    return value if slash < 0 else value[: slash + 1]


def _completion(value: str, typed: str, meaning: str = "", shown: str = "") -> Completion:
    return Completion(
        value,
        -len(typed),
        display=clean(shown or value, one_line=True, limit=_LONGEST),
        display_meta=clean(meaning, one_line=True, limit=60),
    )
