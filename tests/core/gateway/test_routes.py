"""Every route of litellm that a bundled provider uses: nothing lost, invented, leaked or followed."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cloudllm import gateway
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    InvalidResponse,
    ModelNotFound,
    NetworkError,
    ProviderError,
    RateLimited,
    ServerError,
)
from cloudllm.events import ReasoningDelta, StreamEnded, StreamEvent, TextDelta
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import Reply, WireServer

ACCESS = "AKIAEXPLICIT0001"
SECRET = "secret-of-the-client/0123456789"
TOKEN = "ya29.token-of-the-client"


@dataclass(frozen=True)
class Route:
    """How a client takes the route; `own` credentials are those that its library finds."""

    route: str
    path: str = "/v1"
    model: str = "some-model"
    params: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    own: bool = False


REGION = {"aws_region_name": "us-east-1"}
ROUTES = {
    "openai": Route("openai"),
    "responses": Route("openai", model="responses/gpt-5.5"),
    "anthropic": Route("anthropic", ""),
    "gemini": Route("gemini", "/v1beta", "gemini-2.5-flash"),
    "xai": Route("xai"),
    "openrouter": Route("openrouter", "/api/v1"),
    "mistral": Route("mistral"),
    "deepseek": Route("deepseek"),
    "groq": Route("groq", "/openai/v1"),
    "together": Route("together_ai"),
    "perplexity": Route("perplexity", ""),
    "azure": Route("azure", "", params={"api_version": "2025-04-01-preview"}),
    "ollama": Route("ollama_chat", ""),
    "litellm-proxy": Route("litellm_proxy"),
    "bedrock": Route("bedrock/converse", "", "x.some-model-v1", REGION),
    "bedrock-signed": Route(
        "bedrock/converse",
        "",
        "x.some-model-v1",
        REGION,
        {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET},
    ),
    "vertex": Route(
        "vertex_ai",
        "",
        "gemini-2.5-flash",
        {"vertex_project": "some-project", "vertex_location": "global"},
        own=True,
    ),
}
CANARY = "canary-of-the-environment"
VARIABLES = (
    "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AZURE_AD_TOKEN", "AZURE_API_KEY",
    "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY",
    "AZURE_PASSWORD", "AZURE_TENANT_ID", "AZURE_USERNAME", "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DEEPSEEK_API_KEY",
    "GEMINI_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY", "LITELLM_PROXY_API_KEY", "MISTRAL_API_KEY",
    "OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENAI_ORGANIZATION", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID",
    "OPENROUTER_API_KEY", "OR_API_KEY", "PALM_API_KEY", "PERPLEXITYAI_API_KEY",
    "PERPLEXITY_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHER_AI_TOKEN",
    "TOGETHER_API_KEY", "XAI_API_KEY",
)  # fmt: skip


class _TokenServer(http.server.BaseHTTPRequestHandler):
    """Where Google's library trades a signature for a token."""

    def do_POST(self) -> None:
        body = json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="session")
