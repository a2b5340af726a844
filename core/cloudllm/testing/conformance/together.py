"""Many calls: none is made twice, none changes the next, none mixes with another, none leaks."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import threading
import time
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudllm.messages import Message, Role, Usage
from cloudllm.provider import Client, Request
from cloudllm.session import LLMSession
from cloudllm.testing.conformance.bench import QUESTION, Bench, until
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed
from cloudllm.testing.conformance.outcome import Outcome, words
from cloudllm.testing.script import Received, Reply
from cloudllm.testing.wires import wire_of

_MANY = 200
_FEW = 50  # if each of them takes a lot of work, or the machine is busy
_BUDGET = 8.0  # seconds that all of them may take where nothing waits
_HALF = _BUDGET / 2  # for a model in this process, where none of them overlap
_SLOW = 0.2  # seconds of one call, from which on it tells by itself
_LONGEST = 40.0  # seconds after which one of them has hung
_MARK = re.compile(r"mark-(\d+)-")
_TOKENS = 1000
_TOO_LONG = "This model's maximum context length is 4096 tokens."
_STOPPED = 6  # calls that are stopped, and as many that fail
_PILOTS = 3
_CALLS = 24  # of which the last two thirds must leave nothing behind
_FEWEST = 9  # if each of them takes its time


@check("retry-none", "a call makes one request, whatever comes of it")
async def retry_none(bench: Bench) -> None:
    """Whoever pays decides whether to try again."""
    await bench.wired()
    replies = {
        "answered": Reply(),
        "answered 500": Reply.error(500),
        "answered 429": Reply.error(429, headers={"retry-after": "0"}),
        "broke off": Reply(cut_after=2, cut="close"),
        "closed the connection": Reply(cut_after=-1, cut="close"),
        "answered 401": Reply.error(401),
        "answered 404": Reply.error(404),
        "answered 503": Reply.error(503),
        "said that it was too long": Reply.error(400, _TOO_LONG, code="context_length_exceeded"),
        "stopped at the longest answer": Reply(finish_reason="length"),
        "answered nothing": Reply(text=[]),
    }
    for what, reply in replies.items():
        count = len((await bench.turn(reply)).requests)
        if count != 1:
            raise Failed(f"the service {what}, and {count} requests were made; retry nothing")
    if bench.server.listings:
        raise Failed(f"beside the request, {bench.server.listings[0].path} was asked for")


@check("repeat", "a second call with the same client knows nothing of the first")
async def repeat(bench: Bench) -> None:
    """The conversation is the session's; a client may serve many."""
    client = await bench.answers()
    wired = bool((await bench.first()).requests)

    def prepare(session: LLMSession) -> None:
        session.temperature = 0.0

    one, two = [
        await bench.turn(Reply(text="The same."), client=client, prepare=prepare) for _ in range(2)
    ]
    if wired and one.requests and two.requests and one.requests[-1].body != two.requests[-1].body:
        raise Failed("two equal calls sent different requests; something is kept between them")
    if wired and one.requests and not two.requests:
        raise Failed("the second of two equal calls asked nobody; a reply is kept and said again")
    if _result(one) != _result(two):
        raise Failed(f"two equal calls gave {one.story}, then {two.story}")


def _result(outcome: Outcome) -> tuple[object, ...]:
    reply = outcome.reply
    return (outcome.text, outcome.reasoning, type(outcome.error), reply and reply.status)


@check(
    "sessions-at-once", "200 sessions on one client at once: all answered, none mixed, none queued"
)
async def at_once(bench: Bench) -> str:
    """What the library is used for in a server."""
    client = await bench.answers()
    wired = bool((await bench.first()).requests)
    if wired:
        await _pilots(bench, client)
    many = max(
        _FEW if wired else 2, await _affordable(bench, client, _MANY, _BUDGET if wired else _HALF)
    )
    bench.forget()
    bench.server.default = _echo
    began = time.perf_counter()
    said = (bench.said(client, _question(n), patience=_LONGEST) for n in range(many))
    for number, outcome in enumerate(await asyncio.gather(*said)):
        if outcome.reply is None:
            raise Failed(f"of {many} sessions at once, number {number} gave {outcome.story}")
        _look_at(number, outcome, wired=wired)
    if wired and not bench.failed("repeat"):
        _look_at_requests(bench.server.requests, many)
    return f"{many} in {time.perf_counter() - began:.1f} s"


async def _pilots(bench: Bench, client: Client) -> None:
    """A few that the server keeps waiting: all must be on their way together."""
    bench.forget()
    bench.server.default = Reply(stall_after=0)
    tasks = [asyncio.ensure_future(bench.said(client)) for _ in range(_PILOTS)]
    together = await until_peak(bench, _PILOTS)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=2.0)
    if not together:
        raise Failed(
            f"of {_PILOTS} calls {bench.server.peak} was on its way at a time; the others waited"
        )


async def until_peak(bench: Bench, count: int) -> bool:
    """Wait until so many replies are in progress."""
    return await until(lambda: bench.server.peak >= count, 2.0)


async def _affordable(bench: Bench, client: Client, most: int, budget: float) -> int:
    """As many as can be done in `budget` seconds, one after the other at the worst.

    The quickest of a few calls tells, unless they are slow: a busy machine delays single ones.
    """
    seconds = budget
    for _ in range(_PILOTS):
        began = time.perf_counter()
        await bench.turn(Reply(), client=client)
        seconds = min(seconds, time.perf_counter() - began)
        if seconds > _SLOW:
            break
    return min(most, int(budget / (seconds + 0.001)))


