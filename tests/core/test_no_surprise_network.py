"""G2: start, help, listings and configuration open no connection, not even to loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITNESS = """
import socket

def refuse(what):
    def refused(*arguments, **_):
        with open({log!r}, "a") as log:
            log.write(f"{{what}} {{arguments}}\\n")
        raise OSError("no network in this test")
    return refused

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refuse(name))
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse(name))
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every attempt of a child process is written down; each fails."""
    log = tmp_path / "attempts"
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITNESS.format(log=str(log)))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-sent")
    return log


def _run(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudllm", *arguments],
        input=typed, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("ask", "--help"),
        ("config", "show", "--origin"),
        ("config", "check"),
        ("config", "path"),
        ("plugins", "list"),
        ("plugins", "show", "openai"),
        ("local", "list"),
        ("models", "--all"),
        ("models", "--json", "-p", "openai"),
        ("providers",),
        ("providers", "openai"),
        ("usage",),
    ],
)
def test_G2_no_command_but_a_chat_opens_a_connection(arguments: tuple[str, ...], log: Path) -> None:
    assert _run(*arguments).returncode == 0
    assert not log.exists()


def test_G2_a_chat_starts_loads_litellm_and_answers_offline(log: Path) -> None:
    script = "/help\n/set\n/model echo/echo\nhello\n\\end\n/tokens\n"
    done = _run(typed=script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("You said: hello")
    assert not log.exists(), log.read_text()


@pytest.mark.slow
def test_G2_the_witness_sees_what_a_chat_with_a_provider_does(log: Path) -> None:
    done = _run("ask", "x", "-o", "retry.attempts=1")
    assert done.returncode == 4
    attempts = log.read_text().splitlines()
    assert attempts
    assert all("api.openai.com" in attempt for attempt in attempts), attempts
    assert os.environ["OPENAI_API_KEY"] not in done.stderr
