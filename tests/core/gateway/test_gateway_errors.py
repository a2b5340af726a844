"""A call that goes wrong: one line, the right class, no secret, nothing repeated."""

from __future__ import annotations

import base64
import re
import socket
import traceback
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmock.pytest_plugin import LLMock
from pydantic import SecretStr

from cloudllm import gateway, words
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ConfigurationError,
    ContextTooLong,
    InvalidResponse,
    ModelNotFound,
    NetworkError,
    ProviderError,
    RateLimited,
    RequestRejected,
    ServerError,
)
from cloudllm.gateway import wording
from cloudllm.gateway.errors import Translator
from cloudllm.gateway.network import Exchange
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import Reply, WireServer


async def fails(client: Client, request: Request) -> CloudLLMError:
    deadlines = Deadlines(connect=3, first_token=5, gap=5)
    with pytest.raises(CloudLLMError) as caught:
        async for _ in gateway.stream(client, request, deadlines):
            pass
    assert "\n" not in str(caught.value)
    assert "litellm" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (400, RequestRejected, "Work refused (400): Scripted words"),
        (401, AuthenticationError, "Work refused the key: Scripted words"),
        (402, RequestRejected, "no credit at Work: Scripted words"),
        (403, AuthenticationError, "Work refused the key: Scripted words"),
        (404, ModelNotFound, "Work has no model 'some-model': Scripted words"),
        (408, ServerError, "Work failed (408): Scripted words"),
        (413, RequestRejected, "Work refused (413, a request of 1 kB): Scripted words"),
        (418, RequestRejected, "Work refused (418): Scripted words"),
        (422, RequestRejected, "Work refused (422): Scripted words"),
        (429, RateLimited, "Work asks to slow down (429): Scripted words"),
        (500, ServerError, "Work failed (500): Scripted words"),
        (503, ServerError, "Work failed (503): Scripted words"),
        (504, ServerError, "Work failed (504): Scripted words"),
        (529, ServerError, "Work is overloaded (529): Scripted words"),
    ],
)
async def test_status(
    server: WireServer,
    client: Client,
    ask: Request,
    *,
    status: int,
    expected: type[CloudLLMError],
    words: str,
) -> None:
    server.replies(Reply.error(status, "Scripted words"))
    error = await fails(client, ask)
    assert type(error) is expected
    assert error.message == words
    assert getattr(error, "status", status) == status
    assert len(server.requests) == 1


async def test_a_web_page_with_an_error_status_is_not_quoted(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply.html("<html><body>down</body></html>", status=503))
    assert (await fails(client, ask)).message == "Work failed (503): (a web page)"


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("This model's maximum context length is 8192 tokens. You sent 9000.", 8192),
        ("prompt is too long: 200001 tokens > 200000 maximum", 200000),
        ("the request exceeds the available context size (4,096 tokens)", 4096),
        ("your messages do not fit the context window", None),
    ],
)
async def test_context_too_long(
    server: WireServer, client: Client, ask: Request, words: str, limit: int | None
) -> None:
    server.replies(Reply.error(400, words))
    error = await fails(client, ask)
    assert isinstance(error, ContextTooLong)
    assert error.limit == limit


