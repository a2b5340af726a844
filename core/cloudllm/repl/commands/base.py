"""What a slash command is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from cloudllm.errors import UsageError
from cloudllm.repl.chat import Chat


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command of the chat.

    `complete` offers values for its argument and is quick; `fetch`, awaited before it and beside
    the typing, may bring them up to date for what is typed of the argument.
    """

    name: str
    summary: str
    run: Callable[[Chat, str], Awaitable[None]]
    argument: str = ""
    complete: Callable[[Chat], Iterable[str]] | None = None
    fetch: Callable[[Chat, str], Awaitable[None]] | None = None

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"{self.name} {self.argument}".rstrip()


def no_argument(name: str, argument: str) -> None:
    """Refuse an argument that would be ignored."""
    if argument:
        raise UsageError(f"{name} takes no argument", advice=f"Type {name} alone")
