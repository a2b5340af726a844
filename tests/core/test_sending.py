"""Attempts of a turn: tried again, handed to other models, continued, accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from cloudllm import (
    AuthenticationError,
    Client,
    CloudLLMError,
    ContextTooLong,
    Cost,
    DeadlineExceeded,
    Deadlines,
    Event,
    FellBack,
    InvalidResponse,
    LazyClient,
    LLMSession,
    Message,
    ModelInfo,
    NetworkError,
    Outcome,
    ProviderError,
    RateLimited,
    ReasoningDelta,
    Request,
    RequestRejected,
    RequestSent,
    Retrying,
    RetryPolicy,
    Role,
    ServerError,
    Stalled,
    Status,
    StreamEnded,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    TurnFinished,
    TurnInfo,
    UnknownProvider,
    Usage,
    UsageError,
)

ONE = Client(provider="acme", label="Acme AI", model="one")
TWO = Client(provider="acme", label="Acme AI", model="two")
END = StreamEnded("stop", Usage(input_tokens=10, output_tokens=2), "req-1")
QUICK = RetryPolicy(first=0.001)

Step = StreamEvent | BaseException | float
"""An event, what is raised, or seconds to wait."""


@dataclass
class Scripted:
    """A gateway that plays one list of steps per request, in order, and remembers the requests."""

    scripts: list[Sequence[Step]]
    info: ModelInfo = field(default_factory=lambda: ModelInfo(name="one"))
    asked: list[tuple[str, Request]] = field(default_factory=list)

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.asked.append((client.id, request))
        for step in self.scripts.pop(0):
            match step:
                case float():
                    await asyncio.sleep(step)
                case BaseException():
                    raise step
                case event:
                    yield event

    async def model_info(self, client: Client) -> ModelInfo:
        return self.info


def a_session(*scripts: Sequence[Step], **options: object) -> tuple[LLMSession, Scripted]:
    gateway = Scripted(list(scripts))
    given = {"retry": QUICK, **options}
    return LLMSession(ONE, gateway=gateway, **given), gateway  # type: ignore[arg-type]


async def events_of(stream: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in stream]


async def send(session: LLMSession, text: str = "Hi") -> list[Event]:
    return await events_of(session.stream_message(Role.USER, text))


OK = (TextDelta("ok"), END)
OVERLOADED = ServerError("Acme AI is overloaded (529)", status=529)


async def test_G11_a_failure_is_announced_tried_again_and_recorded() -> None:
    session, gateway = a_session([OVERLOADED], [RateLimited("slow down")], OK)
    sent, retrying, again, slow, third, delta, finished = await send(session)
    assert (sent, again, third) == tuple(RequestSent("acme/one", n) for n in (1, 2, 3))
    assert isinstance(retrying, Retrying)
    assert (retrying.attempt, retrying.attempts, retrying.reason) == (2, 3, OVERLOADED.message)
    assert isinstance(slow, Retrying)
    assert slow.attempt == 3
    assert delta == TextDelta("ok")
    assert isinstance(finished, TurnFinished)
    assert finished.attempts == session.attempts
    assert [each.outcome for each in session.attempts] == [
        Outcome.FAILED,
        Outcome.FAILED,
        Outcome.COMPLETE,
    ]
    first, second, last = session.attempts
    assert (first.status, first.error) == (529, f"{OVERLOADED}")
    assert second.waited == retrying.seconds
    assert (last.number, last.request_id, last.error) == (3, "req-1", None)
    assert len(gateway.asked) == 3
    assert len(session.history) == 2


@pytest.mark.parametrize("begun", [TextDelta("a"), ReasoningDelta("a"), ToolCallDelta("", "f")])
async def test_G11_nothing_is_sent_again_once_something_was_visible(begun: StreamEvent) -> None:
    session, gateway = a_session([begun, NetworkError("reset")], fallback=[TWO])
    *_, finished = await send(session)
    assert isinstance(finished, TurnFinished)
    assert (finished.reply.status, finished.reply.error) == (Status.PARTIAL, "reset")
    assert [each.outcome for each in finished.attempts] == [Outcome.PARTIAL]
    assert len(gateway.asked) == 1


async def test_G11_what_cannot_be_mended_is_tried_once() -> None:
    session, gateway = a_session([RequestRejected("no")])
    with pytest.raises(RequestRejected):
        await send(session)
    assert len(gateway.asked) == 1
    assert session.history == ()
    assert session.attempts[0].outcome is Outcome.FAILED


async def test_G11_an_empty_stream_is_tried_once_more() -> None:
    session, gateway = a_session([StreamEnded(None)], [StreamEnded(None)])
    with pytest.raises(InvalidResponse, match="before an answer began"):
        await send(session)
    assert len(gateway.asked) == 2


async def test_G11_a_fallback_is_announced_and_recorded() -> None:
    session, gateway = a_session([OVERLOADED], OK, retry=RetryPolicy(attempts=1), fallback=[TWO])
    events = await send(session)
    assert FellBack("acme/two", "acme/one", OVERLOADED.message) in events
    assert [model for model, _ in gateway.asked] == ["acme/one", "acme/two"]
    assert session.history[-1].model == "acme/two"
    assert [each.model for each in session.attempts] == ["acme/one", "acme/two"]
    assert session.client is ONE


async def test_G10_a_fallbacks_cut_reply_has_its_own_cause() -> None:
    session, _ = a_session(
        [OVERLOADED],
        [TextDelta("half"), StreamEnded(None)],
        retry=RetryPolicy(attempts=1),
        fallback=[TWO],
    )
    *_, finished = await send(session)
    assert isinstance(finished, TurnFinished)
    assert finished.reply.error == "the stream ended without a finish reason"


async def test_G11_a_fallback_that_cannot_be_made_is_passed_over() -> None:
    def fail() -> Client:
        raise UnknownProvider("no provider for acme/three")

    lazy = [LazyClient(id="acme/three", make=fail), LazyClient(id="acme/two", make=lambda: TWO)]
    session, _ = a_session([AuthenticationError("bad key")], OK, fallback=lazy)
    events = await send(session)
    assert FellBack("acme/two", "acme/one", "no provider for acme/three") in events
    assert [(each.model, each.outcome) for each in session.attempts] == [
        ("acme/one", Outcome.FAILED),
        ("acme/three", Outcome.NOT_SENT),
        ("acme/two", Outcome.COMPLETE),
    ]


class Vetoing:
    """Hooks that stop every turn with an error that a provider's would be retried for."""

    listening = False

    async def request(
        self, request: Request, turn: TurnInfo, check: Callable[[Request], None]
    ) -> Request:
        raise RateLimited("plugin quota: slow down")

    def event(self, event: Event, turn: TurnInfo) -> None: ...

    def reply(self, reply: Message, turn: TurnInfo) -> None: ...


