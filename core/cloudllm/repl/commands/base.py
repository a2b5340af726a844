"""What a slash command is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat
from cloudllm.words import quoted

Value = str | tuple[str, str]
"""A text for a whole argument, alone or with a few words on what it means."""

TYPED = 60
"""Characters of what a person typed that an error repeats."""

Complete = Callable[[Chat, str], Awaitable[Iterable[Value]]]
"""Gives what could stand where this is typed of an argument; the typing goes on meanwhile."""


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command of the chat.

    `aliases` are single words, with their slash, that mean the same; `example` is a whole line, if
    one says more than `argument` does; `explain` says what is expected where this is typed of the
    argument, and is quick.
    """

    name: str
    summary: str
    run: Callable[[Chat, str], Awaitable[None]]
    argument: str = ""
    complete: Complete | None = None
    aliases: tuple[str, ...] = ()
    example: str = ""
    explain: Callable[[Chat, str], str] | None = None

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"{self.name} {self.argument}".rstrip()

    @property
    def hint(self) -> str:
        """What may follow its name, and what it does."""
        return f"{self.argument}  {self.summary}".lstrip()


def no_argument(name: str, argument: str) -> None:
    """Refuse an argument that would be ignored."""
    if argument:
        raise UsageError(f"{name} takes no argument", advice=f"Type {name} alone")


def turn_number(name: str, argument: str) -> int | None:
    """The number that stands for a turn; `None` if there is no argument.

    Raises:
        UsageError: it is no number.
    """
    if not argument:
        return None
    if not (argument.isascii() and argument.isdigit()):
        raise UsageError(
            f"{name} takes the number of a turn, not {quoted(argument, TYPED)}",
            advice="/history numbers them",
        )
    return int(argument[:9])
