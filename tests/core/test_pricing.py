"""Prices: exact in whole billionths, never nothing for what is unknown, an upper bound before."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import Client, Cost, LongPrice, ModelInfo, Usage
from cloudllm.gateway import catalogue
from cloudllm.pricing import MOST_TOKENS, Price, Rates, dollars, price_of, shown

CLIENT = Client(provider="acme", label="Acme", model="m")
INFO = ModelInfo(name="m", input_price=3.0, output_price=15.0, cached_price=0.3, stored_price=3.75)
PRICE = price_of(CLIENT, INFO)

TOKENS = st.integers(0, 2_000_000)
RATE = st.integers(0, 10**12)
RATES = st.builds(Rates, input=RATE, output=RATE, cached=RATE, stored=RATE)


def usage(given: int, output: int, cached: int | None = None, stored: int | None = None) -> Usage:
    return Usage(
        input_tokens=given, output_tokens=output, cached_tokens=cached, stored_tokens=stored
    )


def test_G10_each_kind_of_token_has_its_price() -> None:
    cost = PRICE.cost(usage(1000, 200, 300, 100))
    dollars_per_million = 600 * 3.0 + 300 * 0.3 + 100 * 3.75 + 200 * 15.0
    assert cost == Cost(nano=round(dollars_per_million * 1000), source=PRICE.source)


def test_a_cache_without_a_price_of_its_own_costs_what_input_does() -> None:
    price = price_of(CLIENT, replace(INFO, cached_price=None, stored_price=None))
    assert price.cost(usage(1000, 0, 400, 300)) == price.cost(usage(1000, 0))


def test_G10_an_estimate_is_marked() -> None:
    assert PRICE.cost(replace(usage(1, 1), estimated=True)).estimated


@pytest.mark.parametrize(
    "info",
    [
        ModelInfo(name="m"),
        replace(INFO, input_price=None),
        replace(INFO, output_price=None),
        replace(INFO, input_price=math.nan),
        replace(INFO, output_price=math.inf),
        replace(INFO, input_price=-1.0),
    ],
)
def test_G10_an_unknown_price_is_unknown_and_never_nothing(info: ModelInfo) -> None:
    price = price_of(CLIENT, info)
    assert not price.known
    assert price.cost(usage(1000, 200)) == Cost(unknown=1)
    assert shown(price.cost(usage(1000, 200))) == "unknown"
    assert price.projected(1000, 200) is None
    assert price.answer(10**12, 1000) == 0


def test_what_runs_on_ones_own_machine_is_free() -> None:
    price = price_of(replace(CLIENT, free=True), ModelInfo(name="m"))
    assert price.known
    assert price.free
    assert price.cost(replace(usage(1000, 200), estimated=True)) == Cost(source="free")
    assert price.projected(10**9, 10**9) == 0


def test_the_source_is_told() -> None:
    assert PRICE.source.startswith("litellm 1.")
    assert price_of(replace(CLIENT, info=INFO), INFO).source == "acme"
    assert price_of(replace(CLIENT, info=ModelInfo(name="m")), INFO).source == PRICE.source


def test_G10_a_call_with_much_input_has_the_price_of_long_calls() -> None:
    longer = (
        LongPrice(above=200_000, input_price=12.0, output_price=30.0),
        LongPrice(above=100_000, input_price=6.0, output_price=20.0, cached_price=0.6),
        LongPrice(above=50_000, input_price=6.0),
    )
    price = price_of(CLIENT, replace(INFO, long_prices=longer))
    assert price.cost(usage(100_000, 10)).nano == 300_000_000 + 150_000
    assert price.cost(usage(100_001, 10, 1)).nano == 600_000_000 + 600 + 200_000
    assert price.cost(usage(200_001, 10)).nano == 2_400_012_000 + 300_000
    assert price.projected(200_001, 10) == 2_400_012_000 + 300_000


def test_G10_the_shipped_data_knows_prices_of_long_calls() -> None:
    luna = catalogue.service("openai").models["gpt-6-luna"]
    price = price_of(CLIENT, luna)
    assert price.cost(usage(272_000, 0)).nano == 272_000 * 100
    assert price.cost(usage(272_001, 0)).nano == 272_001 * 200


@given(RATES, TOKENS, TOKENS, TOKENS, TOKENS)
def test_G10_costs_are_exact_and_rounded_up_once(
    rates: Rates, given: int, output: int, cached: int, stored: int
) -> None:
    nano = Price(rates=rates).cost(usage(given, output, cached, stored)).nano
    cached = min(cached, given)
    stored = min(stored, given - cached)
    exact = Fraction(
        (given - cached - stored) * rates.input
        + cached * rates.cached
        + stored * rates.stored
        + output * rates.output,
        10**6,
    )
    assert nano == math.ceil(exact)


@given(RATES, TOKENS, TOKENS, TOKENS)
def test_G10_no_call_of_that_size_costs_more_than_projected(
    rates: Rates, given: int, output: int, stored: int
) -> None:
    price = Price(rates=replace(rates, cached=min(rates.cached, rates.input)))
    projected = price.projected(given, output)
    assert projected is not None
    assert price.cost(usage(given, output, given // 3, stored)).nano <= projected


@given(RATES, TOKENS, st.integers(0, 10**12))
def test_G10_the_answer_that_money_pays_for_is_paid_for(
    rates: Rates, given: int, nano: int
) -> None:
    price = Price(rates=rates)
    tokens = price.answer(nano, given)
    enough, more = price.projected(given, tokens), price.projected(given, tokens + 1)
    assert enough is not None
    assert more is not None
    assert tokens == 0 or enough <= nano
    assert tokens == MOST_TOKENS or more > nano


@pytest.mark.parametrize("tokens", [-1, -(10**30), 10**30])
def test_G10_numbers_that_cannot_be_break_nothing(tokens: int) -> None:
    cost = PRICE.cost(usage(tokens, tokens, tokens, tokens))
    assert 0 <= cost.nano < 2**62
    assert 0 <= (PRICE.projected(tokens, tokens) or 0) < 2**62


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (1_234, "$0.00000123"),
        (3_870_000, "$0.00387"),
        (49_200_000, "$0.0492"),
        (1_234_567_890, "$1.23"),
        (1_234_567 * 10**9, "$1,234,567.00"),
    ],
)
def test_an_amount_is_told_in_digits_that_matter(nano: int, text: str) -> None:
    assert dollars(nano) == text


def test_G10_a_cost_says_what_is_estimated_and_what_is_unknown() -> None:
    assert shown(Cost(nano=49_200_000)) == "$0.0492"
    assert shown(Cost(nano=49_200_000, estimated=True)) == "~$0.0492"
    assert shown(Cost(nano=49_200_000, unknown=2)) == "$0.0492 + 2 unknown"
    assert shown(Cost()) == "$0.00"
