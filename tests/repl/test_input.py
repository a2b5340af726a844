"""Bursts of keys: merged, and still meaning what they would mean one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from cloudllm.repl.input import merge_runs

_ENTER = KeyPress(Keys.ControlM, "\r")
_keys = st.lists(
    st.one_of(
        st.characters(min_codepoint=32, max_codepoint=126).map(KeyPress),
        st.sampled_from([_ENTER, KeyPress(Keys.Escape), KeyPress(Keys.Up, "\x1b[A")]),
    ),
    max_size=200,
)


def _typed(text: str) -> list[KeyPress]:
    return [KeyPress(character) for character in text]


def test_a_long_run_becomes_one_press_after_two_single_keys() -> None:
    merged = merge_runs([*_typed("x" * 40), _ENTER, *_typed("short")])
    assert [key.data for key in merged] == ["x", "x", "x" * 38, "\r", *"short"]


def test_a_key_after_escape_stays_alone_so_that_escape_f_keeps_its_meaning() -> None:
    merged = merge_runs([KeyPress(Keys.Escape, "\x1b"), *_typed("f" + "y" * 40)])
    assert [key.data for key in merged[:3]] == ["\x1b", "f", "y"]


@given(_keys)
def test_G13_merging_changes_no_key_and_no_order(keys: list[KeyPress]) -> None:
    merged = merge_runs(keys)
    assert "".join(key.data for key in merged) == "".join(key.data for key in keys)
    special = [key for key in keys if isinstance(key.key, Keys)]
    assert [k for k in merged if isinstance(k.key, Keys) and k.key is not Keys.Any] == special
