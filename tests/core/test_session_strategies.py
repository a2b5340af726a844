"""A session with context strategies: what is asked, sent, kept and paid for."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudllm import (
    Accounts,
    BudgetExceeded,
    Budgets,
    Client,
    ContextChoice,
    ContextStrategy,
    ContextTooLong,
    ContextView,
    Deadlines,
    Event,
    InvalidResponse,
    LLMSession,
    Message,
    ModelInfo,
    ReasoningDelta,
    Request,
    RequestSent,
    Role,
    StreamEnded,
    StreamEvent,
    Summarizing,
    TextDelta,
    Trimmed,
    TurnFinished,
    TurnInfo,
    Usage,
    UsageError,
)

ACME = Client(provider="acme", label="Acme AI", model="one")
LONG = "word " * 60
PRICED = ModelInfo(name="one", context_limit=600, input_price=1.0, output_price=2.0)


@dataclass
class Answering:
    """A gateway that answers prompts for summaries with one, and everything else with ok."""

    asked: list[Request] = field(default_factory=list)
    summary_takes: float = 0.0

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.asked.append(request)
        if request.messages[0].content.startswith("SUM UP"):
            await asyncio.sleep(self.summary_takes)
            yield TextDelta(f"summary {len(self.asked)}")
        else:
            yield TextDelta("ok")
        yield StreamEnded("stop", Usage(input_tokens=100, output_tokens=10))

    async def model_info(self, client: Client) -> ModelInfo:
        return PRICED


def halve(view: ContextView) -> ContextChoice:
    """Keep the newer half, sum up the older one."""
    turns = [turn.number for turn in view.turns]
    text = view.ask(f"SUM UP {len(turns)} turns", max_output_tokens=50)
    return ContextChoice(keep=turns[(len(turns) + 1) // 2 :], summary=text)


HALVE = ContextStrategy(name="halve", description="keep the newer half", choose=halve)


def a_session(gateway: Answering, **options: object) -> LLMSession:
    session = LLMSession(ACME, gateway=gateway, strategy=HALVE, **options)  # type: ignore[arg-type]
    for _ in range(4):
        session.inject_message(Message(Role.USER, LONG))
        session.inject_message(Message(Role.ASSISTANT, LONG))
    return session


async def send(session: LLMSession) -> list[Event]:
    return [event async for event in session.stream_message(Role.USER, "now")]


async def test_a_summary_is_announced_sent_and_paid_for_and_the_history_stays(
    tmp_path: Path,
) -> None:
    gateway = Answering()
    session = a_session(gateway, accounts=Accounts(tmp_path / "store.db", Budgets()))
    before = session.history
    events = await send(session)
    assert [type(event) for event in events] == [
        Summarizing,
        Trimmed,
        RequestSent,
        TextDelta,
        TurnFinished,
    ]
    assert events[1] == Trimmed(4, events[1].tokens, summarized=True)  # type: ignore[union-attr]
    system, *rest = gateway.asked[1].messages
    assert system.role is Role.SYSTEM
    assert "summary of" in system.content.lower()
    assert "summary 1" in system.content
    assert len(rest) == 5
    assert session.history[: len(before)] == before
    assert session.usage == Usage(input_tokens=200, output_tokens=20)
    assert session.cost.nano == 2 * (100 * 1000 + 10 * 2000)
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        purposes = [purpose for (purpose,) in store.execute("SELECT purpose FROM call ORDER BY 1")]
    assert purposes == ["reply", "summary"]


async def test_showing_the_plan_asks_no_model() -> None:
    gateway = Answering()
    plan = await a_session(gateway).plan("now")
    assert gateway.asked == []
    assert plan.left_out


async def test_G12_a_turn_is_stopped_while_it_is_summed_up() -> None:
    gateway = Answering(summary_takes=10.0)
    session = a_session(gateway)
    before = session.history
    task = asyncio.create_task(send(session))
    await asyncio.sleep(0.05)
    assert len(gateway.asked) == 1
    task.cancel()
    async with asyncio.timeout(0.2):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert session.history == before


@pytest.fixture
def patient() -> LLMSession:
    session = LLMSession(ACME, gateway=Answering(), strategy="none", max_tokens=300)
    session.inject_message(Message(Role.USER, LONG))
    session.inject_message(Message(Role.ASSISTANT, LONG))
    return session


async def test_G4_the_strategy_none_refuses_instead_of_leaving_out(patient: LLMSession) -> None:
    await send(patient)
    with pytest.raises(ContextTooLong, match="more than the limit of 300"):
        [_ async for _ in patient.stream_message(Role.USER, LONG * 3)]
    assert patient.attempts[-1].outcome == "not sent"


async def test_pins_are_set_by_number_and_taken_back(patient: LLMSession) -> None:
    with pytest.raises(UsageError, match="no turn 2"):
        patient.pin(2)
    patient.pin()
    assert patient.history[0].pinned
    patient.pin(1, pinned=False)
    assert not patient.history[0].pinned


async def test_G10_consent_lets_a_summary_be_written(tmp_path: Path) -> None:
    gateway = Answering()
    accounts = Accounts(tmp_path / "store.db", Budgets(session=0.0000001))
    session = a_session(gateway, accounts=accounts)
    for _ in range(2):
        with pytest.raises(BudgetExceeded) as refusal:
            await send(session)
        session.consent(refusal.value)
        if gateway.asked:
            break
    else:
        await send(session)
    assert gateway.asked[0].messages[0].content.startswith("SUM UP")


class Guard:
    """Hooks that veto a request with a secret, and see all of them."""

    listening = False

    def __init__(self) -> None:
        self.seen: list[Request] = []

    async def request(
        self, request: Request, turn: TurnInfo, check: Callable[[Request], None]
    ) -> Request:
        self.seen.append(request)
        return request

    def event(self, event: Event, turn: TurnInfo) -> None: ...

    def reply(self, reply: Message, turn: TurnInfo) -> None: ...


async def test_hooks_see_the_request_for_a_summary_too() -> None:
    guard = Guard()
    await send(a_session(Answering(), hooks=guard))
    first, second = guard.seen
    assert first.messages[0].content.startswith("SUM UP")
    assert second.messages[-1].content == "now"


@dataclass
class Thinking(Answering):
    """A gateway whose model spends a summary's tokens on reasoning."""

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.asked.append(request)
        yield ReasoningDelta("hm")
        yield StreamEnded("length", Usage(input_tokens=9, output_tokens=50))


async def test_G10_a_summary_of_reasoning_alone_is_not_paid_for_twice() -> None:
    gateway = Thinking()
    with pytest.raises(InvalidResponse, match="wrote no summary"):
        await send(a_session(gateway))
    assert len(gateway.asked) == 1
