"""Each hook and entry-point group, used by one installed distribution, seen from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

import pytest

from cloudllm.testing import WireServer
from tests.packaging.conftest import Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Run(Protocol):
    """Runs cloudllm with these arguments and this standard input."""

    def __call__(self, *arguments: str, text: str = "") -> CompletedProcess[str]: ...


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the plugin writes what `event` and `reply` see."""
    return tmp_path / "everything.log"


@pytest.fixture
def run(installed: Installed, acme: WireServer, log: Path) -> Run:
    """cloudllm, with cloudllm-everything and cloudllm-acme."""

    def run(*arguments: str, text: str = "") -> CompletedProcess[str]:
        return installed.run(
            *("cloudllm", *arguments),
            text=text,
            plugins=["cloudllm-everything", "cloudllm-acme"],
            EVERYTHING_LOG=str(log),
            ACME_API_KEY="sk-acme",
            ACME_BASE_URL=acme.url,
        )

    return run


def test_providers_hook_offers_a_model_in_process(run: Run) -> None:
    done = run("ask", "-m", "parrot", "two words")
    assert (done.returncode, done.stdout.strip()) == (0, "two words"), done.stderr


def test_commands_hook_adds_slash_commands(run: Run) -> None:
    done = run("run", "-", "-m", "parrot", text="/whisper LOUD WORDS\n/shout hello\n/help\n")
    assert (done.returncode, done.stdout.strip()) == (0, "HELLO"), done.stderr
    assert "(loud words)" in done.stderr
    assert "5 characters from parrot/grey" in done.stderr
    assert "send in capitals" in done.stderr


def test_request_hook_changes_what_goes_out_and_not_the_history(run: Run, acme: WireServer) -> None:
    text = "teh cat\n\\end\nand teh dog\n\\end\n"
    done = run("run", "-", "-m", "acme", text=text)
    assert done.returncode == 0, done.stderr
    first, second = (_contents(request.body) for request in acme.requests)
    assert first[-1] == "the cat"
    assert second[-3:] == ["teh cat", "Hello from Acme.", "and the dog"]


def test_request_hook_vetoes_a_turn_before_anything_is_sent(run: Run, acme: WireServer) -> None:
    done = run("ask", "-m", "acme", "a secret")
    assert (done.returncode, done.stdout) == (7, "")
    assert "turn 1 mentions a secret. Leave it out" in done.stderr
    assert "Traceback" not in done.stderr
    assert acme.requests == []


def test_event_hook_sees_a_turn_in_order(run: Run, log: Path) -> None:
    assert run("ask", "-m", "parrot", "hi").returncode == 0
    events = [line["what"] for line in _lines(log) if line["hook"] == "event"]
    assert events == ["RequestSent", "ReasoningDelta", "TextDelta", "TurnFinished"]


def test_reply_hook_learns_of_each_reply_with_its_turn_and_model(run: Run, log: Path) -> None:
    assert run("run", "-", "-m", "parrot", text="one\n\\end\ntwo\n\\end\n").returncode == 0
    replies = [line for line in _lines(log) if line["hook"] == "reply"]
    assert [(each["turn"], each["what"], each["model"]) for each in replies] == [
        (1, "one", "parrot/grey"),
        (2, "two", "parrot/grey"),
    ]


def test_command_of_the_group_cli_runs_and_is_listed(run: Run) -> None:
    done = run("everything", "hello")
    assert (done.returncode, done.stdout) == (0, "everything says hello\n"), done.stderr
    listed = run("--help").stdout
    assert "everything" in listed
    assert "cloudllm-everything 2.0.0" in listed


def test_third_party_plugin_is_announced_once_with_distribution_and_version(run: Run) -> None:
    first, second = (run("ask", "-m", "parrot", "hi").stderr for _ in range(2))
    assert "cloudllm-everything 2.0.0" in first
    assert "cloudllm-everything" not in second


def test_no_plugins_leaves_out_what_is_not_bundled(run: Run, log: Path) -> None:
    done = run("--no-plugins", "ask", "-m", "echo", "a secret")
    assert (done.returncode, log.exists()) == (0, False), done.stderr
    done = run("--no-plugins", "ask", "-m", "parrot/grey", "hi")
    assert done.returncode == 2
    assert "--no-plugins" in done.stderr


def test_show_tells_what_each_of_its_plugins_offers(run: Run) -> None:
    done = run("plugins", "show", "cloudllm-everything")
    assert done.returncode == 0, done.stderr
    for part in (
        "cloudllm-everything 2.0.0",
        "Every hook and every entry-point group, used by one plugin.",
        "https://everything.example",
        "cloudllm_commands, cloudllm_event, cloudllm_reply, cloudllm_request",
        "provider parrot (Parrot)",
        "/shout TEXT: send in capitals",
        "cloudllm everything: Say the word.",
    ):
        assert part in " ".join(done.stdout.split()), part


def _contents(body: Any) -> list[str]:
    return [message["content"] for message in body["messages"]]


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]
