"""A chat that can be read aloud: plain mode to the letter, and nothing said by colour alone.

`WRITE_SNAPSHOTS=1` writes the transcripts anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer
from tests.repl.conftest import Terminal, launch

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
SNAPSHOTS = Path(__file__).with_name("snapshots")
SEND = "\r\\end\r"


def say(t: Terminal, text: str) -> None:
    t.send(f"{text}\n\\end\n")


def reply(t: Terminal, server: WireServer) -> None:
    server.replies(Reply(text="# A reply\n\nwith *Markdown*, 日本語 and\n\n- a list"))
    say(t, "What is\nthis?")
    t.wait("12 tokens")


def retry(t: Terminal, server: WireServer) -> None:
    server.replies(Reply.error(503, "busy", headers={"retry-after": "0.1"}), Reply(text="Here."))
    say(t, "Are you there?")
    t.wait("2 attempts")


def error(t: Terminal, server: WireServer) -> None:
    server.replies(Reply.error(400, "out of order"))
    say(t, "Are you there?")
    t.wait(r"out of order\n>")
    say(t, "/model opnai/x")
    t.wait("Did you mean")


def stop(t: Terminal, server: WireServer) -> None:
    server.replies(Reply(text=["half ", "more"], stall_after=1))
    say(t, "Go on")
    t.wait("half")
    t.send("\x03")
    t.wait("Stopped.*")
    t.wait("tokens|/retry")


def commands(t: Terminal, server: WireServer) -> None:
    t.send("/help\n")
    t.wait("/why")


def thinking(t: Terminal, server: WireServer) -> None:
    server.replies(Reply(reasoning="First this,\nthen that.", text="So be it."))
    say(t, "Why?")
    t.wait("12 tokens")


def queue(t: Terminal, server: WireServer) -> None:
    server.replies(Reply(text=["one ", "two"], delay=1.5), Reply(text="three"))
    say(t, "Count")
    t.wait("one")
    say(t, "and on")
    t.wait("(?s)12 tokens.*three.*12 tokens")


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Terminal, WireServer]]:
    """One plain chat for all scenes, and the provider behind it."""
    with WireServer() as server:
        t = launch(
            ("--plain", "--no-plugins"),
            60,
            200,
            CLOUDLLM_HOME=str(tmp_path_factory.mktemp("home")),
            OPENAI_API_KEY="sk-test",
            OPENAI_BASE_URL=server.url,
        )
        t.wait(r"on a line of its own sends.*\n> ?$")
        yield t, server
        t.send("\x04")
        assert t.leave() == 0
        assert t.raw.endswith(b"\n")
        t.close()


@pytest.mark.parametrize("scene", [reply, retry, error, stop, commands, thinking, queue])
def test_G14_plain_mode_is_as_its_transcript(
    scene: Callable[[Terminal, WireServer], None], quiet: tuple[Terminal, WireServer]
) -> None:
    t, server = quiet
    greeting = t.raw[: t.raw.index(b"\n> ") + 3]
    if len(t.raw) > len(greeting):
        t.send("/clear\n")
        t.wait(r"starts anew.*\n> ?$")
    begin = len(t.raw)
    server.forget()
    t.screen.reset()
    scene(t, server)
    t.settle()
    shown = (greeting + t.raw[begin:]).replace(b"\r\n", b"\n")
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", shown), "it only ever grows, by text"
    path = SNAPSHOTS / f"{scene.__name__}.txt"
    transcript = re.sub(r"\d+\.\d s\b", "N s", shown.decode())
    if os.environ.get("WRITE_SNAPSHOTS"):
        path.write_text(transcript)
    assert transcript == path.read_text()


def _chat(t: Terminal, server: WireServer) -> str:
    """What stands on the screen after one of everything, times left out."""
    server.replies(
        Reply(reasoning="Let me see.", text="A **bold** `code` [link](https://example.com)."),
        Reply.error(400, "out of order"),
        Reply(text=["half ", "more"], cut_after=1),
    )
    t.wait("/help")
    t.send("first" + SEND)
    t.wait("12 tokens")
    t.send("second" + SEND)
    t.wait("back in the editor")
    t.send("\x03/clear\r")
    t.wait("starts anew")
    t.send("third" + SEND)
    t.wait("was broken off")
    t.wait("tokens.*s$")
    t.settle()
    return re.sub(r"[\d.]+ s\b|\d+ tokens?/s", "N s", t.text())


def test_nothing_is_said_by_colour_alone(terminal: Start, server: WireServer) -> None:
    coloured, plain = terminal(), terminal(NO_COLOR="1")
    shown = _chat(coloured, server)
    for line in (
        "> first",
        "Thinking:",
        "Assistant:",
        "Error: .*out of order",
        "The reply was broken off",
    ):
        assert re.search(f"^{line}", shown, re.MULTILINE), line
    assert "https://example.com" in shown
    assert _chat(plain, server) == shown
    assert not re.search(rb"\x1b\[(?:[\d;]*;)?(?:3[0-7]|9[0-7]|[34]8;[\d;]*)m", plain.raw)
