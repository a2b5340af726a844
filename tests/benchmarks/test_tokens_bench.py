"""Counting costs what the new text costs; adding up and estimating cost next to nothing."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from random import Random

from cloudllm.calibration import Calibration
from cloudllm.tokens import profile_text
from tests.core import corpora

ONE, TWO = profile_text("The harbour froze (again)."), profile_text("昨天晚上下了一场大雨 🎉")


def microseconds(call: Callable[[], object], number: int = 2_000) -> float:
    """The best of several rounds."""
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def test_100_kb_of_prose_take_15_ms_at_most(slowness: float) -> None:
    random = Random(1)
    text = " ".join(corpora.english(random) for _ in range(400))[:100_000]
    assert len(text) == 100_000
    took = microseconds(lambda: profile_text(text), 5) / 1000
    print(f"tokens: {took:.1f} ms for 100 KB of prose")
    assert took <= 15 * slowness


def test_adding_profiles_takes_about_a_microsecond(slowness: float) -> None:
    took = microseconds(lambda: ONE + TWO)
    print(f"tokens: {took:.2f} µs an addition")
    assert took <= 1.5 * slowness


def test_an_estimate_takes_two_microseconds_at_most(slowness: float) -> None:
    calibration = Calibration()
    took = microseconds(lambda: calibration.tokens(ONE))
    print(f"tokens: {took:.2f} µs an estimate")
    assert took <= 2 * slowness


def test_learning_from_a_report_takes_a_millisecond_at_most() -> None:
    calibration = Calibration()
    took = microseconds(lambda: calibration.observe(ONE, ONE.tokens + 1), 200)
    print(f"tokens: {took:.0f} µs a report")
    assert took <= 1_000
