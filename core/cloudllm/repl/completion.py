"""Completion of slash commands and their arguments, on a draft that is one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from cloudllm.repl.render.sanitize import clean

Offer = tuple[str, str]
"""A text to insert and what it means."""


class CommandCompleter(Completer):
    """Completes the first word from `commands()`, the rest from `arguments(command)`.

    Both are called at each key, so they must be quick. `fetch(command, typed)` is awaited before
    the latter; meanwhile the person types on. A value with slashes is completed part by part.
    """

    def __init__(
        self,
        commands: Callable[[], Iterable[Offer]],
        arguments: Callable[[str], Iterable[str]],
        fetch: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._commands = commands
        self._arguments = arguments
        self._fetch = fetch

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """What could stand here, once that is known."""
        command, blank, argument = document.text_before_cursor.partition(" ")
        if blank and _is_command(document):
            await self._fetch(command, argument.lstrip())
        for completion in self.get_completions(document, complete_event):
            yield completion

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - prompt_toolkit's signature
    ) -> Iterable[Completion]:
        """What could stand here; nothing in a text for the model."""
        if not _is_command(document):
            return
        command, blank, argument = document.text_before_cursor.partition(" ")
        offers = ((value, "") for value in self._arguments(command)) if blank else self._commands()
        typed = argument.lstrip() if blank else command
        fitting = (offer for offer in offers if _adds(offer[0], typed, whole=not blank))
        parts = {_next_part(value, typed): meaning for value, meaning in fitting}
        for value, meaning in parts.items():
            yield Completion(
                value,
                -len(typed),
                display=clean(value, one_line=True),
                display_meta=clean(meaning, one_line=True),
            )


def _adds(value: str, typed: str, *, whole: bool) -> bool:
    """Does it go on where `typed` ends? If it is a `whole` one, it may be just that."""
    return value.startswith(typed) and (whole or value != typed)


def _next_part(value: str, typed: str) -> str:
    """The value up to the slash that follows what is typed."""
    slash = value.find("/", max(1, len(typed)))
    return value if slash < 0 else value[: slash + 1]


def _is_command(document: Document) -> bool:
    text = document.text_before_cursor
    return text.startswith("/") and not text.startswith("//") and "\n" not in document.text
