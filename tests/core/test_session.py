"""A session as a library: turns, history, usage, and the eight defects of the Rust original."""

from __future__ import annotations

import subprocess
import sys
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
    NetworkError,
    ReasoningDelta,
    Request,
    RequestSent,
    Role,
    Status,
    StreamEnded,
    StreamEvent,
    TextDelta,
    ToolCall,
    Trimmed,
    TurnFinished,
    Usage,
    UsageError,
)

ACME = Client(provider="acme", label="Acme AI", model="one")
OTHER = Client(provider="other", label="Other", model="two")
END = StreamEnded("stop", Usage(input_tokens=10, output_tokens=2))
Step = StreamEvent | Exception


class Script:
    """A gateway that plays one script per request, the last one again and again."""

    def __init__(self, *scripts: list[Step], limit: int | None = None) -> None:
        self.scripts = list(scripts) or [[TextDelta("Hello"), TextDelta(" there"), END]]
        self.info = ModelInfo(name="scripted", context_limit=limit)
        self.calls: list[tuple[Client, Request, Deadlines]] = []

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        self.calls.append((client, request, deadlines))
        for step in self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]:
            if isinstance(step, Exception):
                raise step
            yield step

    async def model_info(self, client: Client) -> ModelInfo:
        return self.info

    @property
    def sent(self) -> tuple[Message, ...]:
        """The messages of the last request."""
        return self.calls[-1][1].messages


def texts(messages: tuple[Message, ...]) -> list[str]:
    return [message.content for message in messages]


async def events_of(stream: AsyncGenerator[Event, None]) -> list[Event]:
    return [event async for event in stream]


async def test_a_turn_is_sent_and_enters_the_history() -> None:
    session = LLMSession(ACME, system_prompt="Be brief.", gateway=(script := Script()))
    reply = await session.send_message(Role.USER, "Hi")
    assert (reply.role, reply.content, reply.status) == (Role.ASSISTANT, "Hello there", "complete")
    assert (reply.model, reply.finish_reason, reply.usage) == ("acme/one", "stop", END.usage)
    assert session.history == (Message(Role.USER, "Hi"), reply)
    assert session.last_reply is reply
    assert texts(script.sent) == ["Be brief.", "Hi"]


async def test_the_conversation_goes_on() -> None:
    session = LLMSession(ACME, gateway=(script := Script()))
    await session.send_message("user", "Hi")
    await session.send_message("user", "And you?")
    assert texts(script.sent) == ["Hi", "Hello there", "And you?"]


async def test_a_turn_is_one_stream_of_events() -> None:
    session = LLMSession(
        ACME, gateway=Script([ReasoningDelta("hm"), TextDelta("a"), TextDelta(""), END])
    )
    events = await events_of(session.stream_message(Role.USER, "Hi"))
    assert events[:-1] == [RequestSent("acme/one"), ReasoningDelta("hm"), TextDelta("a")]
    assert events[-1] == TurnFinished(session.history[-1], session.attempts)
    assert (session.history[-1].content, session.history[-1].reasoning) == ("a", "hm")


async def test_an_empty_reply_is_kept_as_it_is() -> None:
    session = LLMSession(ACME, gateway=Script([END]))
    reply = await session.send_message(Role.USER, "Say nothing.")
    assert (reply.content, reply.status) == ("", Status.COMPLETE)
    assert session.history[-1] is reply


async def test_what_is_set_goes_with_the_next_request() -> None:
    session = LLMSession(
        ACME,
        temperature=0.2,
        max_output_tokens=50,
        params={"seed": 1},
        gateway=(script := Script()),
    )
    await session.send_message(Role.USER, "Hi")
    session.client, session.temperature, session.params = OTHER, None, {}
    session.system_prompt, session.deadlines = "New.", Deadlines(gap=1)
    await session.send_message(Role.USER, "Hi")
    (one, first, _), (two, second, deadlines) = script.calls
    assert (one, first.temperature, first.max_output_tokens) == (ACME, 0.2, 50)
    assert first.params == {"seed": 1}
    assert (two, second.temperature, second.params) == (OTHER, None, {})
    assert deadlines.gap == 1
    assert texts(second.messages)[0] == "New."
    assert [message.model for message in session.history[1::2]] == ["acme/one", "other/two"]


