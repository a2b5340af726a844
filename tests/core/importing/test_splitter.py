"""JSON read value by value: whatever the pieces are, the same comes out, or the same is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.errors import UsageError
from cloudllm.importing import splitter
from cloudllm.importing.splitter import Splitter

PLAIN = (
    st.sampled_from([None, True, False, 7, -1.5e-7, 2**70, "", "]", "\\", '"', "€\n"])
    | st.text(max_size=5)
    | st.floats(allow_nan=False)
)
LISTS = st.lists(PLAIN, max_size=3)
OBJECTS = st.dictionaries(st.text(max_size=3), PLAIN | LISTS, max_size=3)
VALUES = PLAIN | LISTS | OBJECTS


def cut(text: str, size: int) -> Iterator[str]:
    return iter([text[at : at + size] for at in range(0, len(text), size)])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitter, "_PIECE", 1)


def error(text: str, size: int = 3) -> str:
    found = Splitter(cut(text, size), "x.json")
    with pytest.raises(UsageError) as caught:
        list(found.elements())
    return str(caught.value)


@settings(max_examples=50, deadline=None)
@given(st.lists(VALUES, max_size=4), st.integers(1, 9), st.sampled_from([None, 2]))
def test_elements_are_those_of_the_array_however_the_text_is_cut(
    values: list[object], size: int, indent: int | None
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    assert list(Splitter(cut(text, size), "x").elements()) == values


@settings(max_examples=50, deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=4), st.floats(0, 0.999))
def test_a_cut_off_array_gives_what_is_whole_and_says_that_it_breaks_off(
    values: list[object], part: float
) -> None:
    text = json.dumps(values)
    end = int(len(text) * part)
    found: list[object] = []
    with pytest.raises(UsageError, match="breaks off"):
        found.extend(Splitter(cut(text[:end], 4), "x").elements())  # it keeps what came before
    assert found == values[: len(found)]


def test_values_may_follow_each_other_without_an_array() -> None:
    values = Splitter(cut('{"a": 1}\n12\n\n"b"', 2), "x")
    found = []
    while values.peek():
        found.append(values.value())
    assert found == [{"a": 1}, 12, "b"]


def test_the_fields_of_an_object_are_read_one_by_one() -> None:
    values = Splitter(cut('{"a": [1, 2], "b": {"c": null}}', 2), "x")
    assert [(name, values.value()) for name in values.names()] == [
        ("a", [1, 2]),
        ("b", {"c": None}),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1: it breaks off here"),
        ("[1,\n 2", "line 2, column 3: it breaks off here"),
        ("[1,\n\n  2 3]", "line 3, column 5: ']' is missing"),
        ("[1,\n  nul, 2, 3, 4, 5, 6, 7]", "line 2, column 3: expecting value"),
        ('[{"a" 1, "b": 2, "c": 3, "d": 4}]', "column 7: expecting ':' delimiter"),
        ("{}", "line 1, column 1: '[' is missing"),
        ("[" + "[" * 5000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "a number is too long"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    assert error(text) == f"x.json: {said}" or said in error(text)


def test_a_place_is_right_far_behind_the_start() -> None:
    text = "[" + "\n".join(f'"{"a" * 50}",' for _ in range(200)) + "\n  ?]"
    assert "line 201, column 3" in error(text, 100)


def test_a_value_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitter, "LONGEST", 1000)
    read: list[int] = []

    def pieces() -> Iterator[str]:
        yield '["'
        while True:
            read.append(1)
            yield "a" * 100

    with pytest.raises(UsageError, match="column 2: a value has more than"):
        list(Splitter(pieces(), "x").elements())
    assert len(read) < 12


def test_what_was_read_before_the_pieces_failed_is_given_first() -> None:
    def pieces() -> Iterator[str]:
        yield "[1, 2, "
        raise UsageError("the disk is gone")

    found = Splitter(pieces(), "x").elements()
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(UsageError, match="the disk is gone"):
        next(found)