async def test_model_not_found_offers_close_names(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    server.default = Reply.error(404, "no such model")
    client = make_client(model="acme-larg", suggestions=("acme-large", "acme-small"))
    assert "Did you mean acme-large" in str(await fails(client, ask))
    offline = make_client(provider="openai", model="gpt-4.1-nan")
    assert "gpt-4.1-nano" in str(await fails(offline, ask))


async def test_retry_after(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply.error(429, headers={"Retry-After": "7"}), Reply.error(429))
    first, second = await fails(client, ask), await fails(client, ask)
    assert isinstance(first, RateLimited)
    assert isinstance(second, RateLimited)
    assert (first.retry_after, second.retry_after) == (7.0, None)


async def test_an_exhausted_quota_is_not_waited_for(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply.error(429, code="insufficient_quota"))
    assert "Waiting does not help" in str(await fails(client, ask))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2.5"}, 2.5),
        ({"Retry-After-MS": "1500", "retry-after": "9"}, 1.5),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 10:00:30 GMT",
                "date": "Sun, 22 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Sun, 22 Nov 2020 10:00:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert wording.retry_after(headers) == seconds


async def test_refused_port(make_client: Callable[..., Client], ask: Request, route: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = await fails(make_client(route, api_base=f"http://127.0.0.1:{port}/v1"), ask)
    assert isinstance(error, NetworkError)
    assert str(error) == f"127.0.0.1:{port} refused the connection. Is the server running there?"


async def test_unresolvable_host(
    make_client: Callable[..., Client], ask: Request, route: str
) -> None:
    error = await fails(make_client(route, api_base="https://nowhere.invalid/v1"), ask)
    assert isinstance(error, NetworkError)
    assert error.message == "cannot resolve nowhere.invalid:443"


async def test_an_address_that_is_none(
    make_client: Callable[..., Client], ask: Request, route: str
) -> None:
    error = await fails(make_client(route, api_base="htp:/nowhere"), ask)
    assert isinstance(error, ConfigurationError)
    assert error.message == "api_base 'htp:/nowhere' of work is no address"


@pytest.mark.parametrize(("cut", "cut_after"), [("close", -1), ("reset", -1), ("reset", 2)])
async def test_a_broken_connection_is_not_tried_again(
    server: WireServer, client: Client, ask: Request, cut: str, cut_after: int
) -> None:
    server.replies(Reply(cut_after=cut_after, cut=cut))  # type: ignore[arg-type]
    error = await fails(client, ask)
    assert isinstance(error, NetworkError)
    assert "closed the connection before the answer was complete" in error.message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply.html(), "answered with a web page (text/html), not an API reply"),
        (Reply(body='{"detail": "no"}'), "sent application/json instead of an answer"),
        (Reply(body="", content_type="text/event-stream"), "sent an empty answer"),
        (Reply(cut_after=0), "sent an empty answer"),
        (
            Reply(body="data: {broken\n\n", content_type="text/event-stream"),
            "sent something that is no answer",
        ),
    ],
)
async def test_what_is_no_answer(
    server: WireServer, make_client: Callable[..., Client], ask: Request, reply: Reply, words: str
) -> None:
    server.replies(reply)
    error = await fails(make_client(), ask)
    assert isinstance(error, InvalidResponse)
    assert words in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_G2_redirects_are_not_followed(
    server: WireServer, client: Client, ask: Request, status: int
) -> None:
    with WireServer() as other:
        server.replies(Reply.redirect(f"{other.url}/chat/completions", status))
        error = await fails(client, ask)
        assert isinstance(error, InvalidResponse)
        assert "redirect to 127.0.0.1" in error.message
        assert other.origin.removeprefix("http://") in error.message
        assert (other.requests, other.connections) == ([], 0)


async def test_G7_a_key_that_the_server_repeats_is_hidden(
    server: WireServer, client: Client, ask: Request, key: str
) -> None:
    encoded = base64.b64encode(key.encode()).decode()
    text = f"Wrong key {{key}} ({quote(key, safe='')}, {encoded})"
    for status in (400, 401, 404, 429, 500):
        server.replies(Reply.error(status, text))
        error = await fails(client, ask)
        shown = "".join(traceback.format_exception(error)) + repr(error.args)
        for secret in (key, quote(key, safe=""), encoded):
            assert secret not in shown
        assert error.__context__ is None
        assert error.__cause__ is None


async def test_G7_a_key_is_hidden_wherever_the_server_puts_it(
    server: WireServer, make_client: Callable[..., Client], ask: Request, key: str
) -> None:
    """Also where it would be cut in two, or made lower case, before it is looked for."""
    server.replies(
        Reply.error(500, headers={"x-request-id": "x" * 80 + key}),
        Reply(body="x", content_type=f"text/{key}"),
        Reply(body="x", headers={"content-encoding": key}),
        Reply.redirect(f"https://{key}.example"),
        Reply(status=404, body="", content_type="text/plain"),
    )
    client = make_client()
    for _ in range(4):
        error = await fails(client, ask)
        shown = f"{error} {error.request_id} {error.args}".lower()
        assert key[:15] not in shown
        assert "**" in shown
    nowhere = await fails(make_client(api_base=f"{server.url}/{key}"), ask)
    assert "no chat endpoint at" in nowhere.message
    assert key not in nowhere.message