async def test_undo_takes_back_the_last_turn_and_returns_its_text() -> None:
    session = LLMSession(ACME, gateway=Script())
    await session.send_message(Role.USER, "one")
    await session.send_message(Role.USER, "two")
    assert session.undo() == "two"
    assert texts(session.history) == ["one", "Hello there"]
    assert session.undo() == "one"
    assert session.undo() is None


async def test_clearing_forgets_the_conversation_and_nothing_else() -> None:
    session = LLMSession(ACME, system_prompt="Be brief.", gateway=(script := Script()))
    await session.send_message(Role.USER, "one")
    session.clear_history()
    assert session.history == ()
    assert session.last_reply is None
    assert session.usage == END.usage
    await session.send_message(Role.USER, "two")
    assert texts(script.sent) == ["Be brief.", "two"]


@pytest.mark.parametrize("role", [Role.ASSISTANT, Role.SYSTEM, Role.TOOL, "narrator"])
async def test_only_the_user_sends(role: Role | str) -> None:
    session = LLMSession(ACME, gateway=Script())
    with pytest.raises(UsageError, match="inject_message"):
        await session.send_message(role, "Hi")
    assert session.history == ()


@pytest.mark.parametrize("blank", ["", " ", "\n\t \n"])
async def test_blank_text_is_not_sent(blank: str) -> None:
    session = LLMSession(ACME, gateway=(script := Script()))
    with pytest.raises(UsageError, match="blank"):
        await session.send_message(Role.USER, blank)
    assert script.calls == []


CALLS = (ToolCall("a", "clock", "{}"), ToolCall("b", "clock", "{}"))
ASK, ANSWER = Message(Role.USER, "Time?"), Message(Role.ASSISTANT, "Noon.")
CALL = Message(Role.ASSISTANT, "", tool_calls=CALLS)
RESULTS = tuple(Message(Role.TOOL, "12:00", tool_call_id=call.id) for call in CALLS)


def injected(*messages: Message) -> LLMSession:
    session = LLMSession(ACME, gateway=Script())
    for message in messages:
        session.inject_message(message)
    return session


async def test_injected_messages_are_part_of_the_conversation() -> None:
    session = injected(ASK, CALL, *RESULTS, ANSWER)
    await session.send_message(Role.USER, "Thanks")
    assert session.history[:5] == (ASK, CALL, *RESULTS, ANSWER)


@pytest.mark.parametrize(
    ("before", "message", "complaint"),
    [
        ((), ANSWER, "needs a user message"),
        ((), RESULTS[0], "No tool call waits"),
        ((), Message(Role.SYSTEM, "x"), "system_prompt"),
        ((ASK,), ASK, "no reply yet"),
        ((ASK, ANSWER), ANSWER, "needs a user message"),
        ((ASK, CALL), ASK, "'a', 'b' have no results"),
        ((ASK, CALL, RESULTS[0]), ANSWER, "'b' have no results"),
        ((ASK, CALL, RESULTS[0]), RESULTS[0], "No tool call waits"),
        ((ASK, CALL, *RESULTS), ASK, "no reply yet"),
    ],
)
def test_G3_a_message_is_injected_only_where_it_can_stand(
    before: tuple[Message, ...], message: Message, complaint: str
) -> None:
    session = injected(*before)
    with pytest.raises(UsageError, match=complaint):
        session.inject_message(message)
    assert session.history == before


async def test_G3_an_unanswered_message_is_answered_by_retrying_not_by_another() -> None:
    session = injected(ASK)
    with pytest.raises(UsageError, match="Retry it"):
        await session.send_message(Role.USER, "Hello?")
    await events_of(session.retry_message())
    assert texts(session.history) == ["Time?", "Hello there"]


# The defects of the Rust LLMSession, one test each.


