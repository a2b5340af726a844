"""A session under a budget: refused before anything goes out, limited to what is left, consented."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudllm import (
    Accounts,
    BudgetExceeded,
    Budgets,
    Client,
    Deadlines,
    LLMSession,
    ModelInfo,
    NetworkError,
    Outcome,
    Request,
    RetryPolicy,
    Role,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Usage,
    UsageError,
)

ACME = Client(provider="acme", label="Acme AI", model="one")
OTHER = Client(provider="acme", label="Acme AI", model="two")


@dataclass
class Priced:
    """A gateway whose answers cost 0.01 dollars: a thousand tokens at 10 dollars per million."""

    info: ModelInfo = field(
        default_factory=lambda: ModelInfo(
            name="one", output_limit=1_000, input_price=0.0, output_price=10.0
        )
    )
    asked: list[Request] = field(default_factory=list)
    fails: int = 0
    accepted: bool = False

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.asked.append(request)
        if len(self.asked) <= self.fails:
            error = NetworkError("refused")
            error.accepted = self.accepted
            raise error
        yield TextDelta("ok")
        yield StreamEnded("stop", Usage(input_tokens=1, output_tokens=1_000))

    async def model_info(self, client: Client) -> ModelInfo:
        return self.info


def a_session(path: Path, gateway: Priced, **budgets: float) -> LLMSession:
    accounts = Accounts(path / "store.db", Budgets(**budgets))  # type: ignore[arg-type]
    return LLMSession(ACME, gateway=gateway, accounts=accounts, retry=RetryPolicy(first=0.001))


async def test_G10_a_call_that_a_budget_has_no_room_for_is_not_sent(tmp_path: Path) -> None:
    gateway = Priced()
    session = a_session(tmp_path, gateway, session=0.015)
    session.fallback = [OTHER]
    await session.send_message(Role.USER, "one")
    with pytest.raises(BudgetExceeded, match=r"budget\.session") as refusal:
        await session.send_message(Role.USER, "two")
    assert refusal.value.exit_code == 7
    assert refusal.value.projected_nano == 10_000_000
    assert len(gateway.asked) == 1
    assert len(session.history) == 2
    assert session.attempts[-1].outcome is Outcome.NOT_SENT


async def test_G10_consent_holds_for_one_turn_and_one_model(tmp_path: Path) -> None:
    gateway = Priced()
    session = a_session(tmp_path, gateway, session=0.005)
    with pytest.raises(BudgetExceeded) as refusal:
        await session.send_message(Role.USER, "one")
    session.consent(refusal.value)
    session.client = OTHER
    with pytest.raises(BudgetExceeded):
        await session.send_message(Role.USER, "one")
    session.client = ACME
    with pytest.raises(BudgetExceeded):
        await session.send_message(Role.USER, "one")
    session.consent(refusal.value)
    await session.send_message(Role.USER, "one")
    with pytest.raises(BudgetExceeded):
        await session.send_message(Role.USER, "two")
    assert len(gateway.asked) == 1


async def test_G10_consent_is_for_the_whole_turn_not_for_each_attempt(tmp_path: Path) -> None:
    gateway = Priced(fails=9, accepted=True)
    gateway.info = ModelInfo(name="one", output_limit=10, input_price=1_000.0, output_price=10.0)
    session = a_session(tmp_path, gateway, session=0.0001)
    with pytest.raises(BudgetExceeded) as refusal:
        await session.send_message(Role.USER, "word " * 300)
    session.consent(refusal.value)
    with pytest.raises(BudgetExceeded):
        await session.send_message(Role.USER, "word " * 300)
    assert len(gateway.asked) == 1
    assert 0 < session.cost.nano <= (refusal.value.projected_nano or 0)


async def test_G10_no_parameter_makes_an_answer_longer_than_what_is_set_aside(
    tmp_path: Path,
) -> None:
    gateway = Priced()
    session = a_session(tmp_path, gateway, session=0.5)
    session.params = {"max_completion_tokens": 100_000, "n": 5, "seed": 1}
    await session.send_message(Role.USER, "one")
    assert gateway.asked[0].params == {"seed": 1}


async def test_G10_what_was_refused_on_the_way_is_free_again(tmp_path: Path) -> None:
    gateway = Priced(fails=2)
    session = a_session(tmp_path, gateway, session=0.010)
    await session.send_message(Role.USER, "one")
    assert len(gateway.asked) == 3
    assert session.cost.nano == 10_000_000


async def test_G10_with_a_budget_no_answer_can_cost_more_than_is_left(tmp_path: Path) -> None:
    gateway = Priced()
    gateway.info = ModelInfo(name="one", output_limit=100_000, input_price=0.0, output_price=10.0)
    session = a_session(tmp_path, gateway, session=0.5)
    await session.send_message(Role.USER, "one")
    assert gateway.asked[0].max_output_tokens == 50_000


async def test_G10_an_unknown_price_is_refused_under_a_budget_and_needs_a_setting(
    tmp_path: Path,
) -> None:
    gateway = Priced()
    gateway.info = ModelInfo(name="one")
    session = a_session(tmp_path, gateway, day=1.0)
    with pytest.raises(BudgetExceeded, match="nobody knows the price") as refusal:
        await session.send_message(Role.USER, "one")
    with pytest.raises(UsageError, match="Nobody knows"):
        session.consent(refusal.value)
    assert gateway.asked == []