@given(key=st.text(min_size=8), before=st.text(), after=st.text())
def test_G7_redact_always_removes_the_key(key: str, before: str, after: str) -> None:
    encoded = base64.b64encode(key.encode("utf-8", "replace")).decode()
    text = f"{before}{key}{after} {encoded}"
    assert key not in words.redact(text, key).replace("***", "\0")


@given(st.text())
def test_one_line_is_one_short_printable_line(text: str) -> None:
    line = words.one_line(text)
    assert line.isprintable()
    assert len(line) <= 300


class NeverSeenBefore(Exception):
    """As a later litellm may raise it."""

    status_code = "weird"
    original_exception = None

    def __str__(self) -> str:
        return "litellm.NeverSeenBefore: AcmeException - it\nbroke\x1b[31m"


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (NeverSeenBefore(), ProviderError),
        (ExceptionGroup("several", [ValueError("a"), KeyError("b")]), ProviderError),
        (ValueError(), ProviderError),
    ],
)
def test_unknown_errors_are_translated_too(
    raised: Exception, expected: type[CloudLLMError], make_client: Callable[..., Client]
) -> None:
    error = Translator(make_client(), Exchange(), tuple).translate(raised)
    assert type(error) is expected
    assert error.message.startswith("Work: ")
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("module", "install"),
    [("mcp.types", "cloudllm[responses]"), ("google.auth", "cloudllm[vertex]"), ("odd", "odd")],
)
def test_a_route_that_needs_a_package_says_what_to_install(
    make_client: Callable[..., Client], module: str, install: str
) -> None:
    wrapped = RuntimeError("InternalServerError")
    wrapped.__cause__ = ModuleNotFoundError(f"No module named {module!r}", name=module)
    error = Translator(make_client(), Exchange(), tuple).translate(wrapped)
    assert isinstance(error, ConfigurationError)
    assert error.message == (
        f"work/some-model needs the Python package {module.partition('.')[0]}, which is not installed"
    )
    assert error.advice == f'Install it with: pip install "{install}"'


async def test_G7_every_secret_of_a_client_is_hidden(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    client = make_client(secrets={"user": SecretStr("second-secret")})
    server.replies(Reply.error(400, "Bad user second-secret"))
    assert (await fails(client, ask)).message == "Work refused (400): Bad user ***"


async def test_G7_credentials_that_the_route_found_are_hidden(
    server: WireServer,
    make_client: Callable[..., Client],
    ask: Request,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "token-of-the-environment")
    client = make_client(
        "bedrock/converse",
        api_base=server.origin,
        api_key=None,
        own_credentials=True,
        params={"aws_region_name": "us-east-1"},
    )
    server.replies(Reply.error(400, "Bad {key}"))
    assert (await fails(client, ask)).message == "Work refused (400): Bad ***"
    assert server.requests[0].key == "token-of-the-environment"


async def test_a_missing_model_says_what_the_key_may_do(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    server.replies(Reply.error(404))
    error = await fails(replace(make_client(), model="x" * 30), ask)
    assert error.advice == "Check the model's name and that this key may use it"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_llmock_limits_the_rate(
    llmock: LLMock, make_client: Callable[..., Client], ask: Request, provider: str
) -> None:
    llmock.rate_limit(times=1, retry_after=2.0)
    error = await fails(make_client(provider, api_base=llmock.base_url(provider)), ask)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 2.0
    assert len(llmock.requests) == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_llmock_overflows(
    llmock: LLMock, make_client: Callable[..., Client], ask: Request, provider: str
) -> None:
    llmock.context_overflow()
    error = await fails(make_client(provider, api_base=llmock.base_url(provider)), ask)
    assert isinstance(error, ContextTooLong)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_llmock_is_down(
    llmock: LLMock, make_client: Callable[..., Client], ask: Request, provider: str
) -> None:
    llmock.outage()
    error = await fails(make_client(provider, api_base=llmock.base_url(provider)), ask)
    assert isinstance(error, ServerError)


async def test_G2_no_request_goes_to_a_host_that_the_provider_does_not_declare(
    make_client: Callable[..., Client], route: str, ask: Request, server: WireServer
) -> None:
    for hosts in (frozenset({"127.0.0.1"}), frozenset({"elsewhere.example"})):
        client = make_client(route, hosts=hosts)
        if "127.0.0.1" in hosts:
            assert [event async for event in gateway.stream(client, ask, Deadlines())]
            continue
        with pytest.raises(NetworkError, match="not among the hosts the provider declares"):
            [event async for event in gateway.stream(client, ask, Deadlines())]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "tries"),
    [
        *((Reply.error(status), 3) for status in (408, 409, 429, 500, 503, 529)),
        *((Reply.error(status), 1) for status in (400, 402, 404, 413, 422)),
        (Reply.error(429, code="insufficient_quota"), 1),
        (Reply.redirect("http://elsewhere.invalid/"), 1),
        (Reply.html(), 1),
        (Reply(body="", content_type="text/event-stream"), 2),
        (Reply(body="data: {broken\n\n", content_type="text/event-stream"), 3),
        (Reply(cut_after=-1, cut="close"), 3),
        (Reply.error(503), 3),
        (Reply.error(501), 1),
        (Reply.error(505), 1),
    ],
)
async def test_an_error_says_how_often_to_try(
    server: WireServer, make_client: Callable[..., Client], ask: Request, reply: Reply, tries: int
) -> None:
    server.replies(reply)
    error = await fails(make_client(), ask)
    assert isinstance(error, ProviderError)
    assert error.tries == tries


