"""Limits: where they come from, and what happens when the server's turns out to be another."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from cloudllm import (
    Client,
    ContextTooLong,
    Deadlines,
    Event,
    LLMSession,
    Message,
    ModelInfo,
    Request,
    RequestSent,
    Role,
    Status,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Trimmed,
    TurnFinished,
)
from cloudllm.tokens import Profile, count_message, profile_message

ACME = Client(provider="acme", label="Acme AI", model="one")


class Strict:
    """A gateway that refuses what is longer than `takes` tokens, and says the limit or not."""

    def __init__(self, takes: int, *, says: int | None, claims: int | None = None) -> None:
        self.takes = takes
        self.says = says
        self.claims = claims
        self.sent: list[tuple[Message, ...]] = []
        self.first: list[StreamEvent] = []
        self.asked = 0

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.sent.append(request.messages)
        for event in self.first:
            yield event
        if sum(map(count_message, request.messages)) > self.takes:
            raise ContextTooLong("acme/one says: too long", limit=self.says)
        yield TextDelta("ok")
        yield StreamEnded("stop")

    async def model_info(self, client: Client) -> ModelInfo:
        self.asked += 1
        return ModelInfo(name=client.model, context_limit=self.claims)


def after(turns: int, gateway: Strict, **options: int) -> LLMSession:
    session = LLMSession(ACME, gateway=gateway, **options)  # type: ignore[arg-type]
    for _ in range(turns):
        session.inject_message(Message(Role.USER, "word " * 30))
        session.inject_message(Message(Role.ASSISTANT, "word " * 30))
    return session


async def send(session: LLMSession, text: str = "now") -> list[Event]:
    return [event async for event in session.stream_message(Role.USER, text)]


async def test_the_limit_is_max_tokens_or_else_the_models() -> None:
    gateway = Strict(10**6, says=None, claims=32_000)
    session = LLMSession(ACME, gateway=gateway)
    assert await session.limit() == 32_000
    session.max_tokens = 500
    assert await session.limit() == 500
    assert gateway.asked == 1


async def test_an_unknown_limit_trims_nothing() -> None:
    gateway = Strict(10**6, says=None)
    session = after(50, gateway)
    await send(session)
    assert await session.limit() is None
    assert len(gateway.sent[0]) == 101


async def test_the_plan_shows_what_would_go_out() -> None:
    session = after(10, Strict(10**6, says=None), max_tokens=300)
    plan = await session.plan("now")
    assert (plan.limit, plan.reserve) == (300, 37)
    assert plan.left_out == session.history[: len(plan.left_out)]
    assert plan.messages[-1] == Message(Role.USER, "now")
    assert len(session.history) == 20
    with pytest.raises(ContextTooLong):
        await session.plan("word " * 500)


@pytest.mark.parametrize("says", [400, None])
async def test_G4_a_context_error_from_the_server_causes_one_new_plan(says: int | None) -> None:
    gateway = Strict(400, says=says)
    events = await send(after(7, gateway))
    trimmed = events[1]
    assert [type(event) for event in events] == [
        RequestSent,
        Trimmed,
        RequestSent,
        TextDelta,
        TurnFinished,
    ]
    assert isinstance(trimmed, Trimmed)
    assert len(gateway.sent[0]) - len(gateway.sent[1]) == trimmed.messages > 0


async def test_G4_the_limit_that_the_server_named_holds_from_then_on() -> None:
    gateway = Strict(400, says=400)
    session = after(7, gateway)
    await send(session)
    assert await session.limit() == 400
    await send(session)
    assert len(gateway.sent) == 3


async def test_G4_a_second_context_error_is_raised_and_the_history_is_as_before() -> None:
    gateway = Strict(30, says=None)
    session = after(10, gateway)
    before = session.history
    with pytest.raises(ContextTooLong, match="acme/one says"):
        await send(session)
    assert len(gateway.sent) == 2
    assert session.history == before


@pytest.mark.parametrize("says", [None, 5, 10**6])
async def test_G4_the_same_messages_are_not_sent_twice(says: int | None) -> None:
    gateway = Strict(4, says=says)
    session = LLMSession(ACME, gateway=gateway)
    with pytest.raises(ContextTooLong, match="acme/one says"):
        await send(session)
    assert len(gateway.sent) == 1


async def test_G4_a_limit_above_what_was_sent_still_makes_the_request_shorter() -> None:
    gateway = Strict(400, says=10**6)
    session = after(7, gateway)
    await send(session)
    assert len(gateway.sent[1]) < len(gateway.sent[0])


async def test_G11_nothing_is_sent_again_once_a_token_was_visible() -> None:
    gateway = Strict(10, says=10)
    gateway.first = [TextDelta("It")]
    reply = await after(5, gateway).send_message(Role.USER, "now")
    assert (reply.content, reply.status) == ("It", Status.PARTIAL)
    assert reply.error == "acme/one says: too long"
    assert len(gateway.sent) == 1


async def test_G4_pinned_messages_stay_when_the_rest_goes() -> None:
    gateway = Strict(10**6, says=None)
    session = LLMSession(ACME, gateway=gateway, max_tokens=300)
    session.inject_message(Message(Role.USER, "Remember the harbour.", pinned=True))
    session.inject_message(Message(Role.ASSISTANT, "I will."))
    for number in range(10):
        await send(session, f"{number} and some words more " * 4)
    assert [m.content for m in gateway.sent[-1][:2]] == ["Remember the harbour.", "I will."]
    assert len(gateway.sent[-1]) < 21


async def test_each_message_is_counted_once_however_many_turns_follow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[Message] = []

    def count(message: Message) -> Profile:
        counted.append(message)
        return profile_message(message)

    monkeypatch.setattr("cloudllm.context.conversation.profile_message", count)
    session = LLMSession(ACME, gateway=Strict(10**6, says=None), system_prompt="Be brief.")
    for number in range(20):
        await send(session, f"message {number}")
    assert len(counted) == len({id(message) for message in counted}) <= 41
