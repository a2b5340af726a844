"""docs/tutorial.md and docs/backend.md do what they say: every block is executed, in order.

A block's mark, an HTML comment on the line before its fence, says how:

run          commands after `$ `, each followed by what it prints; `...` stands for anything. They run
             in one shell, so that folders, variables and what is in the background carry over. A
             command that ends in `&` is waited for until the file it writes to has a line.
file PATH    the block is written into PATH.
append PATH  the block is added to PATH.

pip sees no index: what the pages install is there already, or built on the spot.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cloudllm import Message, ReasoningDelta, Request, Role, StreamEnded, TextDelta
from tests.docs.test_readme import matches, steps_of

_ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<kind>run|file|append) ?(?P<path>\S*) -->\n)?"
    r"^```\w*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_PAGES = ("tutorial.md", "backend.md")


@dataclass(frozen=True)
class Block:
    """A fenced block: how it is executed, on which file, its text, and its line in the page."""

    kind: str | None
    path: str
    text: str
    line: int


class Shell:
    """A shell with a state, in a folder that holds a checkout of cloudllm."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "cloudllm").symlink_to(_ROOT)
        self._port = str(_free_port())
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=os.environ
            | {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_NO_INDEX": "1",
                "PIP_NO_DEPS": "1",
                "PIP_NO_BUILD_ISOLATION": "0",  # pip takes it for the option's opposite
                "PYTEST_ADDOPTS": "-p no:asyncio",  # the reader has none
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, block: Block) -> None:
        """Do what the block says, and compare what is printed."""
        text = block.text.replace("8765", self._port)
        file = self.folder / block.path
        if block.kind == "file":
            file.write_text(text)
        elif block.kind == "append":
            file.write_text(file.read_text() + text)
        else:
            for step in steps_of(text):
                printed = self.run(step.command)
                assert matches(step.output, printed), (
                    f"line {block.line}: {step.command}\n{printed}\nis not\n{step.output}"
                )

    def run(self, command: str) -> str:
        """Run one command, with nothing on its standard input; gives what it prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        end = "-- end of the step --"
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n%s\\n' '{end}'\n")
        self._process.stdin.flush()
        lines = list(iter(self._process.stdout.readline, f"{end}\n"))
        assert lines[-1:] != [""], f"the shell ended: {command}"
        if command.endswith("&"):
            self._wait_for_line(self.folder / command.split()[-2])
        self._lend_packages()
        return "".join(lines)

    def close(self) -> None:
        """End the shell and what it left in the background."""
        self._process.communicate("kill $(jobs -p) 2> /dev/null\n")

    def _lend_packages(self) -> None:
        """Let the reader's environment find the packages of ours, as if pip had installed them."""
        for folder in self.folder.glob(".venv/lib/python*/site-packages"):
            (folder / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    @staticmethod
    def _wait_for_line(file: Path) -> None:
        end = time.monotonic() + 20
        while not (file.exists() and "\n" in file.read_text()):
            assert time.monotonic() < end, f"nothing is written to {file}"
            time.sleep(0.05)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """The reader's shell."""
    folder = tmp_path / "reader"
    folder.mkdir()
    shell = Shell(folder)
    yield shell
    shell.close()


def blocks_of(page: str) -> list[Block]:
    """Every fenced block of the page."""
    text = (_ROOT / "docs" / page).read_text(encoding="utf-8")
    return [
        Block(found["kind"], found["path"] or "", found["text"], text.count("\n", 0, found.start()))
        for found in _BLOCK.finditer(text)
    ]


@pytest.mark.parametrize("page", _PAGES)
def test_every_block_is_executed(page: str) -> None:
    blocks = blocks_of(page)
    text = (_ROOT / "docs" / page).read_text(encoding="utf-8")
    assert 2 * len(blocks) == len(re.findall(r"^```", text, re.MULTILINE))
    assert [block.line for block in blocks if block.kind is None] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_tutorial_works(shell: Shell) -> None:
    for block in blocks_of("tutorial.md"):
        shell.execute(block)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_backend_works(shell: Shell) -> None:
    for block in [blocks_of("tutorial.md")[0], *blocks_of("backend.md")]:
        shell.execute(block)


async def test_the_backend_reasons_answers_and_counts(tmp_path: Path) -> None:
    events = [event async for event in _eliza(tmp_path).InThread().stream(_request("I need rest."))]
    reasoning, *words, ended = events
    assert reasoning == ReasoningDelta("Rule 1 fits.")
    assert "".join(word.text for word in words) == "Why do you need rest?"
    assert isinstance(ended, StreamEnded)
    assert ended.usage is not None
    assert (ended.finish_reason, ended.usage.output_tokens) == ("stop", 5)


async def test_the_backend_stops_thinking_when_it_is_cancelled(tmp_path: Path) -> None:
    eliza = _eliza(tmp_path)
    async with aclosing(eliza.InThread().stream(_request(f"I need {'more ' * 5000}"))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    for thread in [each for each in threading.enumerate() if each.name == "eliza"]:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


async def test_the_backend_passes_on_what_the_model_raises(tmp_path: Path) -> None:
    backend = _eliza(tmp_path).InThread()
    with pytest.raises(IndexError):
        [event async for event in backend.stream(Request(messages=()))]


def _eliza(folder: Path) -> Any:
    (source, _) = (block.text for block in blocks_of("backend.md") if block.kind == "file")
    file = folder / "eliza.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location("eliza", file)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _request(text: str) -> Request:
    return Request(messages=(Message(Role.USER, text),))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
