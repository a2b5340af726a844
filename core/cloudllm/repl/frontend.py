"""What a chat asks of its front end, be it a terminal, a pipe or a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # they take a while, and the first prompt comes before them
    from cloudllm.events import Event
    from cloudllm.messages import Message
    from cloudllm.repl.choices import Choice, Peek


class Screen(Protocol):
    """What a front end shows; each method takes foreign text and makes it safe itself."""

    has_editor: bool
    """Is what is typed edited here, by keys of our own, or read line by line?"""

    @property
    def columns(self) -> int | None:
        """How many cells a row of a list may have; `None` is any number."""

    def event(self, event: Event) -> None:
        """Show what a turn emitted."""

    def output(self, text: str) -> None:
        """Show what a command answers; may be several lines."""

    def notice(self, text: str) -> None:
        """Show one line aside."""

    async def ask(self, question: str, *, secret: bool = False) -> str:
        """Ask the person, and wait for one line; what is `secret` is neither shown nor kept.

        Raises:
            UsageError: nobody is there who could answer.
        """

    async def choose(self, what: str, choices: Sequence[Choice], peek: Peek) -> int | None:
        """Let the person choose one of these: its index, or `None` if they want none.

        Raises:
            UsageError: nobody is there who could choose, or the answer is none of them.
        """

    def recall(self, turn: Sequence[Message]) -> None:
        """Show a turn of a conversation that is taken up again: its ends, if it is long."""

    def offer(self, choices: Mapping[str, str], secrets: Mapping[str, str]) -> bool:
        """Let each of these texts, typed alone, run its command; could it? "" stands for none.

        What begins as one of `secrets` is not shown, and answers what its command asks.
        """

    def put_back(self, text: str) -> None:
        """Give the person's text back for editing, ahead of what they have typed since."""

    def edit(self, text: str) -> None:
        """Put a message into the editor, for which the person has asked; or else show it."""

    def clipboard(self, text: str) -> bool:
        """Give exactly this text to the terminal for its clipboard; `False` if that can't be."""
