"""The estimate learns from what providers report, whatever their tokenizer, and never breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import Message, Role
from cloudllm.calibration import Calibration, Calibrations
from cloudllm.tokens import KINDS, ZERO, Profile, profile_message, profile_text
from tests.core import corpora
from tests.core.tokenizers_offline import NAMES, tokenizer

SYSTEM = Message(Role.SYSTEM, "You are a helpful assistant. Be brief.")
TURNS = 10
KINDS_OF_TALK = {
    "English": corpora.english,
    "code": corpora.code,
    "Chinese": corpora.chinese,
    "Japanese": corpora.japanese,
    "Korean": corpora.korean,
    "CJK": corpora.cjk,
    "emoji": corpora.emoji,
    "mixed": corpora.mixed,
}


@dataclass
class Talk:
    """A conversation whose requests a provider counts with a tokenizer and a chat template."""

    count: Callable[[str], int]
    kind: Callable[[Random], str]
    seed: int = 0
    frame: int = 3
    border: int = 4
    most: int | None = None
    calibration: Calibration = field(init=False, default_factory=Calibration)
    messages: list[Message] = field(init=False, default_factory=lambda: [SYSTEM])

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def ask(self) -> tuple[Profile, int]:
        """What goes out next: its profile and its real tokens."""
        self.messages.append(Message(Role.USER, self.kind(self.random)))
        while self.most and len(self.messages) > self.most:
            del self.messages[1:3]
        tokens = sum(self.count(message.content) + self.border for message in self.messages)
        return sum(map(profile_message, self.messages), ZERO), tokens + self.frame

    def answer(self) -> None:
        text = "\n".join(self.kind(self.random) for _ in range(2))
        self.messages.append(Message(Role.ASSISTANT, text))
        self.calibration.observe_output(profile_text(text), self.count(text) + 1)

    def turns(self, number: int = TURNS) -> Talk:
        for _ in range(number):
            self.calibration.observe(*self.ask())
            self.answer()
        return self

    def off(self) -> tuple[float, float]:
        """By which share the default rates and the calibration are off for the next request."""
        profile, tokens = self.ask()
        return abs(profile.tokens / tokens - 1), abs(self.calibration.tokens(profile) / tokens - 1)


def worst(name: str, kind: str, seeds: int, **template: int) -> tuple[float, float]:
    """The greatest errors before and after ten turns."""
    talks = [
        Talk(tokenizer(name), KINDS_OF_TALK[kind], seed, **template).turns().off()
        for seed in range(seeds)
    ]
    return max(before for before, _ in talks), max(after for _, after in talks)


@pytest.mark.parametrize("kind", KINDS_OF_TALK)
@pytest.mark.parametrize("name", NAMES)
def test_after_ten_turns_the_estimate_is_within_5_percent(name: str, kind: str) -> None:
    assert worst(name, kind, seeds=1)[1] <= 0.05


@pytest.mark.parametrize("kind", ["English", "Korean", "mixed"])
def test_the_constants_of_a_chat_template_are_learned(kind: str) -> None:
    assert worst("cl100k_base", kind, seeds=1, frame=300, border=9)[1] <= 0.05


@pytest.mark.parametrize("name", NAMES)
def test_a_conversation_of_all_kinds_that_is_trimmed_stays_within_10_percent(name: str) -> None:
    assert worst(name, "mixed", seeds=2, most=10)[1] <= 0.10


@pytest.mark.slow
def test_the_table_of_errors() -> None:
    """Prints the table of the documentation, from twelve conversations of each kind."""
    rows = ["", "| tokenizer | text | at the default rates | after ten turns | trimmed |"]
    rows.append("|---|---|--:|--:|--:|")
    for name in NAMES:
        for kind in KINDS_OF_TALK:
            before, after = worst(name, kind, seeds=12)
            trimmed = worst(name, kind, seeds=12, most=10)[1]
            rows.append(f"| {name} | {kind} | {before:.1%} | {after:.1%} | {trimmed:.1%} |")
            assert after <= 0.05, rows[-1]
            assert trimmed <= 0.10, rows[-1]
    print("\n".join(rows))


def test_another_kind_of_text_midway_is_learned_too() -> None:
    talk = Talk(tokenizer("cl100k_base"), corpora.english).turns(5)
    talk.kind = corpora.korean
    assert talk.turns(5).off()[1] <= 0.05


def test_before_the_first_report_the_default_rates_hold() -> None:
    calibration = Calibration()
    profile = profile_text("The harbour froze.")
    assert calibration.tokens(profile) == profile.tokens
    assert (calibration.error, calibration.margin, calibration.reports) == (None, 0.10, 0)


def test_the_margin_shrinks_as_reports_agree_but_never_to_nothing() -> None:
    talk = Talk(tokenizer("o200k_base"), corpora.english)
    margins = [talk.turns(1).calibration.margin for _ in range(12)]
    assert margins[0] < 0.10
    assert margins[-1] < margins[0]
    assert min(margins) == 0.02
    assert talk.calibration.reports == 12


def test_the_error_is_that_of_the_estimates_before_learning() -> None:
    calibration = Calibration()
    profile = profile_text("The harbour froze before the herring arrived. " * 20)
    calibration.observe(profile, round(profile.tokens * 1.25))
    assert calibration.error == pytest.approx(0.20, abs=0.01)
    assert calibration.tokens(profile) == pytest.approx(profile.tokens * 1.25, rel=0.03)


@pytest.mark.parametrize("absurd", [-5, 0, 1, 10**8, 10**30])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_one_absurd_report_is_forgotten(absurd: int, before: int) -> None:
    talk = Talk(tokenizer("cl100k_base"), corpora.mixed).turns(before)
    profile, _ = talk.ask()
    talk.calibration.observe(profile, absurd)
    talk.calibration.observe_output(profile, absurd)
    talk.answer()
    assert talk.turns(TURNS).off()[1] <= 0.05


@pytest.mark.parametrize("times", [0.1, 10])
@pytest.mark.parametrize("before", [0, 1, 5])
def test_one_report_ten_times_off_is_forgotten(times: float, before: int) -> None:
    talk = Talk(tokenizer("o200k_base"), corpora.english).turns(before)
    profile, tokens = talk.ask()
    talk.calibration.observe(profile, round(tokens * times))
    talk.answer()
    assert talk.turns(3).off()[1] <= 0.05
    assert talk.calibration.margin <= 0.25


def test_a_tokenizer_that_changes_under_its_name_is_learned_anew() -> None:
    talk = Talk(tokenizer("o200k_base"), corpora.korean).turns(5)
    talk.count = tokenizer("cl100k_base")
    assert talk.turns(5).off()[1] <= 0.05


def test_each_model_has_a_calibration_of_its_own() -> None:
    calibrations = Calibrations()
    profile = profile_text("The harbour froze. " * 50)
    calibrations.of("acme/one").observe(profile, profile.tokens * 2)
    assert calibrations.of("acme/one") is calibrations.of("acme/one")
    assert calibrations.of("acme/two").tokens(profile) == profile.tokens


amounts = st.integers(0, 10**9)
profiles = st.lists(amounts, min_size=len(KINDS), max_size=len(KINDS)).map(Profile)
reports = st.tuples(profiles, st.integers(-(10**12), 10**12) | st.integers(1, 10**6), st.booleans())


@given(st.lists(reports, max_size=12), profiles, profiles)
def test_whatever_is_reported_estimates_stay_sane(
    reported: list[tuple[Profile, int, bool]], one: Profile, two: Profile
) -> None:
    calibration = Calibration()
    for profile, tokens, of_a_reply in reported:
        (calibration.observe_output if of_a_reply else calibration.observe)(profile, tokens)
    first, second = calibration.tokens(one), calibration.tokens(two)
    together = calibration.tokens(one + two)
    assert max(first, second) <= together
    assert abs(together - first - second) <= 2
    assert calibration.tokens(one - one) == 0
    assert 0 <= first <= 500 * sum(one) / 1000 + 1
    assert 0.02 <= calibration.margin <= 0.25
    assert calibration.error is None or 0 <= calibration.error <= 1
    assert math.isfinite(calibration.margin)


@given(st.lists(st.integers(1, 100_000), min_size=3, max_size=30), st.integers(1, 400))
def test_text_is_never_taken_for_less_than_two_fifths_nor_more_than_four_times_its_default(
    reported: list[int], words: int
) -> None:
    calibration = Calibration()
    profile = profile_text("The harbour froze. " * words)
    for tokens in reported:
        calibration.observe(profile, tokens)
    default = sum(profile) / 1000
    assert 0.4 * default - 1 <= calibration.tokens(profile) <= 4 * default + 1
