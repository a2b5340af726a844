"""Live model lists: the shapes that services send, and servers that do what no server should."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from cloudllm import ModelInfo, Provider, ProviderSettings
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ConfigurationError,
    DeadlineExceeded,
    InvalidResponse,
    NetworkError,
    PluginError,
    RateLimited,
    RequestRejected,
    ServerError,
)
from cloudllm.live import Fetcher
from cloudllm.registry import Registry
from cloudllm.settings import Settings

KEY = "sk-live-list-canary"


class Server:
    """Answers each connection with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes, *, hang: bool = False) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self._hang = hang
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._listening.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            self.requests.append(connection.recv(65_536).decode(errors="replace"))
            connection.sendall(self.answer)
            if self._hang:
                self._over.wait()
        except OSError:
            return


def reply(body: bytes | str, status: str = "200 OK", *headers: str) -> bytes:
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: bytes, **options: bool) -> Server:
        servers.append(Server(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _listed(payload: object, **declared: Any) -> list[ModelInfo]:
    provider = Provider(name="acme", label="Acme", api_base="http://here/v1", **declared)
    provider_with_list = Provider(**{**vars(provider), "model_list": "models"})
    return list(provider_with_list.list_models(ProviderSettings(), lambda _url, _headers: payload))


def _registry(server: Server, tmp_path: Path, more: str = "", **environ: str) -> Registry:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[providers.here]\nextends = "openai"\napi_base = "{server.url}"\n'
        f'api_key_env = "HERE_KEY"\n{more}'
    )
    environ = {"HERE_KEY": KEY, **environ}
    return Registry(Settings.load(environ=environ, config_file=file), environ=environ)


@pytest.mark.parametrize(
    ("payload", "info"),
    [
        ({"data": [{"id": "m"}]}, ModelInfo(name="m")),
        ({"models": [{"name": "m"}]}, ModelInfo(name="m")),
        ([{"id": "m"}], ModelInfo(name="m")),
        (["m"], ModelInfo(name="m")),
        (  # OpenRouter
            {
                "data": [
                    {
                        "id": "m",
                        "context_length": 8192,
                        "pricing": {"prompt": "0.0000001", "completion": "0.0000005"},
                        "top_provider": {"max_completion_tokens": 1024},
                        "architecture": {"input_modalities": ["text", "image"]},
                        "supported_parameters": ["tools"],
                    }
                ]
            },
            ModelInfo(
                name="m",
                context_limit=8192,
                output_limit=1024,
                input_price=0.1,
                output_price=0.5,
                vision=True,
                tools=True,
                reasoning=False,
            ),
        ),
        (  # Together
            [{"id": "m", "type": "chat", "context_length": 9, "pricing": {"input": 0.2}}],
            ModelInfo(name="m", context_limit=9, input_price=0.2),
        ),
        (  # Mistral
            {
                "data": [
                    {
                        "id": "m",
                        "max_context_length": 9,
                        "deprecation": "2026-12-01T00:00:00Z",
                        "capabilities": {
                            "completion_chat": True,
                            "function_calling": True,
                            "vision": False,
                        },
                    },
                    {"id": "embeds", "capabilities": {"completion_chat": False}},
                ]
            },
            ModelInfo(
                name="m", context_limit=9, tools=True, vision=False, retires=date(2026, 12, 1)
            ),
        ),
        (  # Groq
            {"data": [{"id": "m", "context_window": 9, "max_completion_tokens": 3}]},
            ModelInfo(name="m", context_limit=9, output_limit=3),
        ),
        (  # Gemini
            {
                "models": [
                    {
                        "name": "models/m",
                        "inputTokenLimit": 9,
                        "outputTokenLimit": 3,
                        "supportedGenerationMethods": ["generateContent"],
                    },
                    {"name": "models/e", "supportedGenerationMethods": ["embedContent"]},
                ]
            },
            ModelInfo(name="m", context_limit=9, output_limit=3),
        ),
        ({"models": [{"name": "m:8b", "model": "m:8b"}]}, ModelInfo(name="m:8b")),  # Ollama
        ({"data": [{"id": "m", "max_model_len": 9}]}, ModelInfo(name="m", context_limit=9)),  # vLLM
        (  # llama.cpp
            {"models": [{"name": "x"}], "data": [{"id": "m", "meta": {"n_ctx_train": 9}}]},
            ModelInfo(name="m", context_limit=9),
        ),
        (  # nonsense in the place of numbers
            [
                {
                    "id": "m",
                    "context_length": -1,
                    "max_model_len": True,
                    "context_window": 10**40,
                    "pricing": {"prompt": "-1", "completion": "NaN"},
                    "deprecation": "soon",
                    "capabilities": ["chat"],
                    "architecture": None,
                }
            ],
            ModelInfo(name="m"),
        ),
    ],
)
def test_the_customary_shapes_are_read(payload: object, info: ModelInfo) -> None:
    assert _listed(payload) == [info]


@pytest.mark.parametrize("payload", [None, 3, "models", {}, {"data": {}}, {"error": []}])
def test_what_is_no_list_is_refused(payload: object) -> None:
    with pytest.raises(InvalidResponse, match="no list of models"):
        _listed(payload)


@pytest.mark.parametrize(
    ("declared", "line", "header"),
    [
        (
            {"model_list": "models?limit=9"},
            "GET /v1/models?limit=9 ",
            f"authorization: bearer {KEY}",
        ),
        ({"model_list": "/api/tags"}, "GET /v1/api/tags ", f"authorization: bearer {KEY}"),
        ({"model_list": "models", "key_header": "X-Key"}, "GET /v1/models ", f"x-key: {KEY}"),
        ({"model_list": "models", "list_headers": {"version": "7"}}, "GET ", "version: 7"),
    ],
)
def test_the_request_is_what_the_provider_declares(
    declared: dict[str, Any], line: str, header: str, serve: Callable[..., Server]
) -> None:
    server = serve(reply('{"data": [{"id": "m"}]}'))
    provider = Provider(name="acme", label="Acme", api_base=server.url, **declared)
    settings = ProviderSettings(api_key=SecretStr(KEY), api_base=server.url + "/")
    fetch = Fetcher("Acme", {"127.0.0.1"})
    assert list(provider.list_models(settings, fetch)) == [ModelInfo(name="m")]
    assert server.requests[0].startswith(line)
    assert header in server.requests[0].lower()


def test_a_provider_without_a_list_says_so() -> None:
    with pytest.raises(ConfigurationError, match="acme has no list of its models"):
        Provider(name="acme", label="Acme").list_models(ProviderSettings(), lambda *_: None)


NOT_MODELS = (
    '{"data": [{"id": "ok"}, {"id": "a b"}, {"id": "a\\u001b[2J"}, {"id": "../../x"}, {}, 7]}'
)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (reply("<!doctype html><p>Sign in"), InvalidResponse, "a web page came instead"),
        (reply("no JSON"), InvalidResponse, "something that is not JSON came instead"),
        (reply(b'{"data": ["\xff"]}'), InvalidResponse, "something that is not JSON"),
        (reply("[" * 100_000), InvalidResponse, "something that is not JSON"),
        (reply('{"data": ' + "9" * 9_999 + "}"), InvalidResponse, "is not JSON"),
        (reply('{"hello": 1}'), InvalidResponse, "no list of models"),
        (reply(""), InvalidResponse, "something that is not JSON"),
        (reply("", "204 No Content"), InvalidResponse, "sends no list (HTTP status 204)"),
        (reply(KEY, "401 Unauthorized"), AuthenticationError, "refuses the key"),
        (reply(KEY, "403 Forbidden"), AuthenticationError, "refuses the key"),
        (reply(KEY, "404 Not Found"), RequestRejected, "no list of models at this address"),
        (reply(KEY, "429 Too Many Requests"), RateLimited, "slow down"),
        (reply(KEY, "500 Oops"), ServerError, "has a fault"),
        (reply("", "302 Found", "Location: http://127.0.0.1:1/"), InvalidResponse, "redirects"),
        (b"\x00\x01 nothing of HTTP\r\n\r\n", InvalidResponse, "does not answer as a web server"),
        (b"", NetworkError, "broke the connection off"),
        (reply("x" * 500)[:-100], NetworkError, "broke the connection off"),
        (reply("xyz", "200 OK", "Content-Encoding: gzip"), NetworkError, "broke the connection off"),
    ],
)  # fmt: skip
def test_a_server_that_misbehaves_is_one_line_without_the_key(
    answer: bytes,
    error: type[CloudLLMError],
    words: str,
    serve: Callable[..., Server],
    tmp_path: Path,
) -> None:
    server = serve(answer)
    with pytest.raises(CloudLLMError) as caught:
        _registry(server, tmp_path).live_models("here")
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert KEY in server.requests[0]
    assert KEY not in str(caught.value)


