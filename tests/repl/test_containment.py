"""G8 on a real terminal and in real pipes: what plugins print and do never reaches the chat."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cloudllm.testing import WireServer

pytestmark = pytest.mark.slow

Start = Callable[..., Any]
"""Gives a `Terminal` of the conftest, which cannot be imported."""

# Every way of printing, as a function; and a thread that goes on with them for ever.
NOISE = """
import ctypes, logging, os, subprocess, sys, threading, time, warnings

def noise():
    print("noise")
    print("noise", file=sys.stderr)
    sys.__stdout__.write("noise")
    logging.warning("noise")
    warnings.warn("noise")
    os.write(1, b"noise\\n\\x1b[2J")
    os.write(2, b"noise\\n\\x1b[2J")
    ctypes.CDLL(None).puts(b"noise")
    subprocess.run(["/bin/sh", "-c", "echo noise; echo noise >&2"])

def for_ever():
    while True:
        noise()
        time.sleep(0.2)
"""
NOISY_PROVIDER = """
noise()
from dataclasses import replace
from cloudllm import Provider, StreamEnded, TextDelta, hookimpl

class Backend:
    async def stream(self, request):
        noise()
        yield TextDelta("the reply")
        noise()
        yield StreamEnded("stop")

class Noisy(Provider):
    def client(self, model, settings):
        noise()
        return replace(super().client(model, settings), backend=Backend())

@hookimpl
def cloudllm_providers():
    noise()
    return [Noisy(name="noisy", label="Noisy", default_model="m")]
"""
NOISY_CHAT = """
noise()
threading.Thread(target=for_ever, daemon=True).start()
from cloudllm import Command, hookimpl

@hookimpl
def cloudllm_commands():
    noise()
    return [Command(name="/noisy", summary="be noisy", run=lambda chat, text: "quiet " + str(noise()))]

@hookimpl
def cloudllm_event(event, turn):
    noise()
"""
GREEDY = """
threading.Thread(target=lambda: input("noise"), daemon=True).start()
line = input("noise")
"""
COMMAND = """
noise()
import click

