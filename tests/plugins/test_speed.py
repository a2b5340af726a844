"""The bundled plugin speed: what /speed shows of the replies it was told of."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from cloudllm import Message, ReasoningDelta, RequestSent, Role, TextDelta, TurnInfo, Usage
from cloudllm_plugins.speed import Stopwatch

TURN = TurnInfo(session="s", number=1, model="acme/one")
REPLY = Message(Role.ASSISTANT, "text", usage=Usage(output_tokens=300))


def rows(stopwatch: Stopwatch) -> list[str]:
    return [" ".join(line.split()) for line in stopwatch.table().splitlines()]


def test_a_reply_is_timed_from_the_request_to_its_first_token_and_its_end() -> None:
    stopwatch = Stopwatch()
    stopwatch.event(RequestSent("acme/one"), TURN, 10.0)
    stopwatch.event(ReasoningDelta("hm"), TURN, 10.5)
    stopwatch.event(TextDelta("text"), TURN, 12.0)
    stopwatch.reply(REPLY, TURN, 13.5)
    assert rows(stopwatch) == [
        "model first token whole reply tokens/s",
        "acme/one 0.50 s 3.50 s 100",
    ]


def test_estimated_tokens_are_marked_and_unknown_ones_are_said() -> None:
    stopwatch = Stopwatch()
    for number, usage in enumerate((replace(REPLY.usage or Usage(), estimated=True), None), 1):
        turn = replace(TURN, number=number)
        stopwatch.event(RequestSent("acme/one"), turn, 0.0)
        stopwatch.event(TextDelta("a"), turn, 1.0)
        stopwatch.reply(replace(REPLY, usage=usage), turn, 2.0)
    assert [row.split()[-1] for row in rows(stopwatch)[1:]] == ["~300", "unknown"]


def test_the_status_row_shows_the_last_one_if_anybody_knows() -> None:
    stopwatch = Stopwatch()
    assert stopwatch.latest() == []
    stopwatch.event(RequestSent("acme/one"), TURN, 0.0)
    stopwatch.event(TextDelta("a"), TURN, 1.0)
    stopwatch.reply(REPLY, TURN, 3.0)
    assert stopwatch.latest() == ["150 tokens/s"]
    stopwatch.reply(replace(REPLY, usage=None), TURN, 4.0)
    assert stopwatch.latest() == []


def test_a_reply_that_went_on_counts_what_its_second_call_wrote() -> None:
    stopwatch = Stopwatch()
    cut = replace(REPLY, content="one two", usage=Usage(output_tokens=100))
    whole = replace(REPLY, content="one two three", usage=Usage(output_tokens=160))
    for number, reply in enumerate((cut, whole), 1):
        turn = replace(TURN, number=number)
        stopwatch.event(RequestSent("acme/one"), turn, 0.0)
        stopwatch.event(TextDelta("a"), turn, 1.0)
        stopwatch.reply(reply, turn, 2.0)
    assert [row.split()[-1] for row in rows(stopwatch)[1:]] == ["100", "60"]


def test_turns_of_many_sessions_are_kept_apart_and_the_oldest_forgotten() -> None:
    stopwatch = Stopwatch()
    for number in range(2000):
        stopwatch.event(RequestSent("acme/one"), replace(TURN, number=number), number)
        stopwatch.event(TextDelta("a"), replace(TURN, number=number), number + 0.25)
    stopwatch.reply(REPLY, replace(TURN, number=1990), 2000.0)
    assert rows(stopwatch)[1:] == ["acme/one 0.25 s 10.00 s 31"]
    assert len(stopwatch._sent) + len(stopwatch._first) <= 200
    for number in range(50):
        stopwatch.reply(REPLY, replace(TURN, number=number), 0.0)
    assert len(rows(stopwatch)) == 11


def test_a_reply_that_began_nobody_knows_when_has_no_rate() -> None:
    stopwatch = Stopwatch()
    assert rows(stopwatch) == ["No reply yet."]
    stopwatch.reply(REPLY, TURN, 5.0)
    assert rows(stopwatch)[1:] == ["acme/one 0.00 s 0.00 s unknown"]


@pytest.mark.slow
def test_the_command_shows_the_replies_of_the_chat() -> None:
    command = [sys.executable, "-m", "cloudllm", "run", "-", "-m", "echo/echo"]
    typed = "/speed\nhello\n\\end\n/speed\n"
    done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "No reply yet." in done.stderr
    assert "tokens/s\necho/echo " in done.stderr
