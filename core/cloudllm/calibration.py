"""Learns what the tokenizer of a model makes of each kind of text, from the usage reported (pure).

For each kind of text there is a factor, 1 at first, that corrects the default rate. A report is a
linear equation of them; a Kalman filter weighs it against what was learned before. What a report
adds to the one before it is an equation too: it tells of the newest text alone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from operator import mul

from cloudllm.tokens import KINDS, Profile

_SIZE = len(KINDS)
_BORDERS, _FRAME = KINDS.index("borders"), KINDS.index("frame")  # the last two; not text
_LATIN = frozenset(("words", "joined", "long", "signs", "digits", "blanks"))

# How far factors are expected to be from 1: tokenizers differ as a whole and in each kind, in what
# they make of English and code the least; templates around messages and requests differ most.
_SHARED = 0.15**2
_OWN_LATIN, _OWN = 0.15**2, 0.30**2
_OWN_BORDERS, _OWN_FRAME = 0.5**2, 30.0**2
_DRIFT = 0.02**2  # added at each report, so that the newest text always counts

_TEXT_BOUNDS = (0.4, 4.0)
_BORDERS_BOUNDS = (0.0, 10.0)
_FRAME_BOUNDS = (0.0, 500.0)

# How exact the equations are, as a share of the tokens; the shorter the text, the less exact.
_WHOLE_NOISE, _ADDED_NOISE, _OUTPUT_NOISE = 0.01, 0.03, 0.05

_SURPRISE = 4.0  # standard deviations from which a report is not believed at once
_MOST = 10**9  # tokens; no report above it is believed at all
_LEAST_WRITTEN = 20  # tokens; shorter replies say more about their ends than about their text

_RECENT = 8
_FIRST_MARGIN, _LEAST_MARGIN, _MOST_MARGIN = 0.10, 0.02, 0.25


class Calibration:
    """What the reports about one model have taught; before the first one, the default rates.

    reports  how many reports were learned from
    """

    def __init__(self) -> None:
        self.reports = 0
        self._errors: deque[float] = deque(maxlen=_RECENT)
        self._last: tuple[Profile, int] | None = None
        self._doubted: tuple[Profile, int] | None = None
        self._restart()

    @property
    def error(self) -> float | None:
        """The share by which the latest estimates were off, before learning from their reports."""
        return sum(self._errors) / len(self._errors) if self._errors else None

    @property
    def margin(self) -> float:
        """The share to add to an estimate to be safe: less, the better the latest ones were."""
        spread = (sum(self._errors) + _FIRST_MARGIN / 2) / (len(self._errors) + 1)
        return min(max(2 * spread, _LEAST_MARGIN), _MOST_MARGIN)

    def tokens(self, profile: Profile) -> int:
        """The tokens of what `profile` tells of, estimated."""
        return max(0, round(_dot(self._rates, profile)))

    def observe(self, sent: Profile, input_tokens: int) -> None:
        """Learn that a request of this profile had so many tokens.

        A report that contradicts all others is put aside, until the next one contradicts them too;
        one that no tokenizer could make is not believed at all.
        """
        if not _is_possible(sent, input_tokens):
            return
        report = (sent, input_tokens)
        if self._surprise(sent, input_tokens) <= _SURPRISE:
            self._doubted = None
            self._learn(report)
        elif self._doubted is None:
            self._doubted = report
        else:
            doubted, self._doubted, self._last = self._doubted, None, None
            self._restart()
            self._learn(doubted)
            self._learn(report)

    def observe_output(self, written: Profile, output_tokens: int) -> None:
        """Learn that a reply of this profile had so many tokens, those of its reasoning aside."""
        if not _is_possible(written, output_tokens) or sum(written) < 1000 * _LEAST_WRITTEN:
            return
        if self._surprise(written, output_tokens) <= _SURPRISE:
            self._weigh(written, output_tokens, 2 + _OUTPUT_NOISE * output_tokens)

    def _restart(self) -> None:
        """Forget all factors."""
        self._factors = [1.0] * _SIZE
        self._covariance = [[_prior(i, j) for j in range(_SIZE)] for i in range(_SIZE)]
        self._set_rates()

    def _learn(self, report: tuple[Profile, int]) -> None:
        sent, tokens = report
        self._errors.append(min(1.0, abs(self.tokens(sent) - tokens) / tokens))
        self.reports += 1
        for i in range(_SIZE):
            self._covariance[i][i] = min(self._covariance[i][i] + _DRIFT, _prior(i, i))
        if self._last is not None:
            before, tokens_before = self._last
            added = sent - before
            size = sum(map(abs, added)) / 1000
            self._weigh(added, tokens - tokens_before, 1.5 + _ADDED_NOISE * size)
        self._weigh(sent, tokens, 1 + _WHOLE_NOISE * tokens)
        self._last = report

    def _surprise(self, profile: Profile, tokens: int) -> float:
        """How far a report is from the estimate, in standard deviations."""
        row = [amount / 1000 for amount in profile]
        spread = _dot(row, [_dot(line, row) for line in self._covariance])
        noise = 1 + 0.05 * min(tokens, sum(row))
        return abs(tokens - _dot(self._factors, row)) / math.sqrt(max(spread, 0.0) + noise**2)

    def _weigh(self, profile: Profile, tokens: int, noise: float) -> None:
        """Let the equation `factors . profile = tokens`, true within `noise`, move the factors."""
        row = [amount / 1000 for amount in profile]
        gain = [_dot(line, row) for line in self._covariance]
        spread = max(_dot(row, gain), 0.0) + noise**2
        missing = (tokens - _dot(self._factors, row)) / spread
        self._factors = [
            min(max(factor + share * missing, low), high)
            for factor, share, (low, high) in zip(self._factors, gain, _BOUNDS, strict=True)
        ]
        self._covariance = [
            [value - left * right / spread for value, right in zip(line, gain, strict=True)]
            for line, left in zip(self._covariance, gain, strict=True)
        ]
        self._set_rates()

    def _set_rates(self) -> None:
        self._rates = [factor / 1000 for factor in self._factors]


class Calibrations:
    """The calibrations of all models a process talks to, by model id."""

    def __init__(self) -> None:
        self._of: dict[str, Calibration] = {}

    def of(self, model_id: str) -> Calibration:
        """The calibration of that model: the same one each time."""
        return self._of.setdefault(model_id, Calibration())


_BOUNDS = tuple(
    {_BORDERS: _BORDERS_BOUNDS, _FRAME: _FRAME_BOUNDS}.get(kind, _TEXT_BOUNDS)
    for kind in range(_SIZE)
)


def _is_possible(profile: Profile, tokens: int) -> bool:
    """Whether any factors within their bounds make `profile` cost so much."""
    least, most = (_dot(bounds, profile) / 1000 for bounds in zip(*_BOUNDS, strict=True))
    return least - 1 <= tokens <= min(most + 1, _MOST) and tokens > 0


def _prior(i: int, j: int) -> float:
    """How the factors of two kinds are expected to vary together."""
    shared = 0.0 if max(i, j) >= _BORDERS else _SHARED
    return shared + (_own(i) if i == j else 0.0)


def _own(kind: int) -> float:
    if kind >= _BORDERS:
        return _OWN_FRAME if kind == _FRAME else _OWN_BORDERS
    return _OWN_LATIN if KINDS[kind] in _LATIN else _OWN


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    total: float = sum(map(mul, left, right))
    return total
