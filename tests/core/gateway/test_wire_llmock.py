"""Wire formats of a server that we did not write: llmock, route by route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from llmock.pytest_plugin import LLMock
from llmock.scenarios import Reply, StreamFault

from cloudllm import gateway
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ContextTooLong,
    InvalidResponse,
    NetworkError,
    RateLimited,
    ServerError,
)
from cloudllm.events import StreamEnded, StreamEvent, TextDelta
from cloudllm.provider import Client, Deadlines, Request

TEXT = "One two  three\nfour, five: [DONE] sechs ä 😀 and no more."


@dataclass(frozen=True)
class Wire:
    """A format: litellm's route, the path below the server's address, a model's name.

    `counts` is false where llmock reports usage only if it is asked, which the service is not: it
    reports it always.
    """

    route: str
    path: str
    model: str = "some-model"
    counts: bool = True


WIRES = {
    "openai": Wire("openai", "/v1"),
    "responses": Wire("openai", "/v1", "responses/gpt-5.5"),
    "anthropic": Wire("anthropic", "/anthropic"),
    "gemini": Wire("gemini", "/gemini/v1beta", "gemini-2.5-flash"),
    "mistral": Wire("mistral", "/mistral/v1", counts=False),
    "groq": Wire("groq", "/groq/openai/v1"),
    "together": Wire("together_ai", "/together/v1"),
    "xai": Wire("xai", "/xai/v1"),
    "perplexity": Wire("perplexity", "/perplexity/v1", counts=False),
}


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    return WIRES[str(request.param)]


@pytest.fixture
def client(wire: Wire, llmock: LLMock, make_client: Callable[..., Client]) -> Client:
    return make_client(wire.route, api_base=llmock.url + wire.path, model=wire.model)


async def call(client: Client, request: Request) -> list[StreamEvent]:
    deadlines = Deadlines(connect=5, first_token=10, gap=10)
    return [event async for event in gateway.stream(client, request, deadlines)]


async def fails(client: Client, request: Request) -> CloudLLMError:
    with pytest.raises(CloudLLMError) as caught:
        await call(client, request)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_text_end_and_usage(
    llmock: LLMock,
    wire: Wire,
    client: Client,
    ask: Request,
    text_of: Callable[[list[StreamEvent]], str],
) -> None:
    llmock.reply(TEXT)
    events = await call(client, ask)
    assert text_of(events) == TEXT
    last = events[-1]
    assert isinstance(last, StreamEnded)
    assert last.finish_reason == "stop"
    assert (last.usage is not None) == wire.counts
    if last.usage is not None:
        assert last.usage.input_tokens > 0
        assert last.usage.output_tokens > 0
    assert len(llmock.requests) == 1


async def test_a_reply_cut_by_its_limit_says_so(
    llmock: LLMock, client: Client, ask: Request
) -> None:
    llmock.add(Reply(text="One two three", finish_reason="length"))
    last = (await call(client, ask))[-1]
    assert isinstance(last, StreamEnded)
    assert last.finish_reason == "length"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, AuthenticationError), (429, RateLimited), (500, ServerError)],
)
async def test_errors(
    llmock: LLMock, client: Client, ask: Request, status: int, expected: type[CloudLLMError]
) -> None:
    llmock.fail(status, times=None, retry_after=3.0 if status == 429 else None, message="Oh no")
    error = await fails(client, ask)
    assert type(error) is expected
    assert "Oh no" in error.message
    if isinstance(error, RateLimited):
        assert error.retry_after == 3.0
    assert len(llmock.requests) == 1


async def test_context_overflow(llmock: LLMock, client: Client, ask: Request) -> None:
    llmock.context_overflow()
    assert isinstance(await fails(client, ask), ContextTooLong)


async def test_G10_a_truncated_stream_is_no_whole_answer(
    llmock: LLMock, client: Client, ask: Request
) -> None:
    llmock.reply(TEXT).truncate(after_chunks=6)
    *deltas, last = await call(client, ask)
    assert last == StreamEnded(None)
    text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    assert text
    assert TEXT.startswith(text)


async def test_a_broken_connection_is_an_error(
    llmock: LLMock, client: Client, ask: Request
) -> None:
    llmock.reply(TEXT).disconnect(after_chunks=5)
    assert isinstance(await fails(client, ask), NetworkError)


async def test_a_broken_chunk_is_an_error(llmock: LLMock, client: Client, ask: Request) -> None:
    llmock.reply(TEXT).add(StreamFault("malformed", after_chunks=5))
    assert isinstance(await fails(client, ask), InvalidResponse)