async def test_G11_what_a_hook_says_is_final() -> None:
    session, gateway = a_session(fallback=[TWO], hooks=Vetoing())
    with pytest.raises(RateLimited, match="plugin quota"):
        await send(session)
    assert gateway.asked == []
    assert [each.outcome for each in session.attempts] == [Outcome.NOT_SENT]


async def test_G11_a_fallback_that_cannot_be_made_does_not_hide_why_the_model_failed() -> None:
    def fail() -> Client:
        raise UnknownProvider("no provider for acme/three")

    lazy = [LazyClient(id="acme/three", make=fail)]
    session, _ = a_session([OVERLOADED], retry=RetryPolicy(attempts=1), fallback=lazy)
    with pytest.raises(ServerError, match="overloaded"):
        await send(session)
    assert [each.outcome for each in session.attempts] == [Outcome.FAILED, Outcome.NOT_SENT]


async def test_G10_a_turn_left_before_its_request_went_out_costs_nothing() -> None:
    session, gateway = a_session(OK)
    gateway.info = PRICED
    stream = session.stream_message(Role.USER, "Hi")
    assert await anext(stream) == RequestSent("acme/one")
    await stream.aclose()
    assert gateway.asked == []
    assert session.cost == Cost()


class Deaf(Scripted):
    """A gateway that takes a cancellation for an error of the network."""

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            raise NetworkError("reset") from None
        yield END


async def test_G12_who_takes_a_cancellation_for_an_error_leaves_no_task() -> None:
    session = LLMSession(ONE, gateway=Deaf([]), retry=QUICK)
    task = asyncio.create_task(send(session))
    await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_G11_what_every_model_would_refuse_does_not_fall_back() -> None:
    for error in (RequestRejected("bad parameter", status=400), ContextTooLong("too long")):
        session, gateway = a_session([error], fallback=[TWO])
        with pytest.raises(type(error)):
            await send(session)
        assert len(gateway.asked) == 1


async def test_G3_a_failed_message_can_be_sent_again_with_retry() -> None:
    session, gateway = a_session([RequestRejected("no")], OK, OK)
    with pytest.raises(RequestRejected):
        await send(session, "Hello?")
    assert not session.history
    await events_of(session.retry_message())
    assert [message.content for message in session.history] == ["Hello?", "ok"]
    assert gateway.asked[1][1].messages[-1].content == "Hello?"
    await events_of(session.retry_message())
    assert len(session.history) == 2


@pytest.mark.parametrize("stage", ["waiting to try again", "before the first token"])
async def test_G12_a_turn_is_cancelled_at_once_at_any_stage(stage: str) -> None:
    script: Sequence[Step] = [OVERLOADED] if stage.startswith("waiting") else [10.0]
    session, _ = a_session(script, retry=RetryPolicy(first=8.0))
    task = asyncio.create_task(send(session))
    await asyncio.sleep(0.02)
    task.cancel()
    async with asyncio.timeout(0.2):
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert session.history == ()
    expected = Outcome.FAILED if stage.startswith("waiting") else Outcome.CANCELLED
    assert [each.outcome for each in session.attempts] == [expected]


