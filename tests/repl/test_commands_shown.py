"""Commands and completion on a real terminal: what a person sees, and what the terminal gets."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudllm.testing import Reply, WireServer
from tests.repl.conftest import GREETING, Chat, launch

pytestmark = pytest.mark.slow

SEND = "\r\\end\r"


@pytest.fixture
def chat(running: Chat) -> Iterator[Chat]:
    """The running chat with an empty editor, an empty history and a blank screen."""
    running.server.forget()
    running.server.default = GREETING
    running.terminal.clear_screen()
    yield running
    if running.terminal.process.poll() is None:
        running.terminal.send("x\x03/clear\r")
        running.terminal.wait("starts anew")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Chat]:
    """One chat for all tests, in a folder with some files."""
    for name in ("README.md", "src/deep/module.py", "my notes.txt"):
        path = folder / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    with WireServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "here")
        terminal = launch(
            (),
            24,
            100,
            CLOUDLLM_HOME=str(folder / "home"),
            OPENAI_API_KEY="sk-test",
            OPENAI_BASE_URL=server.url,
        )
        terminal.wait("/help")
        yield Chat(terminal, server)
        terminal.close()


def test_commands_models_and_settings_are_found_by_a_few_letters(chat: Chat) -> None:
    t = chat.terminal
    t.send("/hst")
    t.wait(r"/history +what has been said so far")
    t.send("\x03/model gp6l")
    t.wait(r" openai/gpt-6-luna")
    t.send("\x03/set repl.reasoning ")
    t.wait(r" true\n +false")
    t.send("\x03")


def test_files_are_completed_after_an_at_sign_in_any_line(chat: Chat) -> None:
    t = chat.terminal
    t.send("first line\rlook at @modu")
    t.wait(r"src/deep/module\.py")
    t.send("\t")
    t.wait(r"look at @src/deep/module\.py")
    t.send(" and @notes")
    t.wait(r" my notes\.txt$")
    t.send("\t" + SEND)
    t.wait("Hello from the wire")
    assert chat.sent()[-1]["content"] == (
        'first line\nlook at @src/deep/module.py and @"my notes.txt"'
    )


def test_G6_copy_hands_exactly_the_reply_to_the_terminal(chat: Chat) -> None:
    t = chat.terminal
    text = "Run:\n\n```sh\nprintf '\x1b]52;c;aGk=\x07'\n```"
    chat.server.replies(Reply(text=text))
    t.send("go" + SEND)
    t.wait(r"\d tokens")
    before = len(t.raw)
    t.send("/cp code 1\r")
    t.wait(r"Code block 1 \(\d+ characters\) is handed to the terminal")
    t.send("/copy\r")
    t.wait(r"The last reply \(\d+ characters\) is handed to the terminal")
    found = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", t.raw[before:])
    assert [base64.b64decode(each).decode() for each in found] == [
        "printf '\x1b]52;c;aGk=\x07'",
        text,
    ]


def test_edit_brings_the_last_message_back_to_be_sent_again(chat: Chat) -> None:
    t = chat.terminal
    t.send("one\rtwo" + SEND)
    t.wait("Hello from the wire")
    t.send("/e\r")
    t.wait(r"(?s)taken back.*^> one\n  two$")
    t.send(" and three" + SEND)
    t.wait(r"(?s)Hello.*Hello from the wire")
    assert [each["content"] for each in chat.sent()[1:]] == ["one\ntwo and three"]


def test_G7_a_key_typed_for_a_mistyped_command_is_neither_kept_nor_shown(
    chat: Chat, folder: Path
) -> None:
    t = chat.terminal
    for number, word in enumerate(("/se", "/sett --save", "/m")):
        t.send(f"{word} providers.openai.api_key sk-canary{number}\r")
        t.wait(f"(?s)^> {word} providers.openai.api_key …\n.*^Error")
    assert "canary" not in t.text()
    t.send("hello" + SEND)
    t.wait("Hello from the wire")
    assert "canary" not in (folder / "home" / "input-history").read_text()


def test_copy_says_in_a_pipe_why_it_cannot(tmp_path: Path) -> None:
    done = piped("hello\n\\end\n/copy\nnever sent\n\\end\n", tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("You said: hello")
    assert "never" not in done.stdout
    (error,) = (each for each in done.stderr.split("\n") if each.startswith("cloudllm: "))
    assert "nothing was copied: no terminal that takes it" in error


def test_every_command_works_in_a_pipe(tmp_path: Path) -> None:
    lines = ("/history", "/history 1", "/info", "/set", "/set temperature 1", "/h", "/usage")
    more = ("/save talk.md", "/save talk.md --force", "/pin", "/tokens", "/context", "/mod", "/why")
    done = piped(
        "\n".join(["hello", "there", "\\end", *lines, *more, "/edit", "/q", "x"]), tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("You said: hello\nthere")
    assert done.stderr.rstrip().endswith("to be sent again:\nhello\nthere")
    assert "\x1b" not in done.stdout + done.stderr
    assert (tmp_path / "talk.md").read_text().startswith("# hello\n")


def piped(typed: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a conversation from a pipe, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "cloudllm", "run", "-", "-m", "echo/echo"],
        input=typed,
        capture_output=True,
        text=True,
        cwd=folder,
        env={name: text for name, text in os.environ.items() if "DISPLAY" not in name},
        check=False,
        timeout=60,
    )


def test_an_alias_leaves(chat: Chat) -> None:
    """The last one: it ends the chat of the module."""
    chat.terminal.send("/q\r")
    assert chat.terminal.leave() == 0
