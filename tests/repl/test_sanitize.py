"""Whatever a reply carries, the terminal gets text (guarantee G6)."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudllm.codepoints import JOINERS, visible
from cloudllm.repl.render import sanitize
from cloudllm.repl.render.sanitize import PipeText, Sanitizer, clean
from tests.repl.hostile import CORPUS, MARKDOWN, forbidden

# What a hostile stream is made of, so that random texts meet the rules and each other.
PIECES = [
    *"\r\n\t\x1b\x9b\x07\x7f\x00 aé\u4e2d\U0001f469\u200d\u200c\u0301\ufe0f\u202e\u2028\u2066",
    *"\ud83d\udc69\U000e0041\u00ad\u0627\u0600\ufffe\u1160\u1161\u200e\U0001f1e9>",
    "\r\n",
    "\udb40\udc41",
    "a" + "\u0301" * 11,
]
hostile_text = (
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from([case["text"] for case in CORPUS])
)


def _in_pieces(text: str, cuts: list[int]) -> str:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    stream = Sanitizer()
    shown = [stream.feed(text[a:b]) for a, b in pairwise(bounds)]
    return "".join(shown) + stream.end()


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["id"])
def test_G6_hostile_text_becomes_visible(case: dict[str, str]) -> None:
    assert clean(case["text"]) == case["shown"]


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case["id"])
def test_G6_hostile_text_is_the_same_in_single_characters(case: dict[str, str]) -> None:
    text = case["text"]
    assert _in_pieces(text, list(range(len(text)))) == case["shown"]
    for cut in range(len(text)):
        assert _in_pieces(text, [cut]) == case["shown"]


def test_the_corpus_is_large() -> None:
    for corpus in (CORPUS, MARKDOWN):
        assert len(corpus) == len({case["id"] for case in corpus}) >= 100


@given(hostile_text, st.lists(st.integers(0, 80), max_size=8))
@settings(max_examples=400)
def test_G6_the_result_does_not_depend_on_the_cuts(text: str, cuts: list[int]) -> None:
    assert _in_pieces(text, cuts) == clean(text)


@given(hostile_text)
@settings(max_examples=400)
def test_G6_nothing_that_acts_on_a_terminal_passes(text: str) -> None:
    assert [character for character in clean(text) if forbidden(character)] == []


@given(hostile_text)
def test_G6_one_line_fields_are_one_line(text: str) -> None:
    assert not set(clean(text, one_line=True)) & set("\n\t\r\u2028\u2029\x85\x0b\x0c")


@given(hostile_text)
def test_G6_cleaning_again_changes_nothing_but_mark_runs(text: str) -> None:
    shown = clean(text)
    assert clean(shown) == shown or "…" in shown


@given(hostile_text)
def test_G6_printable_text_is_never_lost(text: str) -> None:
    printable = [c for c in text if c.isascii() and c.isprintable()]
    rest = iter(clean(text))
    assert all(character in rest for character in printable)


@given(st.text("\u0301\u0302\ufe0f\u200d\u200c\u200e\u1161a\u4e2d", max_size=60))
def test_G6_no_character_carries_more_than_ten_marks(text: str) -> None:
    run = 0
    for character in clean(text):
        run = 0 if character in "a\u4e2d…<U+20CD>" else run + 1
        assert run <= sanitize.MAX_MARKS


def test_G6_every_single_code_point_is_safe() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert {character for character in set(clean(everything)) if forbidden(character)} == set()
    assert all(clean(character) for character in everything[:0x10000])


def test_plain_characters_are_what_the_slow_rules_leave_alone() -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if sanitize._plain().fullmatch(character):
            assert character in "\n\t" or visible(character) == character
            assert not sanitize._clings(character), hex(number)
            assert character not in JOINERS


@pytest.mark.parametrize(
    "text",
    [
        "Plain text,\n\ttabs and naïve café.",
        "日本語 한국어 العربية עברית ไทย हिन्दी ελληνικά Русский",
        "👩‍👩‍👧‍👦 ❤️‍🔥 👍🏽 🇩🇪 1️⃣ 🏳️‍🌈",
        "می‌خواهم क्‍ष",
        "List[int] <b>&#x202e;</b> %1b]0;x \\x1b[31m",
        "a\u200eb\u200fc \u0600123",
    ],
)
def test_honest_text_is_shown_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_a_clean_stream_is_not_held_back() -> None:
    stream = Sanitizer()
    assert [stream.feed(piece) for piece in ("a", "é", "\x1b", "\r", "b", "\u4e2d")] == [
        *("a", "é", "␛", "", "␍b", "中")
    ]


def test_limit_counts_characters_and_marks_the_cut() -> None:
    assert clean("abcdef", limit=6) == "abcdef"
    assert clean("abcdefg", limit=6) == "abcde…"
    assert clean("\x1b\n\tx", one_line=True, limit=3) == "␛␤…"


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        (["a\ud83d", "\udc69b"], "a👩b"),
        (["\ud83d", "", "\udc69"], "👩"),
        (["\ud83d", "x"], "\ufffdx"),
        (["\ud83d"], "\ufffd"),
        (["\udc69\ud83d\ud83d", "\udc69"], "\ufffd\ufffd👩"),
        (["\x1b[31m\r\x00\u202e"], "\x1b[31m\r\x00\u202e"),
    ],
)
def test_G14_a_pipe_gets_the_text_as_it_is(pieces: list[str], whole: str) -> None:
    stream = PipeText()
    assert "".join(map(stream.feed, pieces)) + stream.end() == whole
    whole.encode()


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 30))
def test_G14_text_for_a_pipe_can_always_be_encoded(text: str, cut: int) -> None:
    stream = PipeText()
    written = stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.end()
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert written == joined
