"""What a plugin writes to add a slash command to the chat."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cloudllm.messages import Message, Usage


class CommandContext(Protocol):
    """The chat, as a plugin's command sees it. Every method may be called from any thread."""

    @property
    def model(self) -> str:
        """The model id that the next message goes to."""

    @property
    def history(self) -> tuple[Message, ...]:
        """Every message so far, the system prompt apart."""

    @property
    def usage(self) -> Usage:
        """Tokens of all replies of this session."""

    def say(self, text: str) -> None:
        """Show text now; may be several lines. What the command returns is shown as well."""

    def send(self, text: str) -> Message:
        """Send a user message, show the reply as it comes, and return it.

        Raises:
            CloudLLMError: no part of a reply came.
        """

    def edit(self, text: str) -> None:
        """Put text into the editor, ahead of what is there; nothing happens where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command of a plugin.

    name       with its slash, lower case: "/speed"
    summary    what it does, for /help: one line, no full stop
    run        gets the chat and what was typed after the name; what it returns is shown. It runs in
               a thread of its own, so it may block; Ctrl-C ends the wait for it.
    argument   how the argument is shown in /help: "[TEXT]"
    complete   values to offer for the argument; called at each key, so it must be quick
    """

    name: str
    summary: str
    run: Callable[[CommandContext, str], str | None]
    argument: str = ""
    complete: Callable[[], Iterable[str]] | None = None
