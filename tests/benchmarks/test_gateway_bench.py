"""What the gateway adds to litellm: bare, warm `litellm.acompletion` is the floor, same process.

Server and client are processes of their own: `serve` and `measure` are this file as a program.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from importlib import import_module
from statistics import median
from typing import Any

from cloudllm import gateway
from cloudllm.events import TextDelta
from cloudllm.messages import Message, Role
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import Received, Reply, WireServer

CHUNKS = 1500
ROUNDS = 9
CALLS = 31


def test_the_gateway_adds_next_to_nothing_to_litellm() -> None:
    server = subprocess.Popen(
        [sys.executable, __file__, "serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        command = [sys.executable, __file__, "measure", url]
        result = json.loads(subprocess.check_output(command, timeout=100))
        server.communicate("")
    bare, ours = result["bare"], result["ours"]
    print(f"\n{'':24}{'litellm':>10}{'gateway':>10}")
    print(f"{'first token, ms':24}{bare['first'] * 1e3:10.2f}{ours['first'] * 1e3:10.2f}")
    for name, label in (("text", "CPU per chunk, us"), ("whole", "the same to its end, us")):
        print(f"{label:24}{bare[name] * 1e6:10.1f}{ours[name] * 1e6:10.1f}")
    assert ours["first"] <= bare["first"] + 0.002
    assert ours["text"] <= bare["text"] * 1.10
    assert ours["whole"] <= bare["whole"] * 1.10


def serve() -> None:
    def reply(request: Received) -> Reply:
        return Reply(text=["word "] * int(request.body["model"]))

    with WireServer(port=0) as server:
        server.default = reply
        print(server.url, flush=True)
        sys.stdin.read()


async def through_litellm(url: str, chunks: int) -> AsyncIterator[str]:
    litellm: Any = import_module("litellm")
    ours, litellm.aclient_session = litellm.aclient_session, None  # litellm's own connections
    stream = await litellm.acompletion(
        model=f"openai/{chunks}",
        messages=[{"role": "user", "content": "Hello?"}],
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


async def through_gateway(url: str, chunks: int) -> AsyncIterator[str]:
    client = Client(provider="x", label="X", model=str(chunks), route="openai", api_base=url)
    request = Request(messages=(Message(Role.USER, "Hello?"),))
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


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        print(json.dumps(asyncio.run(measure(sys.argv[2]))))
