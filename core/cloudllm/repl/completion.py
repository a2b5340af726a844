"""Completion of slash commands and their arguments, on a draft that is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from cloudllm.repl.render.sanitize import clean

Offer = tuple[str, str]
"""A text to insert and what it means."""


class CommandCompleter(Completer):
    """Completes the first word from `commands()`, the rest from `arguments(command)`.

    Both are called at each key, so they must be quick.
    """

    def __init__(
        self,
        commands: Callable[[], Iterable[Offer]],
        arguments: Callable[[str], Iterable[str]],
    ) -> None:
        self._commands = commands
        self._arguments = arguments

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002 - prompt_toolkit's signature
    ) -> Iterable[Completion]:
        """What could stand here; nothing in a text for the model."""
        text = document.text_before_cursor
        if not text.startswith("/") or text.startswith("//") or "\n" in document.text:
            return
        command, blank, argument = text.partition(" ")
        offers = ((value, "") for value in self._arguments(command)) if blank else self._commands()
        typed = argument.lstrip() if blank else command
        for value, meaning in offers:
            if value.startswith(typed):
                yield Completion(
                    value,
                    -len(typed),
                    display=clean(value, one_line=True),
                    display_meta=clean(meaning, one_line=True),
                )
