"""What a request may cost is set aside before it goes out, and what it did cost is put down after."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cloudllm.accounts import Call, Reservation
from cloudllm.calibration import Calibration
from cloudllm.errors import CloudLLMError, ProviderError
from cloudllm.messages import Cost, Usage
from cloudllm.pricing import Price, price_of
from cloudllm.provider import Client, ModelInfo, Request
from cloudllm.terms import Means
from cloudllm.tokens import Profile

_LONGER = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens", "n"})
"""Parameters that make an answer longer, or have several, than what is set aside pays for."""


@dataclass(slots=True)
class Expense:
    """A request that is about to go out: what it consists of, and what is set aside for it."""

    model: str
    request: Request
    profile: Profile
    calibration: Calibration
    price: Price
    reservation: Reservation | None
    consents: dict[str, int]

    @classmethod
    async def set_aside(
        cls,
        means: Means,
        client: Client,
        info: ModelInfo,
        request: Request,
        profile: Profile,
        *,
        purpose: Literal["reply", "summary", "title"],
        consents: dict[str, int],
    ) -> Expense:
        """Set aside what `request` may cost; with a budget its answer is limited to that.

        `consents` are those of the turn; what is spent in it is taken from them.

        Raises:
            BudgetExceeded: a budget has not enough left.
        """
        calibration = means.calibrations.of(client.id)
        price = price_of(client, info)
        if means.accounts is None:
            return cls(client.id, request, profile, calibration, price, None, consents)
        reservation = await means.accounts.reserve(
            Call(
                session=means.session,
                model=client.id,
                purpose=purpose,
                price=price,
                input_tokens=_most(calibration, profile),
                max_output_tokens=request.max_output_tokens,
                output_limit=info.output_limit,
                consent_nano=consents.get(client.id),
            )
        )
        if means.accounts.budgets and not price.free:
            request = _limited(request, reservation.max_output_tokens)
        return cls(client.id, request, profile, calibration, price, reservation, consents)

    async def account(self, means: Means, used: tuple[Usage, Cost] | None) -> None:
        """Put down what it used and cost; `None` if it was refused, or never got there."""
        if used is not None:
            means.cost += used[1]
        if self.reservation is None:
            return
        if used is not None and (agreed := self.consents.get(self.model)) is not None:
            self.consents[self.model] = max(0, agreed - used[1].nano)
        if used is None:
            await self.reservation.void()
        else:
            await self.reservation.settle(*used)


def may_be_charged(error: CloudLLMError) -> bool:
    """May the provider charge for a request of which this came, and nothing of a reply?

    Not if it said no, or was never reached; what it took on and did not finish may be charged.
    """
    return isinstance(error, ProviderError) and error.accepted


def _limited(request: Request, tokens: int | None) -> Request:
    """The request with one answer, of so many tokens at most, whatever its parameters ask for."""
    params = {name: value for name, value in request.params.items() if name not in _LONGER}
    most = request.max_output_tokens if tokens is None else tokens
    return replace(request, max_output_tokens=most, params=params)


def _most(calibration: Calibration, profile: Profile) -> int:
    """The input tokens to reckon with: the estimate, and what it may be off by."""
    tokens = calibration.tokens(profile)
    return tokens + round(tokens * calibration.margin)
