"""Lines of the chat's own are broken between words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from cloudllm.repl.wording import wrapped


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
