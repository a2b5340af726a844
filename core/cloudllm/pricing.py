"""What a call costs, or could cost at most, in whole billionths of a US dollar (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cloudllm.messages import Cost, Usage
from cloudllm.provider import Client, LongPrice, ModelInfo

FREE = "free"
"""The source of the price of what runs on the user's own machine."""

MOST_TOKENS = 10**9
"""No call has more; a provider that reports more is not believed further than this."""

_NANO = 10**9
_MILLION = 10**6
_CENT, _DOLLAR = _NANO // 100, _NANO


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Prices in billionths of a US dollar per million tokens, so that all of them are whole."""

    input: int
    output: int
    cached: int
    stored: int

    def nano(self, *, fresh: int, cached: int, stored: int, output: int) -> int:
        """What these tokens cost, rounded up."""
        parts = (
            fresh * self.input,
            cached * self.cached,
            stored * self.stored,
            output * self.output,
        )
        return -(-sum(parts) // _MILLION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of a model: `rates`, or those of the last of `longer` that its input is over.

    Without `rates` nobody knows it. `source` says where it is from.
    """

    rates: Rates | None
    longer: tuple[tuple[int, Rates], ...] = ()
    source: str = ""

    @property
    def known(self) -> bool:
        """Does anybody know it?"""
        return self.rates is not None

    @property
    def free(self) -> bool:
        """Does a call cost nothing, whatever comes of it?"""
        return self.source == FREE

    def rates_for(self, input_tokens: int) -> Rates | None:
        """The prices that hold for a call with so much input."""
        over = (rates for above, rates in reversed(self.longer) if input_tokens > above)
        return next(over, self.rates)

    def cost(self, usage: Usage) -> Cost:
        """What a call cost; numbers that cannot be are taken for the nearest that can."""
        total = believed(usage.input_tokens)
        rates = self.rates_for(total)
        if rates is None:
            return Cost(unknown=1, estimated=usage.estimated)
        cached = min(believed(usage.cached_tokens), total)
        stored = min(believed(usage.stored_tokens), total - cached)
        nano = rates.nano(
            fresh=total - cached - stored,
            cached=cached,
            stored=stored,
            output=believed(usage.output_tokens),
        )
        return Cost(nano=nano, estimated=usage.estimated and not self.free, source=self.source)

    def projected(self, input_tokens: int, output_tokens: int) -> int | None:
        """The most that a call of this size can cost; `None` if nobody knows its price.

        All of its input may be written to the provider's cache, where that costs more.
        """
        rates = self.rates_for(believed(input_tokens))
        if rates is None:
            return None
        return -(
            -(_most_for(rates, input_tokens) + believed(output_tokens) * rates.output) // _MILLION
        )

    def answer(self, nano: int, input_tokens: int) -> int:
        """How many tokens of an answer this money pays for, next to its input; none if it is not
        enough for that alone.
        """
        rates = self.rates_for(believed(input_tokens))
        if rates is None:
            return 0
        left = nano * _MILLION - _most_for(rates, input_tokens)
        if left < 0:
            return 0
        return min(left // rates.output, MOST_TOKENS) if rates.output else MOST_TOKENS


def price_of(client: Client, info: ModelInfo) -> Price:
    """The price of the client's model, of which `info` is all that is known."""
    if client.free:
        return Price(rates=Rates(input=0, output=0, cached=0, stored=0), source=FREE)
    rates = _rates(info)
    if rates is None:
        return Price(rates=None)
    own = client.info is not None and client.info.input_price is not None
    longer = [(each.above, _rates(each)) for each in info.long_prices or ()]
    return Price(
        rates=rates,
        longer=tuple(sorted((above, each) for above, each in longer if each is not None)),
        source=client.provider if own else _litellm(),
    )


def believed(tokens: object) -> int:
    """A number of tokens as it can be; what is none counts as nothing."""
    return min(max(tokens, 0), MOST_TOKENS) if isinstance(tokens, int) else 0


def dollars(nano: int) -> str:
    """An amount for people; what is not nothing never looks like it."""
    if abs(nano) >= _DOLLAR or nano == 0:
        return f"${Decimal(nano) / _NANO:,.2f}"
    if abs(nano) >= _CENT:
        return f"${Decimal(nano) / _NANO:.4f}"
    return f"${Decimal(f'{nano:.2e}') / _NANO:f}"


def shown(cost: Cost) -> str:
    """A cost for people: `~` marks an estimate, and calls of unknown price are named."""
    about = "~" if cost.estimated else ""
    if not cost.unknown:
        return f"{about}{dollars(cost.nano)}"
    if not cost.nano:
        return "unknown"
    return f"{about}{dollars(cost.nano)} + {cost.unknown:,} unknown"


def _most_for(rates: Rates, input_tokens: int) -> int:
    """The most that the input can cost, in millionths of a billionth."""
    return believed(input_tokens) * max(rates.input, rates.stored)


def _rates(prices: ModelInfo | LongPrice) -> Rates | None:
    """Whole rates, if the two that matter are known; a cache without a price of its own has none."""
    given, answer = _whole(prices.input_price), _whole(prices.output_price)
    if given is None or answer is None:
        return None
    cached, stored = _whole(prices.cached_price), _whole(prices.stored_price)
    return Rates(
        input=given,
        output=answer,
        cached=given if cached is None else cached,
        stored=given if stored is None else stored,
    )


def _whole(price: float | None) -> int | None:
    """Billionths of a dollar for the price in dollars, both per million tokens."""
    if price is None or not (math.isfinite(price) and price >= 0):
        return None
    return round(Decimal(str(price)) * _NANO)


@cache
def _litellm() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 25 ms

    try:
        return f"litellm {version('litellm')}"
    except PackageNotFoundError:
        return "litellm"
