"""2,000 turns of one session with random faults and cancels: memory flat, nothing lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import SecretStr

from cloudllm import (
    Accounts,
    Budgets,
    Client,
    CloudLLMError,
    Deadlines,
    Event,
    LLMSession,
    Message,
    Outcome,
    RetryPolicy,
    Role,
    Status,
    TextDelta,
    TurnFinished,
    gateway,
)
from cloudllm.testing import Reply, WireServer
from tests.resources import memory, open_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TURNS = 2_000
WARM = 500
"""Turns after which memory is looked at for the first time."""

GROWTH = 24
"""MiB of memory that the rest may add."""


def a_fault(chance: random.Random) -> Reply:
    """What one request gets: half of them a whole answer, the rest something that goes wrong."""
    text = [f"word{chance.randrange(1000)} " for _ in range(chance.randrange(1, 40))]
    delay = chance.choice([0.0, 0.0, 0.0005])
    cut = chance.randrange(-1, len(text) + 1)
    faults: list[Callable[[], Reply]] = [
        lambda: Reply.error(chance.choice([400, 401, 404, 408, 429, 500, 503, 529])),
        lambda: Reply.error(429, headers={"retry-after": "0"}),
        lambda: Reply(text=text, cut_after=cut, cut=chance.choice(["end", "close", "reset"])),
        lambda: Reply(text=text, fail_after=max(cut, 0)),
        lambda: Reply(text=text, stall_after=max(cut, 0)),
        lambda: Reply(text=text, finish_reason=None),
        lambda: Reply(text=text, finish_reason="length"),
        lambda: Reply(text=text, usage=None),
        lambda: Reply(text=text, reasoning=text[:3]),
        Reply.html,
        lambda: Reply(body="", content_type="text/event-stream"),
    ]
    if chance.random() < 0.5:
        return Reply(text=text, delay=delay)
    return chance.choice(faults)()


class Soak:
    """A session, and what has become of its turns."""

    def __init__(self, session: LLMSession, chance: random.Random) -> None:
        self.session = session
        self.chance = chance
        self.ends: Counter[str] = Counter()

    async def turn(self, number: int) -> None:
        """One turn, perhaps cancelled; then everything that must hold is checked."""
        session, before = self.session, self.session.history
        stream = self.begun(number)
        seen: list[Event] = []
        task = asyncio.create_task(read(stream, seen))
        if self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.random() * 0.02)
            task.cancel()
        (error,) = await asyncio.gather(task, return_exceptions=True)
        text = "".join(event.text for event in seen if isinstance(event, TextDelta))
        check_history(session.history)
        if isinstance(error, BaseException) and not text:
            assert session.history == before or session.history[-1].status is Status.CANCELLED
        elif text:
            # What came as it was cancelled is kept, too, although nobody has read it.
            assert text in session.history[-1].content
        assert not isinstance(error, Exception) or isinstance(error, CloudLLMError), error
        self.note(seen, error)

    def begun(self, number: int) -> AsyncGenerator[Event, None]:
        """A new message or, now and then, another try or the rest of the last reply."""
        last = self.session.last_reply
        cut = last is not None and last.status is not Status.COMPLETE and last.content
        if cut and self.chance.random() < 0.5:
            return self.session.continue_message()
        if last is not None and self.chance.random() < 0.1:
            return self.session.retry_message()
        return self.session.stream_message(Role.USER, f"message {number}")

    def note(self, seen: list[Event], error: object) -> None:
        finished = next((each for each in seen if isinstance(each, TurnFinished)), None)
        outcome = type(error).__name__ if error else finished and str(finished.reply.status)
        self.ends[outcome or "nothing"] += 1
        outcomes = [each.outcome for each in self.session.attempts]
        assert Outcome.COMPLETE not in outcomes[:-1]
        assert Outcome.PARTIAL not in outcomes[:-1]


async def read(stream: AsyncGenerator[Event, None], seen: list[Event]) -> None:
    async for event in stream:
        seen.append(event)  # noqa: PERF401 - what has come is wanted when it is cancelled, too


def check_history(history: tuple[Message, ...]) -> None:
    assert not history or history[0].role is Role.USER
    assert all(left.role is not right.role for left, right in pairwise(history))
    assert len(history) % 2 == 0
    for reply in history[1::2]:
        assert reply.usage is not None
        assert reply.cost is not None
        assert (reply.finish_reason is None) == (reply.status is not Status.COMPLETE)


async def test_2000_turns_with_random_faults_and_cancels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(4)
    held: list[tuple[float, int]] = []
    with WireServer() as server:
        server.default = lambda _request: a_fault(chance)
        client = Client(
            provider="work",
            label="Work",
            model="some-model",
            route="openai",
            api_base=server.url,
            api_key=SecretStr("sk-test"),
        )
        session = LLMSession(
            client,
            deadlines=Deadlines(first_token=0.3, gap=0.15),
            retry=RetryPolicy(first=0.002),
            accounts=Accounts(tmp_path / "store.db", Budgets()),
        )
        soak = Soak(session, chance)
        for number in range(TURNS):
            await soak.turn(number)
            if number % 50 == 49:
                session.clear_history()
                server.requests.clear()
            if number + 1 in (WARM, TURNS):
                held.append((memory(), open_files()))
        await asyncio.sleep(0.1)  # the collector has just had generators of others closed
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks, tasks
        await gateway.close()
    with capfd.disabled():
        print(f"\n{dict(soak.ends)}; memory {held[1][0] - held[0][0]:+.1f} MiB, files", held)
    assert {"complete", "partial", "CancelledError"} <= soak.ends.keys()
    assert held[1][0] - held[0][0] < GROWTH
    assert held[1][1] - held[0][1] <= 3
    assert caplog.records == []
    assert "Traceback" not in capfd.readouterr().err
