"""Wire formats of a second server that we did not write: aimock, in a process of its own (Node)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from pydantic import SecretStr

from cloudllm import gateway
from cloudllm.errors import AuthenticationError, CloudLLMError, RateLimited, ServerError
from cloudllm.events import ReasoningDelta, StreamEnded, StreamEvent, TextDelta
from cloudllm.messages import Message, Role
from cloudllm.provider import Client, Deadlines, Request

SCRIPT = os.environ.get("TEST_AIMOCK", "")

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(not SCRIPT, reason="TEST_AIMOCK does not name aimock's script"),
    pytest.mark.skipif(not shutil.which("node"), reason="node is not installed"),
]

TEXT = "One two  three\nfour, five: [DONE] sechs ä 😀 and no more of it."
THOUGHTS = "First one, then two."


def _fixture(said: str, response: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"match": {"userMessage": said}, "response": response, **options}


def _error(status: int, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": "Oh no", "type": "scripted_error"}, "status": status, **fields}


COUNTS = {
    "prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18,
    "input_tokens": 11, "output_tokens": 7,
    "promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18,
    "prompt_eval_count": 11, "eval_count": 7, "inputTokens": 11, "outputTokens": 7,
}  # fmt: skip
FIXTURES = [
    _fixture("speak", {"content": TEXT, "usage": COUNTS}, chunkSize=7),
    _fixture("think", {"content": "42", "reasoning": THOUGHTS}, chunkSize=6),
    _fixture("cut", {"content": TEXT}, chunkSize=5, latency=2, truncateAfterChunks=6),
    _fixture("drop", {"content": TEXT}, chunkSize=1, latency=20, disconnectAfterMs=150),
    _fixture("key", _error(401)),
    _fixture("slow", _error(429, retryAfter=3)),
    _fixture("down", _error(500)),
]


@dataclass(frozen=True)
class Wire:
    """A format: litellm's route, the path below the server's address, and where aimock is no model.

    `thinks` is false where its word for reasoning is not the service's, `counts` where it sends
    zeros for usage, or none unless it is asked, which the service is not.
    """

    route: str
    path: str = "/v1"
    model: str = "some-model"
    params: dict[str, str] = field(default_factory=dict)
    thinks: bool = True
    counts: bool = True


WIRES = {
    "openai": Wire("openai"),
    "responses": Wire("openai", model="responses/gpt-5.5"),
    "anthropic": Wire("anthropic", ""),
    "gemini": Wire("gemini", "/v1beta", "gemini-2.5-flash"),
    "mistral": Wire("mistral", counts=False),
    "deepseek": Wire("deepseek"),
    "groq": Wire("groq"),
    "xai": Wire("xai"),
    "together": Wire("together_ai"),
    "openrouter": Wire("openrouter", "/api/v1", thinks=False),
    "litellm-proxy": Wire("litellm_proxy"),
    "azure": Wire("azure", "", params={"api_version": "2025-04-01-preview"}),
    "ollama": Wire("ollama_chat", "", thinks=False, counts=False),
    "bedrock": Wire("bedrock/converse", "", "x.some-model-v1", {"aws_region_name": "us-east-1"}),
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running aimock."""
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["node", str(Path(SCRIPT).resolve()), "-p", str(port), "-f", str(fixtures)]
    with subprocess.Popen([*command, "--log-level", "silent"], stdout=subprocess.DEVNULL) as node:
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", node)
            yield f"http://127.0.0.1:{port}"
        finally:
            node.terminate()


def _wait_for(url: str, node: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            assert node.poll() is None, "aimock did not start"
            assert time.monotonic() < deadline, "aimock does not answer"
            time.sleep(0.05)


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    return WIRES[str(request.param)]


@pytest.fixture
def client(wire: Wire, origin: str, make_client: Callable[..., Client]) -> Client:
    return make_client(
        wire.route,
        api_base=origin + wire.path,
        model=wire.model,
        params=wire.params,
        api_key=SecretStr("sk-any"),
    )


async def call(
    client: Client, said: str, received: list[StreamEvent] | None = None
) -> list[StreamEvent]:
    """The events, in `received` too where the call is to fail."""
    received = [] if received is None else received
    request = Request(messages=(Message(Role.USER, said),))
    deadlines = Deadlines(connect=5, first_token=10, gap=10)
    async for event in gateway.stream(client, request, deadlines):
        received.append(event)
    return received


async def test_text_end_and_usage(client: Client, wire: Wire) -> None:
    *deltas, last = await call(client, "speak")
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == TEXT
    assert isinstance(last, StreamEnded)
    assert last.finish_reason == "stop"
    if wire.counts:
        assert last.usage is not None
        assert (last.usage.input_tokens, last.usage.output_tokens) == (11, 7)
    else:
        assert last.usage is None


async def test_reasoning(client: Client, wire: Wire) -> None:
    events = await call(client, "think")
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert (reasoning, text) == (THOUGHTS if wire.thinks else "", "42")


@pytest.mark.parametrize(
    ("said", "expected"),
    [("key", AuthenticationError), ("slow", RateLimited), ("down", ServerError)],
)
async def test_errors(client: Client, said: str, expected: type[CloudLLMError]) -> None:
    with pytest.raises(CloudLLMError) as caught:
        await call(client, said)
    assert type(caught.value) is expected
    assert "Oh no" in caught.value.message
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 3.0


@pytest.mark.parametrize("said", ["cut", "drop"])
async def test_G10_a_cut_stream_is_no_whole_answer(client: Client, said: str) -> None:
    """aimock destroys the socket in both cases: an error, after the text that came."""
    received: list[StreamEvent] = []
    with pytest.raises(CloudLLMError):
        await call(client, said, received)
    text = "".join(event.text for event in received if isinstance(event, TextDelta))
    assert text
    assert TEXT.startswith(text)
    assert not any(isinstance(event, StreamEnded) for event in received)