def google_credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of a service account whose tokens come from this machine."""
    pytest.importorskip("google.auth")
    ciphers: Any = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")
    forms: Any = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = ciphers.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _TokenServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        account = {
            "type": "service_account",
            "project_id": "some-project",
            "private_key": pem.decode(),
            "client_email": "someone@example.com",
            "token_uri": f"http://127.0.0.1:{server.server_port}/token",
        }
        file = tmp_path_factory.mktemp("google") / "account.json"
        file.write_text(json.dumps(account))
        yield file
        server.shutdown()


@pytest.fixture(params=ROUTES)
def client(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    server: WireServer,
    key: str,
) -> Client:
    """A client on each route, with a canary in every variable that litellm knows."""
    route = ROUTES[str(request.param)]
    for name in VARIABLES:
        monkeypatch.setenv(name, f"{CANARY}-{name}")
    monkeypatch.setenv("OLLAMA_API_BASE", server.origin)  # whom it asks of its models on the quiet
    if route.own:
        credentials = request.getfixturevalue("google_credentials")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    return Client(
        provider="work",
        label="Work",
        model=route.model,
        route=route.route,
        api_base=server.origin + route.path,
        api_key=None if route.own or route.secrets else SecretStr(key),
        hosts=frozenset({"127.0.0.1"}),
        params=route.params,
        secrets={name: SecretStr(value) for name, value in route.secrets.items()},
        own_credentials=route.own,
    )


async def call(client: Client, request: Request) -> list[StreamEvent]:
    deadlines = Deadlines(connect=5, first_token=10, gap=10)
    return [event async for event in gateway.stream(client, request, deadlines)]


async def fails(client: Client, request: Request) -> CloudLLMError:
    with pytest.raises(CloudLLMError) as caught:
        await call(client, request)
    error = caught.value
    assert "\n" not in str(error)
    shown = "".join(traceback.format_exception(error)) + repr(error.args)
    for secret in (SECRET, TOKEN, CANARY, *_keys(client)):
        assert secret not in shown
    return error


def _keys(client: Client) -> list[str]:
    return [client.api_key.get_secret_value()] if client.api_key else []


PIECES = [
    "Hé",
    "llo\n",
    "  w\u2028orl\u0085d ",
    "[DONE]",
    " data: [DONE]\n",
    "😀",
    "</s>",
    "\u2029.",
]


async def test_text_arrives_exactly(
    server: WireServer,
    client: Client,
    ask: Request,
    text_of: Callable[[list[StreamEvent]], str],
) -> None:
    server.replies(Reply(text=PIECES), Reply(text=PIECES, fragment=31))
    for _ in range(2):
        events = await call(client, ask)
        assert text_of(events) == "".join(PIECES)
    last = events[-1]
    assert isinstance(last, StreamEnded)
    assert last.finish_reason == "stop"
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens) == (7, 5)


async def test_reasoning_arrives_exactly(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply(text=["4", "2"], reasoning=["One [DONE]", " and\u2028", "two."]))
    events = await call(client, ask)
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert (reasoning, text) == ("One [DONE] and\u2028two.", "42")


async def test_G10_nothing_is_invented(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply(finish_reason="length"), Reply(usage=None), Reply(finish_reason=None))
    limited, uncounted, unfinished = [(await call(client, ask))[-1] for _ in range(3)]
    assert isinstance(limited, StreamEnded)
    assert limited.finish_reason == "length"
    assert uncounted == StreamEnded("stop", None)
    assert unfinished == StreamEnded(None, None)


async def test_G10_a_cut_stream_is_partial_or_an_error(
    server: WireServer, client: Client, ask: Request
) -> None:
    text = ["a", "b", "c", "d"]
    server.replies(
        Reply(text=text, cut_after=1),
        Reply(text=text, cut_after=3),
        Reply(text=text, cut_after=2, cut="close"),
        Reply(text=text, cut_after=2, cut="reset"),
    )
    assert await call(client, ask) == [TextDelta("a"), StreamEnded(None)]
    assert await call(client, ask) == [*map(TextDelta, "abc"), StreamEnded(None)]
    assert isinstance(await fails(client, ask), NetworkError)
    assert isinstance(await fails(client, ask), NetworkError)
    assert len(server.requests) == 4


async def test_an_error_inside_a_stream(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply(text=["a", "b", "c"], fail_after=2))
    events = gateway.stream(client, ask, Deadlines())
    assert [await anext(events) for _ in range(2)] == [TextDelta("a"), TextDelta("b")]
    with pytest.raises(ProviderError) as caught:
        await anext(events)
    assert not isinstance(caught.value, NetworkError | InvalidResponse)


async def test_errors_by_class(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(
        Reply.error(401, "Wrong: {key} and more"),
        Reply.error(429, "Wrong: {key} and more", headers={"retry-after": "7"}),
        Reply.error(500, "Wrong: {key} and more"),
        Reply.error(404, "Wrong: {key} and more"),
    )
    for expected in (AuthenticationError, RateLimited, ServerError, ModelNotFound):
        error = await fails(client, ask)
        assert type(error) is expected
        assert "Wrong: " in error.message
        if isinstance(error, RateLimited):
            assert error.retry_after == 7.0
    assert (len(server.requests), server.listings) == (4, [])


async def test_G2_no_redirect_is_followed(server: WireServer, client: Client, ask: Request) -> None:
    with WireServer() as other:
        for status in (302, 307):
            server.replies(Reply.redirect(f"{other.origin}/v1/chat/completions", status))
            error = await fails(client, ask)
            assert isinstance(error, InvalidResponse)
            assert "redirect to 127.0.0.1" in error.message
        assert (other.requests, other.connections) == ([], 0)


async def test_G7_only_the_clients_own_credentials_are_sent(
    server: WireServer, client: Client, ask: Request
) -> None:
    await call(client, ask)
    if client.api_key:
        await call(replace(client, api_key=None), ask)
        assert server.requests[1].key is None
    assert server.listings == []
    assert CANARY not in str(server.requests)
    sent = server.requests[0]
    carried = sent.key or ""
    if client.own_credentials:
        assert carried == TOKEN
    elif client.secrets:
        assert f"Credential={ACCESS}/" in carried
        assert SECRET not in str(sent)
    else:
        assert [carried] == _keys(client)


async def test_G2_only_declared_hosts_are_contacted(
    server: WireServer, client: Client, ask: Request
) -> None:
    error = await fails(replace(client, hosts=frozenset({"elsewhere.example"})), ask)
    assert isinstance(error, NetworkError)
    assert "not among the hosts the provider declares" in error.message
    assert (server.requests, server.connections) == ([], 0)


async def test_G12_cancel_closes_the_connection(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(text=["x"] * 900, delay=0.02))
    events = gateway.stream(client, ask, Deadlines())
    assert await anext(events) == TextDelta("x")
    task = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.wait_for_disconnects()
    assert time.monotonic() - began < 1


MESSAGE = {"role": "assistant", "content": "Hello"}
WHOLE: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("some-model", {"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}),
    "deepseek": ("some-model", {"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}),
    "anthropic": (
        "some-model",
        {
            "type": "message", "role": "assistant", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": "Hello"}],
        },
    ),
    "responses": (
        "responses/gpt-5.5",
        {
            "object": "response", "status": "completed",
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
async def test_an_answer_in_one_piece_is_shown_though_a_stream_was_asked_for(
    name: str, server: WireServer, ask: Request
) -> None:
    model, answer = WHOLE[name]
    server.replies(Reply(body=json.dumps(answer), content_type="application/json"))
    route = ROUTES[name]
    client = Client(
        provider="work", label="Work", model=model, route=route.route,
        api_base=server.origin + route.path, api_key=SecretStr(CANARY),
    )  # fmt: skip
    got = [event async for event in gateway.stream(client, ask, Deadlines())]
    assert got == [TextDelta("Hello"), StreamEnded("stop")]


def _chunks(*choices: dict[str, Any]) -> Reply:
    text = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in choices)
    return Reply(body=text + "data: [DONE]\n\n", content_type="text/event-stream")


END = {"index": 0, "delta": {}, "finish_reason": "stop"}


async def test_a_refusal_is_text(server: WireServer, ask: Request) -> None:
    client = Client(provider="work", label="Work", model="m", route="openai", api_base=server.url)
    server.replies(_chunks({"index": 0, "delta": {"refusal": "I cannot"}}, END))
    got = [event async for event in gateway.stream(client, ask, Deadlines())]
    assert got == [TextDelta("I cannot"), StreamEnded("stop")]
    said = {"type": "response.refusal.delta", "delta": "I cannot", "item_id": "i",
            "output_index": 0, "content_index": 0, "sequence_number": 1}  # fmt: skip
    done = {"type": "response.completed", "response": {"object": "response", "status": "completed", "output": []}}  # fmt: skip
    text = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in (said, done))
    server.replies(Reply(body=text, content_type="text/event-stream"))
    client = replace(client, model="responses/gpt-5.5")
    got = [event async for event in gateway.stream(client, ask, Deadlines())]
    assert got == [TextDelta("I cannot"), StreamEnded("stop")]


async def test_of_several_answers_the_first_one_counts(server: WireServer, ask: Request) -> None:
    client = Client(provider="work", label="Work", model="m", route="openai", api_base=server.url)
    other = {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"}
    server.replies(_chunks({"index": 0, "delta": {"content": "A"}}, other, END))
    got = [event async for event in gateway.stream(client, ask, Deadlines())]
    assert got == [TextDelta("A"), StreamEnded("stop")]


async def test_G7_without_a_host_and_an_address_nothing_is_sent(
    server: WireServer, ask: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    client = Client(
        provider="acme", label="Acme", model="m", route="openai", api_key=SecretStr(CANARY)
    )
    error = await fails(client, ask)
    assert error.message == "acme declares neither api_base nor hosts, so nothing was sent"
    assert "not among the hosts" in str(
        await fails(replace(client, hosts=frozenset({"acme.example"})), ask)
    )
    assert server.requests == []


async def test_an_sdk_with_a_road_of_its_own_is_not_used(ask: Request) -> None:
    client = Client(
        provider="vertex", label="Vertex", model="gemni", route="vertex_ai",
        api_base="http://127.0.0.1:1", own_credentials=True,
    )  # fmt: skip
    error = await fails(client, ask)
    assert isinstance(error, ModelNotFound)
    assert "no model 'gemni'" in error.message


async def test_what_fails_before_a_request_is_no_fault_of_the_server(
    server: WireServer, ask: Request
) -> None:
    client = Client(provider="work", label="Work", model="m", route="openai", api_base=server.url)
    error = await fails(client, replace(ask, params={"extra_headers": "text"}))
    assert type(error) is ProviderError
    assert error.message.startswith("Work: nothing was sent: ")
    assert server.requests == []


async def test_G7_a_key_that_is_part_of_another_hides_no_less(
    server: WireServer, ask: Request
) -> None:
    client = Client(
        provider="work", label="Work", model="m", route="openai", api_base=server.url,
        api_key=SecretStr("sk-1234"), secrets={"user": SecretStr("sk-1234-and-the-rest")},
    )  # fmt: skip
    server.replies(Reply.error(500, "bad sk-1234-and-the-rest"))
    assert "rest" not in str(await fails(client, ask))
