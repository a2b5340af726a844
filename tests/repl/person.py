"""A screen with someone before it who has answers ready, and what a command says to them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from cloudllm.cli.compose import Options
from cloudllm.events import Event
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import run
from tests.repl.screens import FakeScreen


class Person(FakeScreen):
    """Somebody who has these answers ready; `said` is all that was said to them."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self.answers = list(answers)
        self.said: list[str] = []
        self.secrets: list[bool] = []

    async def ask(self, question: str, *, secret: bool = False) -> str:
        self.said.append(question)
        self.secrets.append(secret)
        return self.answers.pop(0)

    def offer(self, choices: Mapping[str, str], secrets: Mapping[str, str]) -> bool:
        self.said += choices.values()
        return True

    def event(self, event: Event) -> None:
        raise AssertionError("nothing is sent")

    def output(self, text: str) -> None:
        self.said += text.split("\n")

    def notice(self, text: str) -> None:
        self.said.append(text)

    def put_back(self, text: str) -> None:
        raise AssertionError("nothing was taken")

    def edit(self, text: str) -> None:
        raise AssertionError("nothing was taken")

    def clipboard(self, text: str) -> bool:
        raise AssertionError("nothing is copied")


def after(line: str, *answers: str) -> tuple[Chat, Person]:
    """A chat after a command, and what was said in it."""

    async def hold() -> tuple[Chat, Person]:
        person = Person(*answers)
        chat = Chat(Options(plugins=False).compose, {}, person)
        await chat.start()
        await run(chat, line)
        return chat, person

    return asyncio.run(hold())


def files(home: Path) -> dict[str, str]:
    found = (each for each in home.rglob("*.toml"))
    return {each.name: each.read_text() for each in found}