@click.command()
def noisy():
    print("printed", flush=True)
    os.write(2, b"written")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a distribution with one plugin on the path of the programs under test."""
    site = tmp_path / "site"
    monkeypatch.setenv("PYTHONPATH", str(site))

    def install(group: str, name: str, source: str, *, attribute: str = "") -> None:
        module = f"plugin_{uuid4().hex}"
        folder = site / f"cloudllm_{name}-1.2.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Name: cloudllm-{name}\nVersion: 1.2\n")
        point = f"{name} = {module}{attribute}"
        (folder / "entry_points.txt").write_text(f"[cloudllm.{group}]\n{point}\n")
        (site / f"{module}.py").write_text(NOISE + source)

    return install


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudllm", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )


def test_G8_a_pipe_gets_the_reply_and_nothing_that_a_plugin_prints(
    install: Callable[..., None],
) -> None:
    install("providers", "noisy", NOISY_PROVIDER)
    install("plugins", "loud", NOISY_CHAT)
    done = run("-m", "noisy/m", "ask", "hi")
    assert (done.returncode, done.stdout) == (0, "the reply\n"), done.stderr
    announcement, *lines = done.stderr.splitlines()
    assert announcement.startswith("2 new plugins: loud (cloudllm-loud 1.2), noisy")
    begins = [line.partition(" printed ")[0] for line in lines]
    for what in (
        "plugin noisy (cloudllm-noisy 1.2): loading",
        "plugin noisy (cloudllm-noisy 1.2): cloudllm_providers",
        "plugin noisy (cloudllm-noisy 1.2): making a client",
        "plugin loud (cloudllm-loud 1.2): loading",
    ):
        assert begins.count(what) == 1, done.stderr
    said_of = ("plugin noisy (", "plugin loud (", "one of the plugins loud (")
    assert all(line.startswith(said_of) for line in lines), lines
    assert all(" kept out of the chat; cloudllm plugins show " in line for line in lines)
    again = run("-m", "noisy/m", "ask", "hi")
    assert again.stdout == "the reply\n"
    assert "new plugin" not in again.stderr


def test_G8_a_reply_and_an_error_reach_the_streams_that_were_given(
    install: Callable[..., None], tmp_path: Path
) -> None:
    """As a file, and as one file for both."""
    install("providers", "noisy", NOISY_PROVIDER)
    for name, arguments in (("reply", ("-m", "noisy/m", "ask", "hi")), ("error", ("ask",))):
        with (tmp_path / name).open("wb") as file:
            subprocess.run(
                [sys.executable, "-m", "cloudllm", *arguments],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=60, check=False,
            )  # fmt: skip
    assert "the reply\n" in (tmp_path / "reply").read_text()
    assert (tmp_path / "error").read_text().startswith("cloudllm: there is nothing to ask")


def test_G8_the_terminal_shows_nothing_that_a_plugin_prints(
    install: Callable[..., None], terminal: Start, server: WireServer
) -> None:
    install("plugins", "loud", NOISY_CHAT)
    chat = terminal()
    chat.wait("New plugin loud .cloudllm-loud 1.2., a plugin for the chat")
    chat.wait(r"plugin loud .cloudllm-loud 1.2.: loading printed")
    chat.send("hello\r\\end\r")
    chat.wait("Hello from the wire.")
    chat.wait("7 in")
    chat.send("/noisy\r")
    chat.wait("quiet None")
    chat.wait(r"plugin loud .cloudllm-loud 1.2.: /noisy printed")
    chat.send("draft")
    chat.wait("> draft")
    chat.send("\x03\x04")
    assert chat.leave() == 0
    assert b"noise" not in chat.raw
    assert b"\x1b[2J" not in chat.raw


def test_G8_a_plugin_gets_none_of_the_keys(
    install: Callable[..., None], terminal: Start, server: WireServer
) -> None:
    install("plugins", "greedy", GREEDY)
    chat = terminal()
    chat.send("hello\r\\end\r")
    chat.wait(r"plugin greedy .cloudllm-greedy 1.2.: loading failed: EOFError")
    chat.wait("Hello from the wire.")
    (request,) = server.requests
    assert request.body["messages"][-1]["content"] == "hello"
    chat.send("\x04")
    assert chat.leave() == 0


def test_G8_a_plugin_that_hangs_delays_no_key_and_is_named(
    install: Callable[..., None], terminal: Start, server: WireServer
) -> None:
    install("plugins", "stuck", "while True: pass")
    chat = terminal(CLOUDLLM_PLUGINS__DEADLINE="1")
    chat.send("hello")
    chat.wait("> hello")
    chat.wait(r"plugin stuck .cloudllm-stuck 1.2.: loading did not end within 1 s")
    chat.send("\r\\end\r")
    chat.wait("Hello from the wire.")
    chat.send("\x04")
    assert chat.leave() == 0


def test_G8_other_commands_print_only_what_is_theirs(
    install: Callable[..., None], home: Path
) -> None:
    install("providers", "noisy", NOISY_PROVIDER)
    done = run("-o", "providers.noisy.label=Mine", "config", "check")
    assert (done.returncode, done.stdout) == (0, "ok\n")
    told = [line.partition(" printed ")[0] for line in done.stderr.splitlines()]
    assert told == [
        "plugin noisy (cloudllm-noisy 1.2): loading",
        "plugin noisy (cloudllm-noisy 1.2): cloudllm_providers",
    ]
    shown = run("plugins", "show", "noisy").stdout
    assert "noise" in shown
    assert "\x1b" not in shown


def test_the_editor_outside_gets_the_real_terminal(
    install: Callable[..., None], terminal: Start, tmp_path: Path
) -> None:
    """While a plugin goes on printing."""
    install("plugins", "loud", NOISY_CHAT)
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\ntest -t 0 && test -t 1 && test -t 2 && echo "in the editor"\n'
        'echo edited > "$1"\n'
    )
    editor.chmod(0o755)
    chat = terminal(EDITOR=str(editor))
    chat.wait("loading printed")
    chat.send("draft\x18\x05")
    chat.wait("in the editor")
    chat.wait("> edited")
    chat.send("\x03\x04")
    assert chat.leave() == 0
    assert b"noise" not in chat.raw


def test_the_command_of_a_plugin_is_loaded_in_the_dark_and_runs_in_the_light(
    install: Callable[..., None],
) -> None:
    install("cli", "noisy", COMMAND, attribute=":noisy")
    done = run("noisy")
    assert (done.returncode, done.stdout) == (0, "printed\n")
    told, written = done.stderr.splitlines()
    assert told.startswith("plugin noisy (cloudllm-noisy 1.2): loading printed ")
    assert written == "written"


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--no-plugins", "noisy"), {}, "switched off by --no-plugins"),
        (("-o", "plugins.deny=noisy", "noisy"), {}, "denied by plugins.deny"),
        (("noisy",), {"CLOUDLLM_PLUGINS__ALLOW": "[]"}, "not in plugins.allow"),
        (("noisy",), {"CLOUDLLM_PLUGINS__DENY": "cloudllm-noisy"}, "denied by plugins.deny"),
        (("noisy",), {"CLOUDLLM_PLUGINS__DENNY": "x"}, "did you mean"),
    ],
)
def test_commands_of_plugins_can_be_switched_off_too(
    arguments: tuple[str, ...], variables: dict[str, str], words: str, install: Callable[..., None]
) -> None:
    install("cli", "noisy", COMMAND, attribute=":noisy")
    done = run(*arguments, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    listed = "noisy" in run("--help", **variables).stdout
    assert listed == (not variables)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise SystemExit(0)", "loading failed: SystemExit: 0"),
        ("noisy = 3", "it is no click command"),
        ("", "loading failed: AttributeError"),
        ("import no_such_package", "needs the package 'no_such_package'"),
    ],
)
def test_G8_a_broken_command_is_one_line(
    source: str, words: str, install: Callable[..., None]
) -> None:
    install("cli", "noisy", source, attribute=":noisy")
    done = run("noisy")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "plugin noisy (cloudllm-noisy 1.2)" in done.stderr
    assert words in done.stderr
    assert run("config", "path").returncode == 0


def test_a_plugin_cannot_replace_a_command_of_the_program(install: Callable[..., None]) -> None:
    install("cli", "config", "noise()")
    done = run("config", "path")
    assert (done.returncode, done.stderr) == (0, "")
    assert run("--help").stdout.count("config ") == 1
    assert (
        "New plugin config (cloudllm-config 1.2), a command; it is not loaded: the name config"
        in (run("-m", "echo/echo", "ask", "hi").stderr)
    )