async def test_continuing_goes_on_where_the_reply_was_cut() -> None:
    session, gateway = a_session(
        [TextDelta("Once upon a time there "), NetworkError("reset")],
        [TextDelta("a time there was"), TextDelta(" a fox."), END],
    )
    await send(session, "A story")
    events = await events_of(session.continue_message())
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert text == "was a fox."
    user, reply = session.history
    assert (user.content, reply.content) == ("A story", "Once upon a time there was a fox.")
    assert (reply.status, reply.finish_reason) == (Status.COMPLETE, "stop")
    assert reply.usage is not None
    assert reply.usage.estimated
    assert [m.role for m in gateway.asked[1][1].messages] == ["user", "assistant", "user"]


async def test_a_model_that_can_goes_on_with_its_own_words() -> None:
    session, gateway = a_session([TextDelta("Once "), StreamEnded("length")], OK)
    gateway.info = ModelInfo(name="one", prefill=True)
    await send(session)
    await events_of(session.continue_message())
    assert gateway.asked[1][1].messages[-1].role is Role.ASSISTANT
    assert session.history[-1].content == "Once ok"


async def test_a_continuation_that_brings_nothing_leaves_the_reply_as_it_was() -> None:
    session, _ = a_session([TextDelta("Once "), StreamEnded(None)], [RequestRejected("no")])
    await send(session)
    before = session.history
    with pytest.raises(RequestRejected):
        await events_of(session.continue_message())
    assert session.history == before


async def test_what_is_held_back_at_the_seam_is_told_before_the_error() -> None:
    cut = "Once upon a time there was"
    session, _ = a_session(
        [TextDelta(cut), StreamEnded(None)], [TextDelta("Once upon"), NetworkError("reset")]
    )
    await send(session)
    *_, delta, finished = await events_of(session.continue_message())
    assert delta == TextDelta("Once upon")
    assert isinstance(finished, TurnFinished)
    assert session.history[-1].content == cut + "Once upon"


async def test_there_is_nothing_to_continue_after_a_whole_reply() -> None:
    session, _ = a_session(OK)
    await send(session)
    with pytest.raises(UsageError, match="complete"):
        await events_of(session.continue_message())


async def test_silence_is_an_event_and_waiting_on_lifts_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deadlines = Deadlines(first_token=0.1)
    session, _ = a_session([0.12, *OK], deadlines=deadlines)
    events = []
    async for event in session.stream_message(Role.USER, "Hi"):
        events.append(event)
        if isinstance(event, Stalled):
            assert event.limit == 0.1
            session.wait_on()
    assert [type(event) for event in events] == [RequestSent, Stalled, TextDelta, TurnFinished]


PRICED = ModelInfo(name="one", input_price=1.0, output_price=2.0)


async def test_G10_a_reply_costs_what_its_tokens_do() -> None:
    session, gateway = a_session(OK, [TextDelta("ok"), StreamEnded(None)])
    gateway.info = PRICED
    await send(session)
    reply = session.history[-1]
    assert reply.cost is not None
    assert (reply.cost.nano, reply.cost.estimated) == (10 * 1000 + 2 * 2000, False)
    assert session.cost == reply.cost
    await send(session)
    partial = session.history[-1]
    assert partial.cost is not None
    assert partial.cost.estimated
    assert session.cost == reply.cost + partial.cost


async def test_G10_an_unknown_price_is_unknown_and_not_nothing() -> None:
    session, _ = a_session(OK)
    await send(session)
    assert session.history[-1].cost == Cost(unknown=1)
    assert session.cost.unknown == 1


def accepted(error: ProviderError) -> ProviderError:
    error.accepted = True
    return error


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (lambda: accepted(DeadlineExceeded("no reply", tries=1)), True),
        (lambda: DeadlineExceeded("no connection", tries=1), False),
        (lambda: accepted(NetworkError("closed", tries=1)), True),
        (lambda: NetworkError("refused", tries=1), False),
        (lambda: RequestRejected("no"), False),
    ],
)
async def test_G10_what_may_be_charged_counts_although_no_reply_came(
    error: Callable[[], CloudLLMError], charged: bool
) -> None:
    session, gateway = a_session([error()])
    gateway.info = PRICED
    with pytest.raises(CloudLLMError):
        await send(session)
    assert bool(session.cost.nano) is charged
    assert session.usage == Usage()


async def test_the_estimate_learns_from_what_is_reported() -> None:
    session, _ = a_session(OK, OK)
    assert session.calibration.reports == 0
    await send(session)
    assert session.calibration.reports > 0
