"""Titles of first messages: readable, short, and harmless whatever the message holds."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from cloudllm.store.naming import checked_title
from cloudllm.store.titles import LONGEST, UNTITLED, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What is ownership in Rust?", "What is ownership in Rust?"),
        ("\n\n  first \t line\nsecond", "first line"),
        ("# Heading\n\ntext", "Heading"),
        ("- [ ] **Do** this", "Do this"),
        ("> quoted *words* and `code`", "quoted words and code"),
        ("1. first\n2. second", "first"),
        ("```python\nprint(1)\n```\nWhat does this do?", "What does this do?"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("```\n```", UNTITLED),
        ("---\n***\nafter the line", "after the line"),
        ("See [the page](https://a.example/x) please", "See the page please"),
        ("![a cat](cat.png)", "a cat"),
        ("snake_case_name and 2*3*4", "snake_case_name and 2*3*4"),
        ("_so_ __strong__ ***both*** ~~gone~~", "so strong both gone"),
        ("\x1b[31mred\x1b[0m \x1b]0;evil\x07title", "red title"),
        ("a\x00b\x07c\u202ed\u200be", "abcde"),
        ("東京は日本の首都です" * 5, "東京は日本の首都です東京は日本の首都です東京は日本の首都で…"),
        ("🦄", "🦄"),
        ("?!", "?!"),
        ("", UNTITLED),
        (" \n\t", UNTITLED),
        ("\u200b\u200b", UNTITLED),
        ("x" * 100, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        (
            "Please explain to me how the borrow checker of Rust decides about lifetimes",
            "Please explain to me how the borrow checker of Rust decides…",
        ),
        ("1.5 is a number", "1.5 is a number"),
        ("C# and #hashtag", "C# and #hashtag"),
        ("#include <stdio.h>", "#include <stdio.h>"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text(max_size=200) | st.text(alphabet="#*_`~[]()!>-+ \n\tab\x1b", max_size=200))
@settings(max_examples=50)
def test_a_title_is_never_empty_nor_long_and_shows_all_that_it_is(text: str) -> None:
    title = title_of(text)
    assert title.strip() == title != ""
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in title)
    assert wcswidth(title) <= 60
    assert title_of(text) == title


def test_a_title_stays_as_it_is_when_it_is_taken_again() -> None:
    assert title_of(title_of("## Why **this**?")) == "Why this?"


@pytest.mark.parametrize(
    "text", ["*" * 50_000, "_a" * 30_000, "[" * 50_000, "> " * 30_000, "`a" * 30_000]
)
def test_a_hostile_message_takes_no_time(text: str) -> None:
    assert title_of(text)


@given(st.text(st.sampled_from("a\u0301\u0302 #*\0\ud800"), max_size=500))
@settings(max_examples=50)
def test_a_person_could_have_given_it_whatever_marks_the_letters_have(text: str) -> None:
    title = title_of(text + "\u0301" * 300)
    assert checked_title(title) == title
    assert len(title) <= LONGEST
