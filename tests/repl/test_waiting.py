"""The waiting indicator: it counts up, counts down to the next try, and says when nothing comes."""

from __future__ import annotations

import re

import pytest

from cloudllm.events import (
    Event,
    FellBack,
    ReasoningDelta,
    RequestSent,
    Retrying,
    Stalled,
    Summarizing,
    TextDelta,
    ToolCallDelta,
)
from cloudllm.repl.cells import width
from cloudllm.repl.waiting import FRAMES, Waiting, sending


def said(waiting: Waiting, now: float, columns: int = 80) -> str:
    """The row without its turning wheel."""
    row = waiting.row(now, columns)
    assert row[0] in FRAMES
    assert width(row) <= columns
    return row[2:]


def test_it_says_what_is_waited_for_and_for_how_long() -> None:
    waiting = Waiting(sending("acme/a"), 100.0)
    assert said(waiting, 101.26) == "Sending message… acme/a 1.3 s"
    waiting.event(Summarizing("acme/b"), 102.0)
    assert said(waiting, 103.0) == "Summing up older messages… acme/b 3.0 s"
    waiting.event(RequestSent("acme/b"), 104.0)
    assert said(waiting, 104.0) == "Waiting for the reply… acme/b 4.0 s"
    waiting.event(ReasoningDelta("hm"), 105.0)
    assert said(waiting, 105.0) == "Thinking… 5.0 s"
    waiting.event(TextDelta("a"), 106.0)
    assert said(waiting, 106.0) == "Receiving the reply… 6.0 s · ~1 token/s"


def test_a_connection_that_is_being_made_is_a_phase_of_its_own() -> None:
    waiting = Waiting(sending("acme/a"), 0.0)
    row = waiting.row(0.5, 80, "loading")
    assert row[2:] == "Getting ready… acme/a 0.5 s"
    waiting.event(RequestSent("acme/a"), 1.0)
    assert waiting.row(1.2, 80, "connecting")[2:] == "Connecting… acme/a 1.2 s"
    assert waiting.row(1.2, 20, "connecting")[2:] == "Connecting… 1.2 s"
    assert said(waiting, 2.0) == "Waiting for the reply… acme/a 2.0 s"
    waiting.event(TextDelta("a"), 3.0)
    assert waiting.row(3.0, 80, "connecting")[2:] == "Receiving the reply… 3.0 s"
    waiting.event(Retrying("acme/a", 2, 3, 2.0, "busy"), 10.0)
    assert "Next try" in waiting.row(10.0, 80, "connecting")


def test_G10_how_fast_a_reply_comes_is_an_estimate_from_its_first_piece_on() -> None:
    waiting = Waiting("", 0.0)
    waiting.event(RequestSent("acme/a"), 0.0)
    waiting.event(TextDelta("x" * 40), 10.0)
    assert said(waiting, 10.4) == "Receiving the reply… 10.4 s"
    waiting.event(TextDelta("日本" * 20), 12.0)
    assert said(waiting, 12.0) == "Receiving the reply… 12.0 s · ~20 tokens/s"
    waiting.event(TextDelta("half \ud83d"), 12.0)
    waiting.event(RequestSent("acme/b", 2), 13.0)
    assert said(waiting, 13.0) == "Waiting for the reply… acme/b 13.0 s"


LONG = "provider/a-model-with-a-name-that-is-long-" + "x" * 60


@pytest.mark.parametrize("columns", [20, 30, 40, 60, 79, 200])
def test_where_there_is_no_room_what_matters_is_still_said(columns: int) -> None:
    waiting = Waiting(sending(LONG), 0.0)
    assert "12.3 s" in said(waiting, 12.3, columns)
    waiting.event(Retrying("acme/a", 2, 3, 20.0, "busy"), 12.3)
    assert "20.0" in said(waiting, 12.3, columns) or columns < 30
    waiting.event(Stalled(12.0, 300.0), 20.0)
    if columns >= 30:
        assert re.search(r"/wait\b.*Ctrl-C", said(waiting, 128.0, columns))
        assert re.search(r"120.*300 s", said(waiting, 128.0, columns))
    waiting.wait_on()
    assert "Ctrl-C" in said(waiting, 128.0, columns) or columns < 30


def test_at_40_columns_the_row_says_what_stops_it_in_whole_words() -> None:
    waiting = Waiting("", 0.0)
    waiting.event(Stalled(12.0, 30.0), 20.0)
    assert said(waiting, 23.0, 40) == "No text 15/30 s: /wait, Ctrl-C stops"
    waiting.event(Retrying("acme/a", 2, 3, 2.0, "busy"), 30.0)
    assert said(waiting, 30.0, 40) == "Next try 2 of 3 in 2.0 s: Ctrl-C"


def test_G6_a_model_id_cannot_touch_the_terminal() -> None:
    waiting = Waiting(sending("acme/\x1b[2J"), 0.0)
    waiting.event(RequestSent("acme/\x1b]0;x\x07\u202e"), 0.0)
    shown = said(waiting, 0.0)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "␛]0;x" in shown


def test_G11_it_counts_down_to_the_next_try() -> None:
    waiting = Waiting("", 0.0)
    waiting.event(Retrying("acme/a", 2, 3, 2.0, "busy"), 10.0)
    assert said(waiting, 10.0) == "Next try 2 of 3 in 2.0 s (Ctrl-C stops)"
    assert said(waiting, 11.5) == "Next try 2 of 3 in 0.5 s (Ctrl-C stops)"
    assert said(waiting, 13.0) == "Next try 2 of 3 in 0.0 s (Ctrl-C stops)"
    waiting.event(FellBack("acme/b", "acme/a", "busy"), 13.0)
    waiting.event(RequestSent("acme/b", 4), 13.0)
    assert said(waiting, 13.0) == "Waiting for the reply… acme/b 13.0 s"


def test_it_says_how_long_nothing_has_come_and_when_that_is_given_up() -> None:
    waiting = Waiting("", 0.0)
    assert not waiting.silent
    waiting.event(Stalled(12.0, 30.0), 20.0)
    assert waiting.silent
    shown = "No text for 15 s, gives up at 30 s: /wait waits on, Ctrl-C stops"
    assert said(waiting, 23.0) == shown
    assert len(shown) < 78
    waiting.wait_on()
    assert said(waiting, 33.0) == "No text for 25 s, waiting on: Ctrl-C stops"


def test_without_a_limit_there_is_nothing_to_wait_on_for() -> None:
    waiting = Waiting("", 0.0)
    waiting.event(Stalled(12.0, None), 20.0)
    assert said(waiting, 20.0) == "No text for 12 s: Ctrl-C stops"


@pytest.mark.parametrize("event", [TextDelta("a"), ReasoningDelta("a"), ToolCallDelta("a")])
def test_whatever_comes_ends_the_silence(event: Event) -> None:
    waiting = Waiting("", 0.0)
    waiting.event(Stalled(12.0, 30.0), 20.0)
    waiting.event(event, 21.0)
    assert not waiting.silent
