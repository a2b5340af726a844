"""What the gateway adds to litellm: bare, warm `litellm.acompletion` is the floor, same process.

Server and client are processes of their own: `serve` and `measure` are this file as a program.
"""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from importlib import import_module
from itertools import pairwise
from statistics import median
from typing import Any

from cloudllm import gateway
from cloudllm.events import TextDelta
from cloudllm.gateway import wire
from cloudllm.messages import Message, Role
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import Received, Reply, WireServer

CHUNKS = 1500
ROUNDS = 9
CALLS = 31
HISTORY = 10_000
BURST = 3_000
LONG_ROUNDS = 5


def measured(what: str) -> dict[str, Any]:
    """What a process of its own measures with a server of its own."""
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        command = [sys.executable, __file__, what, url]
        result = json.loads(subprocess.check_output(command, timeout=100))
        server.communicate("")
    assert isinstance(result, dict)
    return result


def test_the_gateway_adds_next_to_nothing_to_litellm(slowness: float) -> None:
    result = measured("measure")
    bare, ours = result["bare"], result["ours"]
    print(f"\n{'':24}{'litellm':>10}{'gateway':>10}")
    print(f"{'first token, ms':24}{bare['first'] * 1e3:10.2f}{ours['first'] * 1e3:10.2f}")
    for name, label in (("text", "CPU per chunk, us"), ("whole", "the same to its end, us")):
        print(f"{label:24}{bare[name] * 1e6:10.1f}{ours[name] * 1e6:10.1f}")
    assert ours["first"] <= bare["first"] + 0.002 * slowness
    for name in ("text", "whole"):
        assert ours[name] <= min(bare[name] * 1.10, bare[name] + 20e-6 * slowness)


def test_a_long_history_costs_no_more_than_litellm_alone(slowness: float) -> None:
    result = measured("measure_history")
    print(f"\n{HISTORY} messages, CPU until the first text, ms")
    for name, label in (("bare", "litellm"), ("ours", "gateway"), ("wire", "of it the wire form")):
        print(f"{label:24}{result[name] * 1e3:10.2f}")
    assert result["ours"] <= result["bare"] + 0.005 * slowness
    assert result["wire"] <= 0.005 * slowness


def test_a_burst_does_not_keep_the_loop(slowness: float) -> None:
    result = measured("measure_burst")
    print(f"\n{BURST} buffered chunks kept the loop for {result['worst'] * 1e3:.1f} ms at most")
    assert result["worst"] <= 0.015 * slowness


def serve() -> None:
    def reply(request: Received) -> Reply:
        return Reply(text=["word "] * int(request.body["model"]))

    with WireServer(port=0) as server:
        server.default = reply
        print(server.url, flush=True)
        sys.stdin.read()


@functools.cache
def history(messages: int) -> tuple[Message, ...]:
    roles = (Role.USER, Role.ASSISTANT)
    turns = [Message(roles[n % 2], f"{n}: " + "word " * 30) for n in range(messages - 1)]
    return (*turns, Message(Role.USER, "Hello?"))


async def through_litellm(url: str, chunks: int, messages: int = 1) -> AsyncIterator[str]:
    litellm: Any = import_module("litellm")
    ours, litellm.aclient_session = litellm.aclient_session, None  # litellm's own connections
    stream = await litellm.acompletion(
        model=f"openai/{chunks}",
        messages=[{"role": str(one.role), "content": one.content} for one in history(messages)],
        api_key="none",
        api_base=url,
        timeout=600,
        max_retries=0,
        drop_params=True,
        stream=True,
        stream_options={"include_usage": True},
    )
    litellm.aclient_session = ours
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


async def through_gateway(url: str, chunks: int, messages: int = 1) -> AsyncIterator[str]:
    client = Client(provider="x", label="X", model=str(chunks), route="openai", api_base=url)
    request = Request(messages=history(messages))
    async for event in gateway.stream(client, request, Deadlines()):
        if isinstance(event, TextDelta):
            yield event.text


async def run(deltas: AsyncIterator[str]) -> tuple[float, float, float]:
    """Seconds to the first text, CPU seconds from there to the last text, and to the end."""
    began = time.perf_counter()
    await anext(deltas)
    first = time.perf_counter() - began
    start = last = time.process_time()
    async for _ in deltas:
        last = time.process_time()
    return first, last - start, time.process_time() - start


async def measure(url: str) -> dict[str, dict[str, float]]:
    await gateway.ready()
    roads = {"bare": through_litellm, "ours": through_gateway}
    short: dict[str, list[float]] = {name: [] for name in roads}
    long: dict[str, list[tuple[float, float, float]]] = {name: [] for name in roads}
    for road in roads.values():
        await run(road(url, 50))
    for _ in range(CALLS):
        for name, road in roads.items():
            short[name].append((await run(road(url, 5)))[0])
    for _ in range(ROUNDS):
        for name, road in roads.items():
            long[name].append(await run(road(url, CHUNKS)))
    await gateway.close()
    return {
        name: {
            "first": median(short[name]),
            "text": median(text for _, text, _ in long[name]) / CHUNKS,
            "whole": median(whole for _, _, whole in long[name]) / CHUNKS,
        }
        for name in roads
    }


async def measure_history(url: str) -> dict[str, float]:
    await gateway.ready()
    roads = {"bare": through_litellm, "ours": through_gateway}
    seconds: dict[str, list[float]] = {name: [] for name in (*roads, "wire")}
    history(HISTORY)
    for _ in range(LONG_ROUNDS):
        for name, road in roads.items():
            start = time.process_time()
            deltas = road(url, 2, HISTORY)
            await anext(deltas)
            seconds[name].append(time.process_time() - start)
            async for _ in deltas:
                pass
        start = time.process_time()
        client = Client(provider="x", label="X", model="m", route="openai", api_base=url)
        wire.arguments(client, Request(messages=history(HISTORY)), None)
        seconds["wire"].append(time.process_time() - start)
    await gateway.close()
    return {name: median(found) for name, found in seconds.items()}


async def measure_burst(url: str) -> dict[str, float]:
    """The most CPU time that passed between two rounds of the loop."""
    await gateway.ready()
    rounds: list[float] = []

    async def tick() -> None:
        while True:
            rounds.append(time.thread_time())
            await asyncio.sleep(0)

    await run(through_gateway(url, 50))
    ticking = asyncio.create_task(tick())
    for _ in range(LONG_ROUNDS):
        await run(through_gateway(url, BURST))
    ticking.cancel()
    await gateway.close()
    return {"worst": max(later - before for before, later in pairwise(rounds))}


MEASURES = {one.__name__: one for one in (measure, measure_history, measure_burst)}

if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        print(json.dumps(asyncio.run(MEASURES[sys.argv[1]](sys.argv[2]))))
