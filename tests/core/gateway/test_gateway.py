"""A call that goes well: what goes out, what comes back, how it is stopped."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock

from cloudllm import gateway
from cloudllm.events import ReasoningDelta, StreamEnded, StreamEvent, TextDelta, ToolCallDelta
from cloudllm.messages import Message, Role, ToolCall, Usage
from cloudllm.provider import Client, Deadlines, ModelInfo, Request
from cloudllm.testing import Reply, WireServer

TextOf = Callable[[list[StreamEvent]], str]


async def call(client: Client, request: Request, **deadlines: Any) -> list[StreamEvent]:
    return [event async for event in gateway.stream(client, request, Deadlines(**deadlines))]


async def test_yields_text_as_it_came_and_ends_once(
    server: WireServer, client: Client, ask: Request, text_of: TextOf
) -> None:
    pieces = ["Hé", "llo\n", "", "  world\u2028", "😀"]
    server.replies(Reply(text=pieces))
    events = await call(client, ask)
    assert text_of(events) == "".join(pieces)
    assert events[-1] == StreamEnded("stop", Usage(input_tokens=7, output_tokens=5))


async def test_reasoning_stays_apart_from_text(
    server: WireServer, client: Client, ask: Request, text_of: TextOf
) -> None:
    server.replies(Reply(text=["4"], reasoning=["2 and 2", " make"]))
    events = await call(client, ask)
    assert text_of(events) == "4"
    assert events[:2] == [ReasoningDelta("2 and 2"), ReasoningDelta(" make")]


async def test_text_in_parts_is_text(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}
    deltas = (
        {"content": [thought]},
        {"content": [{"type": "text", "text": "4"}]},
        {"content": "2"},
    )
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    server.replies(*[Reply(body=body, content_type=kind) for kind in ("text/event-stream", "")])
    for _ in range(2):
        assert await call(make_client(), ask) == [
            ReasoningDelta("Hm"), TextDelta("4"), TextDelta("2"), StreamEnded("stop"),
        ]  # fmt: skip


async def test_the_answer_is_asked_for_as_plain_bytes(
    server: WireServer, client: Client, ask: Request
) -> None:
    await call(client, ask)
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_cached_and_reasoning_tokens_are_handed_on(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    usage = Usage(input_tokens=900, output_tokens=40, cached_tokens=512, reasoning_tokens=32)
    server.replies(Reply(usage=usage))
    assert (await call(make_client(), ask))[-1] == StreamEnded("stop", usage)


async def test_G10_usage_is_unknown_when_the_provider_reports_none(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(usage=None))
    assert (await call(client, ask))[-1] == StreamEnded("stop", None)


@pytest.mark.parametrize("cut_after", [1, 3])
async def test_G10_a_stream_without_finish_reason_is_cut_not_stopped(
    server: WireServer, client: Client, ask: Request, cut_after: int
) -> None:
    server.replies(Reply(cut_after=cut_after))
    events = await call(client, ask)
    assert len(events) == cut_after + 1
    assert events[-1] == StreamEnded(None, None)


async def test_finish_reason_is_the_providers(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(finish_reason="length"))
    assert (await call(client, ask))[-1] == StreamEnded(
        "length", Usage(input_tokens=7, output_tokens=5)
    )


async def test_an_empty_answer_with_a_finish_reason_is_an_answer(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(text=[]))
    assert await call(client, ask) == [StreamEnded("stop", Usage(input_tokens=7, output_tokens=5))]


async def test_a_hundred_equal_chunks_are_no_error(
    server: WireServer, client: Client, ask: Request, text_of: TextOf
) -> None:
    server.replies(Reply(text=["-----"] * 250))
    assert text_of(await call(client, ask)) == "-----" * 250


async def test_end_does_not_wait_for_a_server_that_keeps_the_connection(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    body = (
        'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        '[{"index":0,"delta":{"content":"done"},"finish_reason":"stop"}]}\n\n'
    )
    headers = {"content-length": "9999"}
    server.replies(Reply(body=body, content_type="text/event-stream", headers=headers))
    began = time.monotonic()
    assert await call(make_client(), ask) == [TextDelta("done"), StreamEnded("stop")]
    assert time.monotonic() - began < 3


async def test_sends_what_it_was_given_and_nothing_else(
    server: WireServer, make_client: Callable[..., Client], key: str
) -> None:
    call_of_tool = ToolCall("call_1", "look", '{"at": "sky"}')
    request = Request(
        messages=(
            Message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, "Look."),
            Message(Role.ASSISTANT, "", tool_calls=(call_of_tool,)),
            Message(Role.TOOL, "blue", tool_call_id="call_1"),
            Message(Role.ASSISTANT, ""),
            Message(Role.USER, "So?"),
        ),
        max_output_tokens=50,
        temperature=0.5,
        params={"seed": 2, "stream": False},
    )
    await call(make_client(params={"seed": 1, "top_p": 0.9}), request)
    sent = server.requests[0]
    assert sent.key == key
    assert sent.body["messages"][2:5] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"at": "sky"}'},
                }
            ],
        },
        {"role": "tool", "content": "blue", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "(no reply)"},
    ]
    parameters = {k: v for k, v in sent.body.items() if k != "messages"}
    assert parameters == {
        "model": "some-model",
        "max_tokens": 50,
        "temperature": 0.5,
        "seed": 2,
        "top_p": 0.9,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_G7_a_key_of_the_environment_goes_to_no_foreign_address(
    server: WireServer, client: Client, ask: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-user-anthropic")
    await call(replace(client, api_key=None), ask)
    assert server.requests[0].key is None
    assert "sk-of-the-user" not in str(server.requests[0])


async def test_connections_are_kept_for_the_next_call(
    server: WireServer, client: Client, ask: Request
) -> None:
    for _ in range(4):
        await call(client, ask)
    assert (len(server.requests), server.connections) == (4, 1)


@pytest.mark.parametrize("first_delay", [0.0, 30.0])
async def test_G12_cancel_closes_the_connection_at_once(
    server: WireServer, client: Client, ask: Request, first_delay: float
) -> None:
    server.replies(Reply(text=["x"] * 900, first_delay=first_delay, delay=0.05))
    task = asyncio.create_task(call(client, ask))
    await asyncio.sleep(0.15)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.wait_for_disconnects()
    assert time.monotonic() - began < 0.2


async def test_closing_the_generator_closes_the_connection(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(text=["x"] * 900, delay=0.05))
    events = gateway.stream(client, ask, Deadlines())
    assert await anext(events) == TextDelta("x")
    await events.aclose()
    assert server.wait_for_disconnects()


async def test_a_burst_leaves_time_for_others(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()  # what other processes take is not counted
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    server.replies(Reply(text=["word "] * 2000))
    await call(make_client(), ask)  # the first call of a loop opens its pool
    server.replies(Reply(text=["word "] * 2000))
    gc.disable()  # the heap of a whole test run is not what is measured
    watcher = asyncio.create_task(watch())
    try:
        await call(make_client(), ask)
    finally:
        gc.enable()
        watcher.cancel()
    assert longest < 0.05


async def test_two_calls_at_once_do_not_mix(
    server: WireServer, client: Client, ask: Request, text_of: TextOf
) -> None:
    server.default = lambda request: Reply(text=[f"{request.body['model']} "] * 20, delay=0.002)
    one, two = await asyncio.gather(
        call(replace(client, model="one"), ask), call(replace(client, model="two"), ask)
    )
    assert (text_of(one), text_of(two)) == ("one " * 20, "two " * 20)


def test_every_event_loop_has_connections_of_its_own(
    server: WireServer, client: Client, ask: Request, text_of: TextOf
) -> None:
    async def turn() -> str:
        try:
            return text_of(await call(client, ask))
        finally:
            await gateway.close()

    for _ in range(3):
        assert asyncio.run(turn()) == "Hello from the wire."
    assert server.connections == 3


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_is_left_open(
    server: WireServer, client: Client, ask: Request, closed: bool
) -> None:
    async def turn() -> None:
        await call(client, ask)
        if closed:
            await gateway.close()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ResourceWarning)
        asyncio.run(turn())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def test_prints_nothing(
    server: WireServer, client: Client, ask: Request, capfd: pytest.CaptureFixture[str]
) -> None:
    server.replies(Reply(), Reply.error(500), Reply(cut_after=1, cut="reset"), Reply.html())
    for _ in range(4):
        await asyncio.gather(call(client, ask), return_exceptions=True)
    assert capfd.readouterr() == ("", "")


async def test_model_info_is_completed_from_litellms_offline_data() -> None:
    client = Client(provider="openai", label="OpenAI", model="gpt-4.1-nano", route="openai")
    known = await gateway.model_info(client)
    assert (known.context_limit, known.output_limit) == (1_047_576, 32_768)
    own = ModelInfo(name="gpt-4.1-nano", context_limit=5, reasoning=True)
    both = await gateway.model_info(replace(client, info=own))
    assert (both.context_limit, both.reasoning, both.output_limit) == (5, True, 32_768)
    unknown = await gateway.model_info(replace(client, model="made-up"))
    assert unknown == ModelInfo(name="made-up")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_llmock_answers(
    llmock: LLMock, make_client: Callable[..., Client], ask: Request, text_of: TextOf, provider: str
) -> None:
    llmock.reply("Fine, thanks.")
    client = make_client(provider, api_base=llmock.base_url(provider))
    events = await call(client, ask)
    assert text_of(events) == "Fine, thanks."
    last = events[-1]
    assert isinstance(last, StreamEnded)
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert last.usage.input_tokens > 0


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_llmock_truncates(
    llmock: LLMock, make_client: Callable[..., Client], ask: Request, provider: str
) -> None:
    llmock.reply("One two three four five six seven eight.").truncate(after_chunks=4)
    client = make_client(provider, api_base=llmock.base_url(provider))
    assert (await call(client, ask))[-1] == StreamEnded(None)


@pytest.mark.parametrize(
    ("route", "marked"),
    [("openai", False), ("anthropic", False), ("mistral", True), ("deepseek", True)],
)
async def test_an_answer_that_was_begun_goes_out_last(
    server: WireServer,
    make_client: Callable[..., Client],
    ask: Request,
    route: str,
    *,
    marked: bool,
) -> None:
    begun = Message(Role.ASSISTANT, "The sky")
    base = server.origin if route == "anthropic" else server.url
    server.replies(Reply(text=[" is blue"]))
    events = await call(
        make_client(route, api_base=base), replace(ask, messages=(*ask.messages, begun))
    )
    assert events[0] == TextDelta(" is blue")
    last = server.requests[0].body["messages"][-1]
    assert last["role"] == "assistant"
    assert "The sky" in json.dumps(last)
    assert ("prefix" in last) is marked


async def test_pieces_of_a_tool_call_are_events(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    functions: list[dict[str, str]] = [{"name": "look", "arguments": ""}, {"arguments": '{"a": 1}'}]
    deltas = [{"tool_calls": [{"index": 0, "id": "c", "function": each}]} for each in functions]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": each}]} for each in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    server.replies(Reply(body=body, content_type="text/event-stream"))
    assert await call(make_client(), ask) == [
        ToolCallDelta("", name="look"), ToolCallDelta('{"a": 1}'), StreamEnded("tool_calls"),
    ]  # fmt: skip
