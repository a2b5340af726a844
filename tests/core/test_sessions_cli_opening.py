"""`--continue`, `--resume` and `--private`: what they mean for a chat, `ask` and `run`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cloudllm.__main__ import _starts_chat
from cloudllm.cli.compose import Options
from cloudllm.cli.options import with_options
from cloudllm.errors import UsageError
from cloudllm.messages import Status
from cloudllm.repl.opening import Opening
from cloudllm.store.database import default_path
from cloudllm.testing import Reply, WireServer
from tests.core.kept import conversations, keep, kept_titles, program


def said(title: str) -> list[str]:
    """The texts of the branch in use of a conversation."""
    with conversations() as found:
        return [m.content for m in found.load(found.find(title).id).messages]


@pytest.mark.parametrize(
    ("arguments", "starts"),
    [
        ("", True),
        ("-c", True),
        ("--continue", True),
        ("--private", True),
        ("-r", True),
        ("--resume", True),
        ("--resume foo", True),
        ("-r ask", True),
        ("--resume=foo", True),
        ("--resume -m acme", True),
        ("-m acme -c", True),
        ("--private -s x --no-plugins", True),
        ("--resume - -c", True),
        ("--resume foo ask", False),
        ("-c ask hi", False),
        ("ask -c hi", False),
        ("sessions list", False),
        ("--resume=foo run x", False),
        ("--continues", False),
        ("--plain -c", False),
    ],
)
def test_G1_what_starts_a_chat_is_known_without_parsing(arguments: str, starts: bool) -> None:
    assert _starts_chat(arguments.split()) is starts


def test_what_stands_before_the_command_and_behind_it_adds_up() -> None:
    before = with_options(None, go_on=True)
    assert before.opening == Opening(go_on=True)
    assert with_options(before, model="m").opening == Opening(go_on=True)
    assert with_options(Options(), resume="").opening == Opening(resume="")
    with pytest.raises(click.UsageError, match="name two conversations; give one of them"):
        with_options(before, resume="x")
    with pytest.raises(click.UsageError, match="--resume and --private exclude each other"):
        with_options(with_options(None, private=True), resume="")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ask", "-c", "-r", "x", "hi"), "--continue and --resume name two conversations"),
        (("run", "--private", "-c", "-"), "--continue and --private exclude each other"),
        (("-c", "usage"), "--continue, --resume and --private are for a chat, ask and run"),
        (("usage", "-c"), "No such option"),
        (("ask", "-r", "What is a monad?"), "“What is a monad?” is taken as the name behind"),
        (("ask", "hi", "--resume"), "--resume needs the name of a conversation here"),
        (("run", "-", "--resume"), "--resume needs the name of a conversation here"),
        (("--resume",), "--resume needs the name of a conversation here"),
        (("ask", "hi", "-c", "-m", "echo"), "there is no conversation in this folder yet"),
        (("ask", "hi", "-r", "a/\x1b\n" * 3_000, "-m", "echo"), "there are no conversations yet"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert not default_path().exists()


def test_only_a_person_can_choose() -> None:
    assert Opening(resume="x").named() == Opening(resume="x")
    with pytest.raises(UsageError, match="cloudllm sessions list shows them"):
        Opening(resume="").named()


def test_ask_keeps_its_turn_and_goes_on() -> None:
    first = program("ask", "-m", "echo", "one")
    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout.startswith(b"You said: one")
    again = program("ask", "-m", "echo", "--continue", "two")
    assert (again.returncode, again.stdout) == (0, b"You said: two\n")
    assert said("one")[::2] == ["one", "two"]


@pytest.mark.slow
def test_ask_goes_on_with_the_one_that_is_named(tmp_path: Path) -> None:
    keep("Elsewhere", "a", "b", folder=str(tmp_path))
    done = program("ask", "-m", "echo", "-r", "elsewh", "c")
    assert (done.returncode, done.stdout) == (0, b"You said: c\n")
    assert said("Elsewhere")[:3] == ["a", "b", "c"]
    unknown = program("ask", "-m", "echo", "-r", "nobody", "c")
    assert (unknown.returncode, unknown.stdout) == (2, b"")
    assert "There is no conversation “nobody”" in unknown.stderr.decode()


@pytest.mark.parametrize("way", ["option", pytest.param("setting", marks=pytest.mark.slow)])
def test_what_is_private_leaves_nothing(way: str, home: Path) -> None:
    private = ("--private",) if way == "option" else ("-o", "history.private=true")
    done = program("ask", "-m", "echo", *private, "the needle")
    assert (done.returncode, done.stdout[:20]) == (0, b"You said: the needle")
    found = b"".join(each.read_bytes() for each in home.rglob("*") if each.is_file())
    assert b"needle" not in found
    assert not default_path().exists()


@pytest.mark.slow
def test_run_keeps_all_its_turns_in_one_conversation(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("one\n\\end\ntwo\n\\end\n")
    assert program("run", "-m", "echo", str(file)).returncode == 0
    assert program("run", "-m", "echo", "-c", str(file)).returncode == 0
    assert said("one")[::2] == ["one", "two"] * 2
    assert kept_titles() == ["one"]


@pytest.mark.slow
def test_a_turn_that_fails_leaves_no_conversation(wire_server: WireServer) -> None:
    wire_server.default = Reply.error(400, "no")
    done = program("ask", "hi", OPENAI_API_KEY="k", OPENAI_BASE_URL=wire_server.url)
    assert done.returncode == 4
    assert not default_path().exists() or kept_titles() == []


@pytest.mark.slow
def test_ctrl_c_keeps_what_came(wire_server: WireServer) -> None:
    wire_server.default = Reply(text=["begun ", *["x "] * 300], delay=0.1)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "cloudllm", "ask", "go"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": wire_server.url},
    )
    assert process.stdout
    assert process.stdout.read(6) == b"begun "
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    with conversations() as found:
        last = found.load(found.find("go").id).messages[-1]
    assert last.status is Status.CANCELLED
    assert last.content.startswith("begun")
    assert last.content.rstrip() == f"begun {shown.decode()}".rstrip()