def _question(number: int) -> str:
    return f"{QUESTION} mark-{number}-"


def _echo(request: Received) -> Reply:
    """Say the question's mark again, and report as many tokens as its number says."""
    wire = wire_of(request.path)
    assert wire is not None  # noqa: S101 - the server asked
    mark = wire.asked(request).messages[-1][1].split()[-1]
    tokens = _TOKENS + int(mark.split("-")[1])
    return Reply(
        text=["It ", "is ", mark],
        first_delay=0.05,
        usage=Usage(input_tokens=tokens, output_tokens=3),
    )


def _look_at(number: int, outcome: Outcome, *, wired: bool) -> None:
    others = {int(mark) for mark in _MARK.findall(outcome.text)} - {number}
    if others:
        raise Failed(f"session {number} got text of session {min(others)}")
    usage = outcome.reply.usage if outcome.reply else None
    if wired and usage is not None and not usage.estimated:
        other = usage.input_tokens - _TOKENS
        if other != number and 0 <= other < _MANY:
            raise Failed(f"session {number} got the usage of session {other}")


def _look_at_requests(requests: list[Received], many: int) -> None:
    if len(requests) != many:
        raise Failed(f"{many} sessions made {len(requests)} requests")
    for request in requests:
        wire = wire_of(request.path)
        said = wire.asked(request).messages if wire else ()
        if len(said) != 1:
            raise Failed(f"a session's first request held {len(said)} messages, of others too")


@check("event-loops", "a client works in one event loop after another")
async def event_loops(bench: Bench) -> None:
    """Programs that are not asynchronous call it by `asyncio.run`, again and again."""
    client = await bench.answers()
    await bench.turn(Reply(), client=client)
    outcomes = [
        await asyncio.to_thread(asyncio.run, bench.turn(Reply(), client=client)) for _ in range(2)
    ]
    outcomes.append(await bench.turn(Reply(), client=client))
    for outcome in outcomes:
        if outcome.reply is None:
            raise Failed(f"in another event loop than the first it gave {outcome.story}")


@check("no-leaks", "many calls leave no thread, task, file or conversation behind")
async def no_leaks(bench: Bench) -> None:
    """A chat may go on for days."""
    client = await bench.answers()
    wired = bool((await bench.first()).requests)
    if wired:
        bench.unless_failed("cancel")
    tasks: set[object] = set(asyncio.all_tasks())
    kept: list[weakref.ref[_Text]] = []
    early: tuple[int, int] = (0, 0)
    calls = max(_FEWEST, await _affordable(bench, client, 2 * _CALLS, _HALF) // 2)
    for number in range(calls):
        if number == calls // 3:
            early = _counts()
        await bench.turn(Reply(), client=client)
        if client.backend is not None:
            kept.append(await _told(bench, client))
    await asyncio.sleep(0)
    gc.collect()
    left = [task for task in asyncio.all_tasks() if task not in tasks]
    if left:
        raise Failed(f"after {calls} calls this is still running: {_named(left)}")
    _no_more_than(early, calls)
    if bench.failed("repeat"):
        return
    alive = sum(ref() is not None for ref in kept)
    if alive > 2:  # noqa: PLR2004 - the newest may be held by a frame
        raise Failed(f"the backend still holds {alive} of {calls} conversations")
    if wired:
        await _leave_nothing_when_stopped(bench, client)


def _no_more_than(early: tuple[int, int], calls: int) -> None:
    threads, files = _counts()
    if threads > early[0] + 1:
        raise Failed(f"{threads - early[0]} threads more after {calls} calls than before")
    if files > early[1] + 2:
        raise Failed(f"{files - early[1]} files or connections are left open")


async def _leave_nothing_when_stopped(bench: Bench, client: Client) -> None:
    """Nor do calls that fail, or are stopped in the middle."""
    threads, files = _counts()
    for _ in range(_STOPPED):
        bench.forget()
        bench.server.default = Reply(text=words(6), stall_after=3)
        await bench.hears(client)
        await bench.turn(Reply.error(500), client=client)

    def settled() -> bool:
        now = _counts()
        return now[0] <= threads + 2 and now[1] <= files + 3

    if not await until(settled, 2.0):
        more = _counts()
        raise Failed(
            f"after {_STOPPED} calls that were stopped and {_STOPPED} that failed there are"
            f" {more[0] - threads} threads and {more[1] - files} files or connections more"
        )


def _named(tasks: Sequence[asyncio.Task[Any]]) -> str:
    """What they run, and how often."""
    names = Counter(getattr(task.get_coro(), "__qualname__", repr(task)) for task in tasks)
    return ", ".join(f"{name} ({count} times)" for name, count in names.most_common(3))


class _Text(str):
    """A text that can be watched."""

    __slots__ = ("__weakref__",)


async def _told(bench: Bench, client: Client) -> weakref.ref[_Text]:
    text = _Text(QUESTION + " Please.")
    await bench.raw(client, Reply(), Request(messages=(Message(Role.USER, text),)))
    return weakref.ref(text)


def _counts() -> tuple[int, int]:
    """Threads and open files of this process."""
    gc.collect()
    descriptors = Path("/proc/self/fd")
    files = len(os.listdir(descriptors)) if descriptors.exists() else 0  # noqa: PTH208 - a count
    return threading.active_count(), files


FIRST = (retry_none,)
CHECKS = (repeat, event_loops, at_once, no_leaks)