def test_a_server_that_hangs_is_left_after_the_deadline(serve: Callable[..., Server]) -> None:
    for begun in (b"", reply("x" * 500)[:-100]):
        server = serve(begun, hang=True)
        fetch = Fetcher("Acme", {"127.0.0.1"}, deadline=0.2)
        with pytest.raises(DeadlineExceeded, match=r"127.0.0.1:\d+ within 0.2 seconds"):
            fetch(server.url, {})


def test_a_list_without_end_is_cut_off(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudllm.live.MOST_BYTES", 1024**2)
    bomb = gzip.compress(b" " * 3 * 1024**2)
    for answer in (reply(b" " * 2 * 1024**2), reply(bomb, "200 OK", "Content-Encoding: gzip")):
        with pytest.raises(InvalidResponse, match="longer than 1 MiB"):
            Fetcher("Acme", {"127.0.0.1"})(serve(answer).url, {})


def test_nothing_answers_and_the_hint_says_how_to_start_it(serve: Callable[..., Server]) -> None:
    server = serve(b"")
    server.close()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    fetch = Fetcher("Acme", {"127.0.0.1"}, "acme serve")
    with pytest.raises(NetworkError, match=rf"127.0.0.1:{port}\. Start it: acme serve"):
        fetch(f"http://127.0.0.1:{port}/v1/models", {})


def test_what_speaks_no_tls_gets_no_request(serve: Callable[..., Server]) -> None:
    server = serve(reply("[]"))
    with pytest.raises(NetworkError, match="no secure connection"):
        Fetcher("Acme", {"127.0.0.1"})(f"https://127.0.0.1:{server.port}/", {"x-key": KEY})


@pytest.mark.parametrize("url", ["", "models", "file:///etc/passwd", "http://[x", "http://h:x/"])
def test_what_is_no_address_is_not_asked(url: str) -> None:
    with pytest.raises(ConfigurationError, match="Acme has no address"):
        Fetcher("Acme", {"127.0.0.1"})(url, {})


def test_G7_a_key_goes_to_no_host_that_the_provider_does_not_declare(
    serve: Callable[..., Server],
) -> None:
    server = serve(reply("[]"))
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1.*nothing was sent"):
        Fetcher("Acme", {"acme.example", None})(f"{server.url}/models", {"authorization": KEY})
    assert not server.requests


def test_G2_a_redirect_is_not_followed(serve: Callable[..., Server]) -> None:
    there = serve(reply("[]"))
    here = serve(reply("", "307 Temporary Redirect", f"Location: {there.url}"))
    with pytest.raises(InvalidResponse, match="redirects"):
        Fetcher("Acme", {"127.0.0.1"})(here.url, {"authorization": KEY})
    assert not there.requests


def test_G7_an_endpoint_does_not_ask_for_the_list_of_whom_it_extends(
    serve: Callable[..., Server], install: Callable[..., str], tmp_path: Path
) -> None:
    server, own = serve(reply("[]")), serve(reply("[]"))
    install(
        "elsewhere",
        "from cloudllm import Provider, hookimpl\n"
        "@hookimpl\n"
        "def cloudllm_providers():\n"
        "    return [Provider(name='elsewhere', label='E', litellm_route='openai',\n"
        f"        api_base='{server.url}', hosts=('127.0.0.1',), model_list='{server.url}/all')]\n",
    )
    more = f'[providers.mine]\nextends = "elsewhere"\napi_base = "{own.url}"\n'
    registry = _registry(own, tmp_path, more)
    assert not registry.provider("mine").lists_models
    assert registry.live_models("elsewhere").models == ()
    assert len(server.requests) == 1
    assert not own.requests


def test_what_cannot_be_a_name_is_left_out_and_counted(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    listed = _registry(serve(reply(NOT_MODELS)), tmp_path).live_models("here")
    assert [info.name for info in listed.models] == ["ok"]
    assert listed.dropped == 5


def test_fifty_thousand_entries_are_read(serve: Callable[..., Server], tmp_path: Path) -> None:
    body = json.dumps({"data": [{"id": f"m-{number % 40_000}"} for number in range(50_000)]})
    listed = _registry(serve(reply(body)), tmp_path).live_models("here")
    assert len(listed.models) == 40_000
    assert listed.dropped == 0


PLUGIN = """
from cloudllm import ModelInfo, Provider, ServerError, hookimpl

class Acme(Provider):
    def list_models(self, settings, fetch):
        {body}

@hookimpl
def cloudllm_providers():
    return [Acme(name="acme", label="Acme", litellm_route="openai", api_base="http://127.0.0.1:1")]
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("raise SystemExit(3)", "SystemExit"),
        ("raise ServerError('their fault')", "their fault"),
        ("yield 1; raise RuntimeError('late')", "RuntimeError: late"),
        ("return None", "Acme: the provider gives no list of models"),
        ("return 'abc'", "Acme: the provider gives no list of models"),
        ("return fetch('http://elsewhere.example/', {})", "not among the hosts"),
    ],
)
def test_G8_a_plugin_that_fails_at_its_list_is_one_line(
    body: str, words: str, install: Callable[..., str]
) -> None:
    install("acme", PLUGIN.format(body=body))
    with pytest.raises(CloudLLMError) as caught:
        Registry().live_models("acme")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plugin_may_give_its_own_list(install: Callable[..., str]) -> None:
    install("acme", PLUGIN.format(body="return [ModelInfo(name='a'), 'b', ModelInfo(name='c d')]"))
    listed = Registry().live_models("acme")
    assert (listed.models, listed.dropped) == ((ModelInfo(name="a"),), 2)


def test_a_provider_alone_means_the_first_model_that_its_server_lists(
    serve: Callable[..., Server],
) -> None:
    server = serve(reply('{"data": [{"id": "nomic-embed"}, {"id": "llama:8b"}, {"id": "x"}]}'))
    environ = {"OLLAMA_HOST": f"http://127.0.0.1:{server.port}"}
    assert Registry(environ=environ).client("ollama").id == "ollama/llama:8b"
    assert Registry(environ=environ).client("ollama/x").id == "ollama/x"
    assert len(server.requests) == 1


async def test_it_does_so_under_a_running_event_loop(serve: Callable[..., Server]) -> None:
    server = serve(reply('{"data": [{"id": "x"}]}'))
    environ = {"OLLAMA_HOST": f"127.0.0.1:{server.port}"}
    assert Registry(environ=environ).client("ollama").id == "ollama/x"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply('{"data": []}'), "Ollama has no model yet. Name one, as in ollama/MODEL"),
        (reply("<html>"), "its list cannot be had: Ollama: a web page came .* as in ollama/MODEL"),
    ],
)
def test_without_a_list_it_says_how_to_name_a_model(
    answer: bytes, words: str, serve: Callable[..., Server]
) -> None:
    environ = {"OLLAMA_HOST": f"127.0.0.1:{serve(answer).port}"}
    with pytest.raises(ConfigurationError, match=words):
        Registry(environ=environ).client("ollama")


def test_a_plugin_error_names_the_plugin(install: Callable[..., str]) -> None:
    install("acme", PLUGIN.format(body="raise RuntimeError('boom')"))
    with pytest.raises(
        PluginError, match=r"plugin acme \(cloudllm-acme 1\.2\).*listing its models"
    ):
        Registry().live_models("acme")


def test_G7_a_key_that_a_service_lists_is_no_model(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    body = json.dumps({"data": [{"id": "a"}, {"id": f"x-{KEY}"}, {"id": "b" * 301}]})
    listed = _registry(serve(reply(body)), tmp_path).live_models("here")
    assert [info.name for info in listed.models] == ["a"]
    assert listed.dropped == 2
