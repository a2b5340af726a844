"""Errors: each way a service can refuse or break is the class of ours that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ContextTooLong,
    InvalidResponse,
    ModelNotFound,
    NetworkError,
    RateLimited,
    RequestRejected,
    ServerError,
)
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import Check, check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.outcome import Outcome
from cloudllm.testing.conformance.places import closed_port, moved
from cloudllm.testing.script import Reply

_WAIT = 7
_TOO_LONG = "This model's maximum context length is 4096 tokens, however you requested 9000 tokens."


@dataclass(frozen=True, slots=True)
class _Case:
    """What the service does, and the error that should come of it."""

    name: str
    what: str
    reply: Callable[[Bench], Reply]
    expected: type[CloudLLMError]


def _error(
    status: int, message: str = "kit says no", *, code: str | None = None
) -> Callable[[Bench], Reply]:
    return lambda _: Reply.error(status, message, code=code)


def _page(status: int) -> Callable[[Bench], Reply]:
    body = f"<html><h1>{status} Service Unavailable</h1></html>"
    return lambda _: Reply(status=status, body=body, content_type="text/html")


def _garbage(bench: Bench) -> Reply:
    content_type = bench.wire.content_type if bench.wire else "text/event-stream"
    return Reply(body="data: {broken\n\n", content_type=content_type)


_CASES = (
    _Case("error-400", "a request it will not take (400)", _error(400), RequestRejected),
    _Case("error-401", "a wrong key (401)", _error(401), AuthenticationError),
    _Case("error-403", "a key without the right (403)", _error(403), AuthenticationError),
    _Case("error-404", "an unknown model (404)", _error(404), ModelNotFound),
    _Case(
        "error-context",
        "a conversation that is too long (400, context_length_exceeded)",
        _error(400, _TOO_LONG, code="context_length_exceeded"),
        ContextTooLong,
    ),
    _Case(
        "error-429",
        f"slow down (429, Retry-After: {_WAIT})",
        lambda _: Reply.error(429, headers={"retry-after": str(_WAIT)}),
        RateLimited,
    ),
    _Case("error-500", "a fault of its own (500)", _error(500), ServerError),
    _Case("error-503", "that it is overloaded (503, a proxy's page)", _page(503), ServerError),
    _Case("error-html", "a web page with status 200", lambda _: Reply.html(), InvalidResponse),
    _Case("error-garbage", "something that is no answer", _garbage, InvalidResponse),
)


def _made(case: _Case) -> Check[Bench]:
    @check(case.name, f"{case.what} is {case.expected.__name__}")
    async def run(bench: Bench) -> None:
        await bench.wired()
        bench.unless_failed("retry-none")
        _look_at(case, await bench.turn(case.reply(bench)))

    return run


def _look_at(case: _Case, outcome: Outcome) -> None:
    if outcome.gave_up:
        raise Failed(f"the service answered {case.what}, and the turn did not end")
    error = outcome.error
    if not isinstance(error, case.expected):
        should = f"should be {case.expected.__name__}"
        raise Failed(f"the service answered {case.what}, came {outcome.story}; {should}")
    if "\n" in str(error):
        raise Failed(f"the error is not one line: {error}")
    if isinstance(error, RateLimited) and error.retry_after != _WAIT:
        raise Failed(f"Retry-After said {_WAIT} s, RateLimited.retry_after is {error.retry_after}")


@check("error-refused", "a server that is not there is NetworkError")
async def refused(bench: Bench) -> None:
    """Nobody listens at the address."""
    await bench.wired()
    bench.unless_failed("client-repeatable", "client-offline", "retry-none")
    if bench.api_base is None:
        raise NotApplicable("it takes no address")
    with closed_port() as address:
        bench.watch.allowed.add(address)
        client = await bench.client(api_base=moved(bench.api_base, address))
        outcome = await bench.turn(Reply(), client=client)
    if not isinstance(outcome.error, NetworkError):
        raise Failed(f"nobody listened there, came {outcome.story}; should be NetworkError")


CHECKS = (*map(_made, _CASES), refused)
