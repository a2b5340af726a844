"""Every fault of the table, and what must come of it: all at once, as 200 sessions would meet them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from cloudllm import LLMSession, gateway
from cloudllm.errors import CloudLLMError
from cloudllm.messages import Role
from cloudllm.retry import RetryPolicy
from cloudllm.testing import FAULTS, Fault, FaultServer
from tests.core.faults.trying import Tried, check_rules, client_of, meet

_SLOW = 3.5  # seconds
_AT_ONCE = 8
_ELSEWHERE = {"proxy", "afar"}  # it takes the whole program to meet them
_MET = [fault for fault in FAULTS if fault.place not in _ELSEWHERE]
_QUICK = [fault for fault in _MET if fault.seconds < _SLOW]
_LONG = [fault for fault in _MET if fault.seconds >= _SLOW]


def _name(fault: Fault) -> str:
    return fault.id


async def _all(faults: Sequence[Fault]) -> dict[str, Tried]:
    limit = asyncio.Semaphore(_AT_ONCE)
    with FaultServer() as server:
        tried = await asyncio.gather(*(meet(server, fault, limit) for fault in faults))
        assert server.other.requests == []
        assert server.other.connections == 0
        await gateway.close()
    return dict(zip((fault.id for fault in faults), tried, strict=True))


_tried: dict[str, Tried] = {}


@pytest.fixture
def tried(request: pytest.FixtureRequest, home: object) -> dict[str, Tried]:
    """What came of all the quick faults that are to be tested; the first test waits for them."""
    if not _tried:
        specs = (getattr(item, "callspec", None) for item in request.session.items)
        wanted = {spec.params["fault"].id for spec in specs if spec and "fault" in spec.params}
        _tried.update(asyncio.run(_all([fault for fault in _QUICK if fault.id in wanted])))
    return _tried


@pytest.mark.parametrize("fault", _QUICK, ids=_name)
def test_fault(fault: Fault, tried: dict[str, Tried]) -> None:
    _check(fault, tried[fault.id])


@pytest.mark.slow
@pytest.mark.parametrize("fault", _LONG, ids=_name)
def test_long_fault(fault: Fault) -> None:
    _check(fault, asyncio.run(_all([fault]))[fault.id])


def _check(fault: Fault, tried: Tried) -> None:
    check_rules(tried)
    assert (tried.outcome, tried.line) == (fault.outcome, tried.line)
    assert fault.says in tried.line or fault.outcome == "done"
    if fault.place == "here":
        assert tried.asked == fault.requests
    assert len(tried.attempts) == fault.requests
    if tried.error is not None:
        assert tried.error.exit_code == fault.exit_code
    if tried.reply is not None:
        assert tried.reply.usage is not None
        assert tried.reply.reasoning == fault.reasoning
        assert tried.reply.usage.estimated is not fault.counted
        if fault.text or not fault.seconds:
            assert tried.reply.content == fault.text


async def test_G3_one_conversation_outlasts_them_in_any_order() -> None:
    quick = [fault for fault in _QUICK if not (fault.by_deadline or fault.seconds)]
    chosen = random.Random(4).sample([fault for fault in quick if fault.place == "here"], 30)
    with FaultServer() as server:
        client = client_of(server.url, "fault-ok")
        session = LLMSession(client, retry=RetryPolicy(first=0.01))
        kept = 0
        for fault in chosen:
            session.client = client_of(server.url, fault.model)
            try:
                await session.send_message(Role.USER, "Which colours are there?")
            except CloudLLMError:
                assert fault.outcome == "error"
            else:
                kept += 1
            roles = [message.role for message in session.history]
            assert roles == [Role.USER, Role.ASSISTANT] * kept
        await gateway.close()


async def test_half_a_character_in_a_reply_does_not_end_the_conversation() -> None:
    with FaultServer() as server:
        session = LLMSession(client_of(server.url, "fault-lone-surrogate"))
        reply = await session.send_message(Role.USER, "Which colours are there?")
        assert reply.content == "a\ud83db"
        assert (await session.send_message(Role.USER, "And?")).content == "a\ud83db"
        sent = [message["content"] for message in server.requests[-1].body["messages"]]
        assert sent[-2:] == ["a\N{REPLACEMENT CHARACTER}b", "And?"]
        assert session.history[1].content == "a\ud83db"
        await gateway.close()
