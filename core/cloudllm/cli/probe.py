"""Loads one plugin in a process of its own and tells what it offers, whatever becomes of it.

`python -m cloudllm.cli.probe ORDER` is the child; ORDER is an `Order` as JSON. The plugin's story
and the answer are files in a folder that the parent made, so nothing that is printed gets there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from cloudllm.command import Command
from cloudllm.errors import CloudLLMError
from cloudllm.plugins import COMMANDS, PROVIDERS, SESSIONS, Plugin, Plugins, Story
from cloudllm.words import redact_all, secrets_in

_STEPS = 6  # guarded steps that each may take a whole deadline
_STARTING = 10.0  # seconds for the interpreter and our own imports
_MOST_READ, _LONGEST_OUTPUT = 1_000_000, 4_000  # bytes of what it printed, characters kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which plugin to load, by its key, under which of the settings `plugins.*`."""

    key: str
    allow: Collection[str] | None
    deny: Collection[str]
    enabled: bool
    deadline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it.

    `api` is the version that the plugin declares. `offers` are lines of text. `ending` says how the
    child ended, if not as it should; `output` is what the plugin printed.
    """

    story: Story = field(default_factory=Story)
    api: object = None
    offers: tuple[str, ...] = ()
    ending: str = ""
    output: str = ""


def probe(plugin: Plugin, order: Order) -> Found:
    """Load the plugin in a child process and say what came of it; never raises for the plugin."""
    with tempfile.TemporaryDirectory(prefix="cloudllm-") as name:
        folder = Path(name)
        ending, output = _run(order, folder)
        answer: Mapping[str, Any] = {}
        with suppress(OSError, ValueError):
            answer = json.loads((folder / "answer.json").read_text())
        return Found(
            story=Plugins(state_file=folder / "state.json").story(plugin),
            api=answer.get("api"),
            offers=tuple(answer.get("offers", ())),
            ending=ending if not answer else "",
            output=redact_all(output, secrets_in())[:_LONGEST_OUTPUT],
        )


def _run(order: Order, folder: Path) -> tuple[str, str]:
    """Run the child in `folder`; how it ended, and what it printed."""
    command = [sys.executable, "-P", "-m", __name__, json.dumps(asdict(order)), str(folder)]
    seconds = None if order.deadline is None else _STARTING + _STEPS * order.deadline
    with (folder / "output").open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            code = child.wait(seconds)
            ending = _ending(code)
        except subprocess.TimeoutExpired:
            ending = f"it did not end within {seconds:.0f} s, so its process was killed"
        finally:
            _kill(child)
    with (folder / "output").open("rb") as printed:
        return ending, printed.read(_MOST_READ).decode(errors="replace")


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and all that it has started and left behind."""
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _ending(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"it ended its process by {signal.Signals(-code).name}"
    return f"it ended its process with exit code {code}"


def main(order: Order, folder: Path) -> None:
    """The child: load the plugin, leave the story and the answer in `folder`."""
    plugins = Plugins(
        allow=order.allow,
        deny=order.deny,
        enabled=order.enabled,
        deadline=order.deadline,
        state_file=folder / "state.json",
    )
    plugin = next(each for each in plugins.installed if each.key == order.key)
    offers: list[str] = []
    with suppress(CloudLLMError):  # it is in the story
        offers += _OFFERS[plugin.group](plugins, plugin)
    plugins.close()
    answer = {"api": _version(plugin), "offers": offers}
    (folder / "answer.json").write_text(json.dumps(answer, default=str))


def _version(plugin: Plugin) -> object:
    """The API version that its module declares, if it could be imported."""
    return getattr(sys.modules.get(plugin.module), "cloudllm_api", None)


def _provider(plugins: Plugins, plugin: Plugin) -> Iterator[str]:
    provider = plugins.provider(plugin.name)
    yield f"provider {provider.name} ({provider.label})"
    if provider.default_model:
        yield f"default model {provider.default_model}"
    if provider.api_base:
        yield f"at {provider.api_base}"
    if provider.key_env:
        yield f"key from {' or '.join(provider.key_env)}"
    for gap in provider.known_gaps:
        yield f"known gap since {gap.since}: {gap.item}: {gap.reason}"


def _session(plugins: Plugins, plugin: Plugin) -> Iterator[str]:
    plugins.load_sessions(only=plugin.name)
    for found, implementation in plugins.implementations("cloudllm_commands"):
        if found.key == plugin.key:
            yield from plugins.guard(
                plugin, "cloudllm_commands", partial(_commands, implementation)
            )


def _commands(implementation: Callable[[], object]) -> list[str]:
    """What `cloudllm_commands` gives, a line each; raises `TypeError` for what is no command."""
    offered = implementation()
    lines = []
    for command in offered if isinstance(offered, Iterable) else [offered]:
        if not isinstance(command, Command):
            raise TypeError(f"it gave {type(command).__name__}, no Command")
        lines.append(f"{command.name} {command.argument}".rstrip() + f": {command.summary}")
    return lines


def _command(plugins: Plugins, plugin: Plugin) -> Iterator[str]:
    command = plugins.command(plugin.name)
    if isinstance(command, click.Command):
        yield f"cloudllm {plugin.name}: {command.get_short_help_str(60)}"
    else:
        yield f"no click command but {type(command).__name__}: it can't be run"


_OFFERS = {PROVIDERS: _provider, SESSIONS: _session, COMMANDS: _command}


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])), Path(sys.argv[2]))
    os._exit(0)  # whatever threads the plugin has left behind
