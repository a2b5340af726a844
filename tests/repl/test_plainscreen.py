"""The plain chat line by line: nothing is glued together, and no line that was typed is waited for."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm import streams
from cloudllm.cli.compose import Options
from cloudllm.events import ReasoningDelta, RequestSent, Stalled, TextDelta
from cloudllm.messages import Message, Role
from cloudllm.repl.chat import Chat
from cloudllm.repl.plain import PlainChat
from cloudllm.repl.plainscreen import PlainScreen
from tests.repl.conftest import Terminal


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


def test_G14_who_sees_no_standard_error_gets_no_sign(capsys: pytest.CaptureFixture[str]) -> None:
    screen = PlainScreen(talkative=True, asks=True)
    screen.await_line()
    screen.key_echoed()
    screen.notice("aside")
    screen.line_came(whole=False)
    assert capsys.readouterr() == ("", "aside\n")


def test_G14_what_is_said_meanwhile_stands_apart_and_the_sign_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(said, "isatty", lambda: True)
    monkeypatch.setattr(streams, "err", lambda: said)
    screen = PlainScreen(talkative=True, asks=True)
    for _ in range(2):
        screen.await_line()
    screen.notice("aside")
    screen.line_came(whole=True)
    screen.notice("later")
    screen.line_came(whole=False)
    assert said.getvalue() == "> \naside\n> later\n"


@pytest.mark.slow
def test_G14_a_person_sees_once_that_it_is_their_turn(terminal: Callable[..., Terminal]) -> None:
    t = terminal("--plain", "--no-plugins", "-m", "echo/echo")
    t.wait(r"^>")
    t.send("one\n")
    t.settle()
    t.send("two\n\\end\n")  # the message goes on: no other sign
    t.wait(r"\d s\n>")
    t.send("ahead\n\\end\n/pin\n\n")
    t.wait(r"always goes out\.\n(>\n)*>$")
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(t.process.pid, number)
    t.wait(r"^> >$")
    t.send("half")
    t.settle()
    t.send("\x03")
    t.wait(r"to leave\.\n>$")
    t.send("\x04")
    assert t.leave() == 0
    signs = [line for line in t.text().split("\n") if line.startswith(">")]
    assert signs[:2] == ["> one", "> ahead"]
    assert [each for each in signs[2:] if each != ">"] == ["> > half^C"]
    assert t.text().count("Press Ctrl-C again") == 1
    assert b"leave.\r\n> \r\n" in t.raw


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
