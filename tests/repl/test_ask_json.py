"""`ask --json`: events on standard output, one JSON object on a line; exit codes as without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cloudllm import Usage
from cloudllm.testing import Reply, WireServer

Events = list[dict[str, Any]]
Ask = Callable[..., tuple[int, Events, bytes]]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cloudllm", "ask", "--json", *arguments]


def _variables(server: WireServer) -> dict[str, str]:
    return {**os.environ, "OPENAI_API_KEY": "sk-json-canary", "OPENAI_BASE_URL": server.url}


@pytest.fixture
def ask(server: WireServer) -> Ask:
    """Asks, its OpenAI provider pointing at `server`; gives exit code, events, standard error."""

    def run(*arguments: str, **variables: str) -> tuple[int, Events, bytes]:
        done = subprocess.run(
            _command(*arguments, "go"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**_variables(server), **variables},
            timeout=60,
            check=False,
        )
        assert b"sk-json-canary" not in done.stdout + done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    return run


def types(events: Events) -> list[str]:
    """The types of the events, deltas of one kind together."""
    found = [each["type"] for each in events]
    return [each for at, each in enumerate(found) if found[at - 1 : at] != [each]]


def test_a_turn_is_its_events_and_the_whole_reply_in_the_end(ask: Ask, server: WireServer) -> None:
    server.replies(
        Reply.error(503, "busy"),
        Reply(reasoning="hm", text="4\u202e2 \ud83d\ude00", usage=Usage(input_tokens=7, output_tokens=5)),
    )  # fmt: skip
    code, events, errors = ask()
    assert (code, errors) == (0, b"")
    assert types(events) == [
        "request_sent", "retrying", "request_sent", "reasoning_delta", "text_delta",
        "turn_finished",
    ]  # fmt: skip
    last = events[-1]
    assert last["reply"]["text"] == "4\u202e2 😀"
    assert last["reply"]["reasoning"] == "hm"
    assert last["reply"]["usage"]["input_tokens"] == 7
    assert last["reply"]["cost"]["usd"] is None
    assert [each["outcome"] for each in last["attempts"]] == ["failed", "complete"]


@pytest.mark.slow
def test_what_is_kept_of_it_is_no_event(ask: Ask, server: WireServer) -> None:
    server.replies(Reply(text="first"), Reply(text="second"))
    assert ask()[1][-1]["reply"]["text"] == "first"
    code, events, _ = ask("--continue")
    assert (code, types(events)) == (0, ["request_sent", "text_delta", "turn_finished"])
    sent = server.requests[-1].body["messages"]
    assert [each["content"] for each in sent[1:]] == ["go", "first", "go"]


@pytest.mark.slow
def test_a_conversation_that_is_not_there_is_an_error_object(ask: Ask) -> None:
    code, events, errors = ask("--resume", "nobody")
    assert (code, errors, types(events)) == (2, b"", ["error"])
    assert events[0]["class"] == "UsageError"


def test_an_error_is_the_last_object(ask: Ask) -> None:
    code, events, errors = ask(OPENAI_API_KEY="", OPENAI_BASE_URL="")
    assert (code, errors, types(events)) == (3, b"", ["error"])
    assert events[0]["class"] == "MissingKey"
    assert events[0]["exit_code"] == 3
    assert "OPENAI_API_KEY" in events[0]["message"] + events[0]["advice"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        (Reply(text=["half ", "a ", "reply"], cut_after=2), (), 5, "turn_finished"),
        (Reply(finish_reason="length"), (), 5, "turn_finished"),
        (Reply(finish_reason="content_filter"), (), 0, "turn_finished"),
        (Reply(text=""), (), 0, "turn_finished"),
        (Reply.error(400, "no"), (), 4, "error"),
        (Reply.error(401, "no"), (), 3, "error"),
        (Reply(), ("-o", "context.limit=5"), 6, "error"),
        (Reply(), ("-o", "budget.day=0.01"), 7, "error"),
        (Reply(), ("-m", "opnai/x"), 2, "error"),
    ],
    ids=["cut", "length", "filter", "empty", "refused", "key", "context", "budget", "model"],
)
def test_exit_codes_are_those_without_json(
    case: tuple[Reply, tuple[str, ...], int, str], ask: Ask, server: WireServer
) -> None:
    server.default, arguments, code, last = case
    found, events, errors = ask(*arguments)
    assert (found, events[-1]["type"], errors) == (code, last, b"")
    plain = subprocess.run(
        [sys.executable, "-m", "cloudllm", "ask", *arguments, "go"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=_variables(server),
        timeout=60,
        check=False,
    )
    assert plain.returncode == code
    if last == "error":
        assert events[-1]["exit_code"] == code
        assert [plain.stdout, len(plain.stderr.splitlines())] == [b"", 1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "last"),
    [
        (Reply(text=["begun ", *["x"] * 300], delay=0.1), "turn_finished"),
        (Reply(first_delay=30), "error"),
    ],
    ids=["begun", "not begun"],
)
def test_G12_ctrl_c_ends_it_with_what_came(reply: Reply, last: str, server: WireServer) -> None:
    server.default = reply
    process = subprocess.Popen(
        _command("go"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_variables(server),
    )
    assert process.stdout
    awaited = b"text_delta" if last == "turn_finished" else b"request_sent"
    while awaited not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=10)
    final = json.loads(shown.splitlines()[-1])
    assert (process.returncode, errors, final["type"]) == (130, b"", last)
    if last == "error":
        assert (final["class"], final["exit_code"]) == ("Interrupted", 130)
        assert [each["outcome"] for each in final["attempts"]] == ["cancelled"]
    else:
        assert final["reply"]["status"] == "cancelled"
        assert final["reply"]["text"].startswith("begun")


@pytest.mark.slow
def test_a_reader_that_goes_away_gets_one_line(server: WireServer) -> None:
    server.default = Reply(text=["x" * 1000] * 200, delay=0.01)
    process = subprocess.Popen(
        _command("go"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_variables(server),
    )
    assert process.stdout
    assert process.stderr
    process.stdout.read(10)
    process.stdout.close()
    with process:
        errors = process.stderr.read()
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1
    assert b"standard output was closed" in errors
