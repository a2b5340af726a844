"""Completion of arguments: models by provider, and values part by part."""

from __future__ import annotations

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from cloudllm.cli.compose import Options
from cloudllm.events import Event
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands.model import COMMANDS
from cloudllm.repl.completion import CommandCompleter

VALUES = ["fast", "openai/", "together/", "openai/gpt-6-luna", "together/openai/a", "/srv/x"]


class Silent:
    def event(self, event: Event) -> None: ...
    def output(self, text: str) -> None: ...
    def notice(self, text: str) -> None: ...
    def put_back(self, text: str) -> None: ...


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["fast", "openai/", "together/", "/srv/"]),
        ("op", ["openai/"]),
        ("openai", ["openai/"]),
        ("openai/", ["openai/gpt-6-luna"]),
        ("openai/g", ["openai/gpt-6-luna"]),
        ("together/", ["together/openai/"]),
        ("together/openai/", ["together/openai/a"]),
        ("/s", ["/srv/"]),
        ("x", []),
    ],
)
async def test_a_value_with_slashes_is_completed_part_by_part(
    typed: str, offered: list[str]
) -> None:
    asked: list[tuple[str, str]] = []

    async def fetch(name: str, argument: str) -> None:
        asked.append((name, argument))

    completer = CommandCompleter(list, lambda _name: VALUES, fetch)
    text = f"/model {typed}"
    found = completer.get_completions_async(Document(text, len(text)), CompleteEvent())
    assert [each.text async for each in found] == offered
    assert asked == [("/model", typed)]


async def test_models_are_completed_once_their_provider_is_typed() -> None:
    made = Chat(Options().compose, {"aliases.fast": "openai/gpt-6-luna"}, Silent())
    command = COMMANDS[0]
    assert command.complete is not None
    assert command.fetch is not None
    await command.fetch(made, "openai/")  # nothing is known before the start, and nothing fails
    await made.start()
    await command.fetch(made, "open")
    offered = list(command.complete(made))
    assert offered[0] == "fast"
    assert "openai/" in offered
    assert "openai/gpt-6-luna" not in offered
    await command.fetch(made, "openai/g")
    await command.fetch(made, "nobody/")
    offered = list(command.complete(made))
    assert "openai/gpt-6-luna" in offered
    assert "openai/gpt-4.1-nano" not in offered