async def test_defect_a_the_newest_user_message_is_never_trimmed_away() -> None:
    session = LLMSession(ACME, max_tokens=100, system_prompt="Be brief.", gateway=(s := Script()))
    with pytest.raises(ContextTooLong, match="more than the limit of 100"):
        await session.send_message(Role.USER, "long " * 200)
    assert (s.calls, session.history) == ([], ())
    await session.send_message(Role.USER, "short")
    assert texts(s.sent) == ["Be brief.", "short"]


async def test_defect_b_after_trimming_the_user_still_begins() -> None:
    session = LLMSession(ACME, max_tokens=120, gateway=(script := Script()))
    for number in range(20):
        await session.send_message(Role.USER, f"message {number} " * 5)
        assert script.sent[0].role is Role.USER
    assert len(script.sent) < 20


async def test_defect_c_room_is_kept_for_the_answer() -> None:
    session = LLMSession(ACME, max_tokens=1000, reserve=900, gateway=(script := Script()))
    await session.send_message(Role.USER, "word " * 60)
    await session.send_message(Role.USER, "word " * 60)
    assert len(script.sent) == 1
    assert (await session.plan()).reserve == 900
    session.reserve = None
    assert (await session.plan()).reserve == 125
    session.max_output_tokens = 300
    assert (await session.plan()).reserve == 300


async def test_defect_d_a_failed_turn_leaves_no_user_message_behind() -> None:
    session = LLMSession(
        ACME,
        gateway=(script := Script([NetworkError("no route", tries=1)], [TextDelta("Hi"), END])),
    )
    with pytest.raises(NetworkError):
        await session.send_message(Role.USER, "one")
    assert session.history == ()
    await session.send_message(Role.USER, "two")
    assert texts(script.sent) == ["two"]


async def test_defect_e_usage_belongs_to_the_reply_not_to_the_client() -> None:
    silent: list[Step] = [TextDelta("No numbers here."), StreamEnded("stop")]
    one = LLMSession(ACME, gateway=Script([TextDelta("x"), END], silent))
    two = LLMSession(ACME, gateway=Script())
    first = await one.send_message(Role.USER, "one")
    second = await one.send_message(Role.USER, "two")
    assert first.usage == END.usage
    assert second.usage is not None
    assert second.usage != END.usage
    assert second.usage.estimated
    assert second.usage.input_tokens > 0
    assert second.usage.output_tokens > 0
    assert two.usage == Usage()


async def test_defect_f_trimmed_text_stays_in_the_history() -> None:
    session = LLMSession(ACME, max_tokens=60, gateway=(script := Script()))
    for number in range(6):
        await session.send_message(Role.USER, f"message number {number} of this conversation")
    assert len(script.sent) < 11
    assert len(session.history) == 12
    session.max_tokens = 10_000
    await session.send_message(Role.USER, "last")
    assert len(script.sent) == 13


async def test_defect_g_the_user_is_told_what_was_left_out() -> None:
    session = LLMSession(ACME, max_tokens=60, gateway=Script([StreamEnded("stop")]))
    await session.send_message(Role.USER, "word " * 12)
    first, second, *_ = await events_of(session.stream_message(Role.USER, "word " * 25))
    assert isinstance(first, Trimmed)
    assert first.messages == 2
    assert 12 < first.tokens < 40
    assert second == RequestSent("acme/one")


async def test_defect_h_what_fills_the_context_is_told_apart_from_the_total() -> None:
    session = LLMSession(ACME, max_tokens=1000, gateway=Script())
    for _ in range(3):
        await session.send_message(Role.USER, "Hi")
    assert session.usage == Usage(input_tokens=30, output_tokens=6)
    assert session.last_reply is not None
    assert session.last_reply.usage == END.usage
    before = (await session.plan()).tokens
    session.clear_history()
    assert session.usage.total_tokens == 36
    assert (await session.plan()).tokens < before


# Lightness


def test_a_session_is_made_without_the_gateway_or_anything_heavy() -> None:
    code = (
        "import sys, cloudllm.session, cloudllm.sync as s\n"
        "from cloudllm import Client\n"
        "s.LLMSession(Client(provider='a', label='A', model='m'))\n"
        "heavy = {'cloudllm.gateway', 'litellm', 'pydantic', 'prompt_toolkit', 'click'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
