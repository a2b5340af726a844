"""What a turn costs at the end of a long conversation: bare litellm with the same messages is the floor.

Server and client are processes of their own: `serve` and `measure` are this file as a program.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from importlib import import_module
from statistics import median
from typing import Any

from cloudllm import Client, LLMSession, Message, Role, TextDelta, gateway
from cloudllm.testing import Reply, WireServer

MESSAGES = 10_000
ROUNDS = 5


def test_a_turn_at_10000_messages_costs_next_to_nothing_over_litellm() -> None:
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
        result = json.loads(subprocess.check_output(command, timeout=110))
        server.communicate("")
    bare, ours = result["bare"], result["ours"]
    print(
        f"\na turn at {MESSAGES:,} messages: litellm {bare * 1e3:.0f} ms, session {ours * 1e3:.0f}"
    )
    assert ours <= bare + 0.005


def serve() -> None:
    with WireServer() as server:
        server.default = Reply(text="ok")
        print(server.url, flush=True)
        sys.stdin.read()


def text(number: int) -> str:
    return f"message {number}: " + "some words of a conversation that went on for long. " * 4


async def through_litellm(url: str, count: int) -> None:
    litellm: Any = import_module("litellm")
    ours, litellm.aclient_session = litellm.aclient_session, None  # litellm's own connections
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text(n)} for n in range(count)]
    try:
        stream = await litellm.acompletion(
            model="openai/some-model",
            messages=[*messages, {"role": "user", "content": "And now?"}],
            api_key="none",
            api_base=url,
            timeout=600,
            max_retries=0,
            drop_params=True,
            stream=True,
            stream_options={"include_usage": True},
        )
    finally:
        litellm.aclient_session = ours
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            return


def a_session(url: str, count: int) -> LLMSession:
    client = Client(provider="x", label="X", model="some-model", route="openai", api_base=url)
    session = LLMSession(client)
    for number in range(count):
        role = Role.ASSISTANT if number % 2 else Role.USER
        session.inject_message(Message(role, text(number)))
    return session


async def to_first_text(session: LLMSession) -> float:
    began = time.perf_counter()
    async for event in session.stream_message(Role.USER, "And now?"):
        if isinstance(event, TextDelta):
            return time.perf_counter() - began
    raise AssertionError


async def measure(url: str) -> dict[str, float]:
    await gateway.ready()
    session = a_session(url, MESSAGES)
    await through_litellm(url, 10)
    await to_first_text(a_session(url, 10))
    await to_first_text(session)  # the first time everything is put together
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await through_litellm(url, MESSAGES)
        taken["bare"].append(time.perf_counter() - began)
        session.undo()
        taken["ours"].append(await to_first_text(session))
    await gateway.close()
    return {name: median(times) for name, times in taken.items()}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        print(json.dumps(asyncio.run(measure(sys.argv[2]))))
