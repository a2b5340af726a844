"""A long history skips the SDK's walk, and the body on the wire stays what it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from cloudllm import gateway
from cloudllm.gateway import shortcut
from cloudllm.messages import Message, Role, ToolCall
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import WireServer

CALL = ToolCall(id="call_1", name="look", arguments='{"at": "ü"}')
MESSAGES = (
    Message(Role.SYSTEM, "Be brief."),
    Message(Role.USER, 'Grüße, 日本 👩‍💻 \u2028 \x00 "quoted"'),
    Message(Role.ASSISTANT, "", tool_calls=(CALL,)),
    Message(Role.TOOL, "a cat", tool_call_id="call_1"),
    Message(Role.ASSISTANT, ""),
    Message(Role.USER, ""),
    Message(Role.USER, "Go on."),
    Message(Role.ASSISTANT, "I began"),
)


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many messages the SDK was given to walk, call by call."""
    completions: Any = import_module("openai.resources.chat.completions.completions")
    counts: list[int] = []
    plain = completions.async_maybe_transform

    async def counting(data: Any, expected: Any) -> Any:
        counts.append(len(data["messages"]))
        return await plain(data, expected)

    monkeypatch.setattr(completions, "async_maybe_transform", counting)
    return iter([counts])


async def sent(client: Client, server: WireServer, **params: object) -> str:
    request = Request(messages=MESSAGES, temperature=0.5, max_output_tokens=9, params=params)
    async for _ in gateway.stream(client, request, Deadlines()):
        pass
    return json.dumps(server.requests[-1].body)


@pytest.mark.parametrize("params", [{}, {"extra_body": {"top_k": 3}}])
async def test_the_body_is_the_same_to_the_order_of_its_keys(
    make_client: Callable[..., Client],
    server: WireServer,
    params: dict[str, object],
    walked: Iterator[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = next(walked)
    client = make_client("openai")
    short = await sent(client, server, **params)
    monkeypatch.setattr(shortcut, "_plain", lambda _: False)
    assert short == await sent(client, server, **params)
    assert counts == [0, len(MESSAGES)]
    assert [one["content"] for one in json.loads(short)["messages"]][1] == MESSAGES[1].content


async def test_whoever_else_calls_litellm_calls_it_as_it_is(
    server: WireServer, walked: Iterator[list[int]]
) -> None:
    litellm: Any = import_module("litellm")
    stream = await litellm.acompletion(
        model="openai/m", messages=[{"role": "user", "content": "x"}], api_key="k",
        api_base=server.url, stream=True,
    )  # fmt: skip
    async for _ in stream:
        pass
    assert next(walked) == [1]


def test_another_litellm_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcut, "_PLACES", (("json", "Nobody", "x"), ("no.such", "A", "b")))
    shortcut.take()


async def test_a_call_of_another_form_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(*args: Any, **given: Any) -> Any:
        return args, given

    make = shortcut._sparing(call)
    assert await make(1, data="?") == ((1,), {"data": "?"})
    assert await make(2) == ((2,), {})
