"""A screen for tests, which remembers what it is to show, and a chat that has it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudllm.cli.compose import Options
from cloudllm.errors import UsageError
from cloudllm.events import Event, TextDelta
from cloudllm.messages import Message
from cloudllm.repl.chat import Chat
from cloudllm.repl.choices import Choice, Peek
from cloudllm.repl.commands import submit
from cloudllm.repl.opening import Opening
from cloudllm.repl.sentinel import Command, UserText


@dataclass
class FakeScreen:
    """What a front end was told.

    `copies` says whether it has a terminal's clipboard, `choice` what the person takes of choices.
    """

    events: list[Event] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    editor: str = ""
    copied: str | None = None
    copies: bool = True
    has_editor: bool = True
    columns: int | None = None
    choice: int | None = None
    choices: Sequence[Choice] = ()
    recalled: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, TextDelta):
            self.begun.set()

    def output(self, text: str) -> None:
        self.shown.append(text)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    async def ask(self, question: str, *, secret: bool = False) -> str:
        raise UsageError(f"nobody is here: {question} ({secret})")

    async def choose(self, what: str, choices: Sequence[Choice], peek: Peek) -> int | None:
        self.choices = choices
        return self.choice

    def recall(self, turn: Sequence[Message]) -> None:
        self.recalled = [message.content for message in turn]

    def offer(self, choices: Mapping[str, str], secrets: Mapping[str, str]) -> bool:
        return bool(choices) and False

    def put_back(self, text: str) -> None:
        self.editor = text

    def edit(self, text: str) -> None:
        self.editor = text

    def clipboard(self, text: str) -> bool:
        self.copied = text if self.copies else None
        return self.copies

    @property
    def text(self) -> str:
        """What came of the replies."""
        return "".join(each.text for each in self.events if isinstance(each, TextDelta))


class Talk:
    """A chat in this process with the provider echo, and its screen."""

    def __init__(self, *opening: Opening, **flags: object) -> None:
        self.screen = FakeScreen()
        flags = {"model": "echo/echo", **flags}
        self.chat = Chat(Options().compose, flags, self.screen, *opening)
        self._started = False

    async def start(self) -> None:
        """Read the settings, once."""
        if not self._started:
            self._started = True
            await self.chat.start()

    async def say(self, *lines: str) -> str:
        """Send texts and run commands; gives what the last one showed: an answer, or notices."""
        await self.start()
        for line in lines:
            self.screen.shown.clear()
            self.screen.notices.clear()
            means = Command(line) if line.startswith("/") else UserText(line)
            await submit(self.chat, means, asks=True)
        return "\n".join(self.screen.shown or self.screen.notices)
