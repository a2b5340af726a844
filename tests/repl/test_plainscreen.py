"""The plain chat line by line: nothing is glued together, and no line that was typed is waited for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudllm.cli.compose import Options
from cloudllm.events import ReasoningDelta, RequestSent, Stalled, TextDelta
from cloudllm.messages import Message, Role
from cloudllm.repl.chat import Chat
from cloudllm.repl.plain import PlainChat
from cloudllm.repl.plainscreen import PlainScreen


async def test_G14_a_notice_never_stands_behind_a_thought(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = PlainScreen(talkative=True, asks=True)
    screen.reasoning = True
    screen.event(RequestSent("acme/a"))
    screen.event(ReasoningDelta("half a thought"))
    screen.event(Stalled(10.0, None))
    screen.event(ReasoningDelta(", and the rest\n"))
    screen.notice("aside")
    screen.event(TextDelta("so"))
    assert capsys.readouterr().err.splitlines() == [
        "Sending message… acme/a",
        "Thinking:",
        "half a thought",
        "No text for 10 s, Ctrl-C stops",
        ", and the rest",
        "aside",
    ]


class Asking(Chat):
    """Asks back, a while after each message."""

    async def send(self, text: str) -> Message:
        await asyncio.sleep(0.2)
        return Message(Role.ASSISTANT, await self.screen.ask(f"{text}?"))


async def test_a_line_that_is_no_text_is_no_answer_to_wait_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    read, write = os.pipe()
    os.write(write, b"Well\n\\end\n\xff\n")
    os.close(write)

    def make(screen: PlainScreen) -> Chat:
        return Asking(Options().compose, {"model": "echo/echo"}, screen)

    with os.fdopen(read, "rb") as lines:
        chat = PlainChat(make, lines, name="typed", interactive=True)
        assert await asyncio.wait_for(chat.run(), 10) == 0
    assert "Well?\ncloudllm: typed, line 3: byte 0xff is not UTF-8" in capsys.readouterr().err


def test_a_notice_never_cuts_a_line_of_the_reply_in_one_file_for_both(tmp_path: Path) -> None:
    program = """
from cloudllm.events import TextDelta
from cloudllm.repl.plainscreen import PlainScreen
screen = PlainScreen(talkative=False)
screen.event(TextDelta("the reply"))
screen.notice("a notice")
"""
    for name, error in (("one", subprocess.STDOUT), ("two", subprocess.DEVNULL)):
        with (tmp_path / name).open("wb") as file:
            subprocess.run([sys.executable, "-c", program], stdout=file, stderr=error, check=True)
    assert (tmp_path / "one").read_text() == "the reply\na notice\n"
    assert (tmp_path / "two").read_text() == "the reply"
