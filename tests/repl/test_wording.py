"""What every front end says: of costs, of endings, of what goes on; and how lines are broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from cloudllm import (
    Attempt,
    Cost,
    FellBack,
    Message,
    Outcome,
    Retrying,
    Role,
    Stalled,
    Status,
    ToolCall,
    Trimmed,
    Usage,
)
from cloudllm.repl import wording
from cloudllm.repl.lines import hung, wrapped

ATTEMPT = Attempt(number=1, model="acme/a", outcome=Outcome.FAILED)


def reply(content: str = "text", **fields: object) -> Message:
    return Message(Role.ASSISTANT, content, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (None, "cost unknown"),
        (Cost(unknown=1), "cost unknown"),
        (Cost(nano=1_200_000, source="acme"), "$0.0012"),
        (Cost(nano=1_200_000, estimated=True), "~$0.0012"),
        (Cost(nano=2 * 10**9, unknown=1), "$2.00 + 1 unknown"),
        (Cost(source="free"), "free"),
        (Cost(source="acme"), "$0.00"),
    ],
)
def test_G10_a_cost_is_never_nothing_where_nobody_knows_it(cost: Cost | None, words: str) -> None:
    assert wording.priced(cost) == words


def test_the_line_after_a_reply() -> None:
    usage = Usage(input_tokens=1_234, output_tokens=5, cached_tokens=1_000, reasoning_tokens=2)
    whole = reply(usage=usage, cost=Cost(nano=1_200_000))
    assert wording.closing(whole, (ATTEMPT,), 1.23) == (
        "1,234 in · 1,000 cached · 5 out · 2 reasoning · 1,239 tokens · $0.0012 · 1.2 s"
    )
    guessed = reply(usage=Usage(input_tokens=3, output_tokens=5, estimated=True))
    assert wording.closing(guessed, (ATTEMPT, ATTEMPT), 60.0) == (
        "~3 in · ~5 out · ~8 tokens · cost unknown · 60.0 s · 2 attempts"
    )


@pytest.mark.parametrize(
    ("ended", "notices", "offer"),
    [
        (reply(finish_reason="stop"), [], None),
        (reply(finish_reason="content_filter"), ["The provider's content filter stopped the reply."], None),
        (
            reply(finish_reason="length"),
            ["The reply stopped at the limit of its length (max_output_tokens, or the model's own)."],
            "/continue goes on.",
        ),
        (
            reply(status=Status.PARTIAL, error="it broke."),
            ["The reply was broken off: it broke."],
            "/continue goes on with it, /retry asks again.",
        ),
        (reply("", status=Status.PARTIAL), ["The reply was broken off."], "/retry asks again."),
        (
            reply(status=Status.PARTIAL, tool_calls=(ToolCall("1", "look", "{"),)),
            ["The reply was broken off."],
            "/retry asks again.",
        ),
    ],
)  # fmt: skip
def test_an_ending_is_said_with_what_can_be_done(
    ended: Message, notices: list[str], offer: str | None
) -> None:
    assert wording.ending_notices(ended) == notices
    assert wording.offer(ended) == offer


def test_stopping_says_what_became_of_the_reply() -> None:
    assert wording.stopped_notice(None) == "Stopped."
    kept = reply(status=Status.CANCELLED)
    assert wording.stopped_notice(kept).startswith("Stopped; what came is kept: /continue")
    assert wording.stopped_notice(reply()) == "Stopped; the reply is whole, and kept."


def test_what_goes_on_is_one_line() -> None:
    assert wording.retrying_notice(Retrying("acme/a", 2, 3, 1.0, "acme: rate limited (429)")) == (
        "acme: rate limited (429); next try 2 of 3 in 1.0 s (Ctrl-C stops)"
    )
    assert wording.fell_back_notice(FellBack("acme/b", "acme/a", "It failed.")) == (
        "It failed. Going on with acme/b instead of acme/a."
    )
    assert wording.trimmed_notice(Trimmed(1, 1_500)).endswith("the history keeps them.")
    assert wording.trimmed_notice(Trimmed(2, 3, True)).endswith("a summary stands for them.")


@pytest.mark.parametrize(
    ("limit", "asks", "words"),
    [
        (30.0, True, "No text for 12 s, gives up at 30 s: Enter or /wait waits on, Ctrl-C stops"),
        (30.0, False, "No text for 12 s, gives up at 30 s"),
        (None, True, "No text for 12 s, Ctrl-C stops"),
        (None, False, "No text for 12 s"),
    ],
)
def test_silence_is_said_with_what_can_be_done(limit: float | None, asks: bool, words: str) -> None:
    assert wording.stalled_notice(Stalled(12.0, limit), asks=asks) == words


def test_rows_end_between_words() -> None:
    line = "a long notice; cloudllm plugins show zap"
    assert wrapped(line, 32) == ["a long notice; cloudllm plugins", "show zap"]
    assert wrapped("日本語 日本語", 7) == ["日本語", "日本語"]
    assert wrapped("a averyverylongword b", 5) == ["a", "averyverylongword", "b"]
    assert wrapped("", 5) == [""]


@given(st.text(alphabet="ab日 "), st.integers(1, 20))
def test_nothing_is_lost_and_rows_fit(line: str, columns: int) -> None:
    rows = wrapped(line, columns)
    assert " ".join(rows) == line
    assert all(wcswidth(row) <= columns or " " not in row for row in rows)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("/help  list the commands of it", ["/help  list the", "       commands of", "       it"]),
        ("  1  you  go on", ["  1  you  go on"]),
        ("  - a word and another one", ["  - a word and", "  another one"]),
        ("words without any column", ["words without any", "column"]),
        ("one, two, three,  and four", ["one, two, three, ", "and four"]),
        ("日本  日本語 日本語 日本語", ["日本  日本語 ", "      日本語 ", "      日本語"]),
    ],
)
def test_a_row_of_a_table_goes_on_below_its_last_column(line: str, shown: list[str]) -> None:
    assert [row.rstrip() for row in hung(line, 18)] == [row.rstrip() for row in shown]


@given(st.text("ab 日", max_size=60), st.integers(1, 30))
def test_what_hangs_loses_nothing(line: str, columns: int) -> None:
    assert "".join(hung(line, columns)).replace(" ", "") == line.replace(" ", "")