async def test_the_providers_name_for_a_request_is_kept(
    server: WireServer, client: Client, ask: Request
) -> None:
    name = {"X-Request-Id": "req_1"}
    server.replies(Reply.error(500, headers=name), Reply(headers=name))
    error = await fails(client, ask)
    assert isinstance(error, ServerError)
    assert (error.request_id, error.accepted) == ("req_1", False)
    events = [event async for event in gateway.stream(client, ask, Deadlines())]
    assert getattr(events[-1], "request_id", None) == "req_1"


@given(st.dictionaries(st.sampled_from(["Request-ID", "x-amzn-requestid", "date"]), st.text()))
def test_a_request_id_is_always_short_and_printable(headers: dict[str, str]) -> None:
    found = wording.request_id(headers)
    assert found is None or (found.isprintable() and 0 < len(found) <= 100)


@given(st.text() | st.floats().map(str) | st.integers().map(str), st.text())
def test_a_wait_is_always_a_sane_number_or_none(value: str, date: str) -> None:
    wait = wording.retry_after({"Retry-After": value, "Date": date})
    assert wait is None or 0 <= wait < 1e9
    if wait is not None:
        assert ":" in wording.clock_time(wait)


async def test_a_long_wait_is_told_as_a_time_of_day(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply.error(429, headers={"Retry-After": "3600"}))
    assert re.search(
        r"rate limited until (\d{4}-\d\d-\d\d )?\d\d:\d\d", str(await fails(client, ask))
    )


async def test_the_setting_behind_a_refused_parameter_is_named(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.default = Reply.error(400, "Unsupported parameter: 'temperature' is not supported")
    error = await fails(client, replace(ask, temperature=0.5))
    assert error.advice == "The setting temperature sent it"
    assert (await fails(client, ask)).advice != error.advice


async def test_a_missing_endpoint_is_no_missing_model(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    server.replies(Reply.html("<html>nginx</html>", status=404))
    error = await fails(make_client(), ask)
    assert f"has no chat endpoint at {server.url}/chat/completions" in error.message
    assert "/v1" in str(error)


async def test_tls_to_a_plain_port(
    server: WireServer, make_client: Callable[..., Client], ask: Request
) -> None:
    url = server.url.replace("http:", "https:")
    error = await fails(make_client(api_base=url), ask)
    assert isinstance(error, NetworkError)
    assert "does not speak TLS (wrong port or http://?)" in error.message
    assert error.tries == 1
