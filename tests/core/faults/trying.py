"""A turn with a fault through the real gateway, and the rules that hold whatever comes of it."""

from __future__ import annotations

import asyncio
import base64
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from pydantic import SecretStr

from cloudllm import LLMSession
from cloudllm.errors import CloudLLMError
from cloudllm.events import (
    Event,
    ReasoningDelta,
    RequestSent,
    Retrying,
    TextDelta,
    ToolCallDelta,
    TurnFinished,
)
from cloudllm.messages import Attempt, Message, Role, Status
from cloudllm.provider import Client, Deadlines
from cloudllm.retry import RetryPolicy
from cloudllm.testing import Fault, FaultServer

KEY = "sk-test/secret+key=0123456789"
PATIENT = Deadlines(connect=20, first_token=60, gap=60)
SHORT = Deadlines(connect=0.5, first_token=1.5, gap=1.0)
_RETRY = RetryPolicy(attempts=3, seconds=20, first=0.02)
_BEFORE = (
    Message(Role.USER, "Good day."),
    Message(Role.ASSISTANT, "Good day to you."),
)
_QUESTION = "Which colours are there?"
_LONGEST_LINE = 800
_SHOWN = {Status.COMPLETE: "done", Status.PARTIAL: "partial"}


@dataclass(kw_only=True)
class Tried:
    """What came of one turn."""

    events: list[Event] = field(default_factory=list)
    history: tuple[Message, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    reply: Message | None = None
    error: CloudLLMError | None = None
    crash: Exception | None = None
    traceback: str = ""
    asked: int = 0

    @property
    def outcome(self) -> str:
        """In the words of the table."""
        return _SHOWN[self.reply.status] if self.reply else "error"

    @property
    def line(self) -> str:
        """What a person is told went wrong."""
        return str(self.error) if self.error else (self.reply and self.reply.error) or ""


def client_of(url: str, model: str) -> Client:
    """A client on the route that speaks OpenAI's format."""
    return Client(
        provider="work",
        label="Work",
        model=model,
        route="openai",
        api_base=url,
        api_key=SecretStr(KEY),
    )


async def turn(
    url: str, model: str, *, deadlines: Deadlines = PATIENT, retry: RetryPolicy = _RETRY
) -> Tried:
    """Ask the model, in a conversation that has a turn already."""
    client = client_of(url, model)
    session = LLMSession(client, system_prompt="Be brief.", deadlines=deadlines, retry=retry)
    for message in _BEFORE:
        session.inject_message(message)
    tried = Tried()
    try:
        async for event in session.stream_message(Role.USER, _QUESTION):
            tried.events.append(event)
            if isinstance(event, TurnFinished):
                tried.reply = event.reply
    except CloudLLMError as error:
        tried.error = error
        tried.traceback = "".join(traceback.format_exception(error))
    except Exception as error:  # noqa: BLE001 - the test of that fault is to fail, not all of them
        tried.crash = error
    tried.history, tried.attempts = session.history, session.attempts
    return tried


async def meet(server: FaultServer, fault: Fault, limit: asyncio.Semaphore) -> Tried:
    """Ask the fault's model; those that mostly wait are not limited in number."""
    url = await asyncio.to_thread(server.url_of, fault)
    if fault.by_deadline:
        tried = await turn(url, fault.model, deadlines=SHORT)
    elif fault.seconds:
        tried = await turn(url, fault.model)
    else:
        async with limit:
            tried = await turn(url, fault.model)
    tried.asked = server.asked(fault.model)
    return tried


def check_rules(tried: Tried) -> None:
    """What holds for every turn, however it went."""
    assert tried.crash is None
    _check_history(tried)
    _check_attempts(tried)
    _check_nothing_is_repeated(tried.events)
    said = [repr(part) for part in (*tried.events, *tried.history, *tried.attempts)]
    check_secret(KEY, [tried.line, tried.traceback, *said])
    for line in (tried.line, *(attempt.error or "" for attempt in tried.attempts)):
        assert all(letter.isprintable() for letter in line), line
        assert len(line) < _LONGEST_LINE, line
        assert "Traceback (most recent call last)" not in line, line


def _check_history(tried: Tried) -> None:
    """G3: it is as before, or has one turn more."""
    assert tried.history[: len(_BEFORE)] == _BEFORE
    new = tried.history[len(_BEFORE) :]
    if tried.error is not None:
        assert new == ()
        assert tried.reply is None
        return
    assert tried.reply is not None
    assert [message.role for message in new] == [Role.USER, Role.ASSISTANT]
    assert (new[0].content, new[1]) == (_QUESTION, tried.reply)
    assert tried.reply.usage is not None
    if tried.reply.status is Status.PARTIAL:
        assert tried.reply.usage.estimated
        assert tried.reply.error
        assert tried.reply.finish_reason is None


def _check_attempts(tried: Tried) -> None:
    """Each is announced and kept."""
    sent = [event for event in tried.events if isinstance(event, RequestSent)]
    assert [event.attempt for event in sent] == [*range(1, len(sent) + 1)]
    assert [attempt.number for attempt in tried.attempts] == [*range(1, len(sent) + 1)]
    assert all(attempt.error for attempt in tried.attempts[:-1])


def _check_nothing_is_repeated(events: Iterable[Event]) -> None:
    """G11: nothing is sent again once any of it was visible."""
    visible = False
    for event in events:
        if isinstance(event, TextDelta | ReasoningDelta | ToolCallDelta):
            visible = True
        else:
            assert not (visible and isinstance(event, Retrying | RequestSent))


def check_secret(key: str, texts: Iterable[str]) -> None:
    """G7: in none of the usual forms, not even inside of something else in base 64."""
    raw = key.encode()
    inside = (base64.b64encode(bytes(before) + raw)[4:-4] for before in range(3))
    forms = (key, quote(key, safe=""), raw.hex(), *(form.decode() for form in inside))
    for text in texts:
        for form in forms:
            assert form not in text
