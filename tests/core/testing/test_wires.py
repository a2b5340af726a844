"""The wire formats: what each says for a reply, and what it reads in a request."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cloudllm.messages import Usage
from cloudllm.testing import Received, Reply, WireServer
from cloudllm.testing.wires import WIRES, Asked, Wire, wire_of

_MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
]
_SAID = (("system", "Be brief."), ("user", "Hello"))
_GEMINI = {
    "system_instruction": {"parts": [{"text": "Be brief."}]},
    "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    "generationConfig": {"temperature": 0.5, "maxOutputTokens": 9},
}
_REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenAI chat": (
        "/any/prefix/v1/chat/completions",
        {"model": "m", "messages": _MESSAGES, "temperature": 0.5, "max_tokens": 9, "stream": True},
    ),
    "OpenRouter chat": (
        "/api/v1/chat/completions",
        {"model": "m", "messages": _MESSAGES, "temperature": 0.5, "max_tokens": 9, "stream": True},
    ),
    "OpenAI responses": (
        "/v1/responses",
        {
            "model": "m",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
            "temperature": 0.5,
            "max_output_tokens": 9,
            "stream": True,
        },
    ),
    "Anthropic messages": (
        "/v1/messages",
        {
            "model": "m",
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": _MESSAGES[1:],
            "temperature": 0.5,
            "max_tokens": 9,
            "stream": True,
        },
    ),
    "Gemini": ("/v1beta/models/m:streamGenerateContent", _GEMINI),
    "Ollama": (
        "/api/chat",
        {
            "model": "m",
            "messages": [_MESSAGES[0], {"role": "user", "content": "Hello"}],
            "options": {"temperature": 0.5, "num_predict": 9},
        },
    ),
    "Bedrock converse": (
        "/model/m/converse-stream",
        {
            "system": [{"text": "Be brief."}],
            "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
            "inferenceConfig": {"temperature": 0.5, "maxTokens": 9},
        },
    ),
}
_REPLY = Reply(
    text=["Good ", "day ", "日\n"],
    reasoning=["Hm."],
    usage=Usage(input_tokens=31, output_tokens=17),
)


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


def _named(name: str) -> Wire:
    return next(wire for wire in WIRES if wire.name == name)


def _post(
    server: WireServer, path: str, body: object, headers: dict[str, str] | None = None
) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    try:
        connection.request("POST", path, json.dumps(body), headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read()
    finally:
        connection.close()


def test_each_wire_is_tried() -> None:
    assert {wire.name for wire in WIRES} == set(_REQUESTS)


@pytest.mark.parametrize("name", _REQUESTS)
def test_request_is_read(server: WireServer, name: str) -> None:
    path, body = _REQUESTS[name]
    _post(server, path, body)
    found = wire_of(path)
    assert found is _named(name)
    assert found.asked(server.requests[0]) == Asked(
        model="m", messages=_SAID, temperature=0.5, max_output_tokens=9
    )


@pytest.mark.parametrize("name", _REQUESTS)
def test_streamed_answer(server: WireServer, name: str) -> None:
    path, body = _REQUESTS[name]
    server.default = _REPLY
    status, content_type, answer = _post(server, path, body)
    assert (status, content_type) == (200, _named(name).content_type)
    text = answer.decode(errors="replace")
    places = [text.index(piece) for piece in ("Hm.", "Good ", "day ", "日\\n")]
    assert places == sorted(places)
    assert "31" in text
    assert "17" in text
    assert (
        _named(name).words.get("stop", "stop" if name != "OpenAI responses" else "completed")
        in text
    )


@pytest.mark.parametrize("name", _REQUESTS)
def test_whole_answer(server: WireServer, name: str) -> None:
    path, body = _REQUESTS[name]
    path = path.replace("streamGenerate", "generate").replace("-stream", "")
    server.default = _REPLY
    status, content_type, answer = _post(server, path, {**body, "stream": False})
    assert (status, content_type) == (200, "application/json")
    assert "Good day 日\n" in str(json.loads(answer)).replace("\\n", "\n")


@pytest.mark.parametrize("name", _REQUESTS)
def test_error_before_and_inside_the_stream(server: WireServer, name: str) -> None:
    path, body = _REQUESTS[name]
    server.replies(Reply.error(429, "slow down, {key}"), Reply(text=["a ", "b "], fail_after=1))
    status, content_type, answer = _post(server, path, body, {"x-goog-api-key": "sk-1"})
    assert (status, content_type) == (429, "application/json")
    assert "slow down, sk-1" in str(json.loads(answer))
    _, _, answer = _post(server, path, body)
    assert b"a " in answer
    assert b"scripted failure" in answer
    assert b"b " not in answer


@pytest.mark.parametrize("name", ["OpenAI chat", "OpenRouter chat", "Gemini", "Ollama"])
def test_text_beside_the_finish_reason(server: WireServer, name: str) -> None:
    path, body = _REQUESTS[name]
    server.default = Reply(text=["first ", "last"], joined=True, usage=None)
    lines = [line for line in _post(server, path, body)[2].splitlines() if b"{" in line]
    assert b"last" in lines[-1]
    assert _named(name).words.get("stop", "stop").encode() in lines[-1]


def test_ways_to_cut_the_same_text_up(server: WireServer) -> None:
    path, body = _REQUESTS["OpenAI chat"]
    server.replies(
        _REPLY,
        Reply(**{**_fields(_REPLY), "fragment": 3}),
        Reply(**{**_fields(_REPLY), "crlf": True}),
    )
    plain, pieces, crlf = (_post(server, path, body)[2] for _ in range(3))
    assert pieces == plain
    assert crlf == plain.replace(b"\n", b"\r\n")
    server.replies(Reply(**{**_fields(_REPLY), "escaped": True}))
    assert b"\\u65e5" in _post(server, path, body)[2]


def _fields(reply: Reply) -> dict[str, Any]:
    return {name: getattr(reply, name) for name in ("text", "reasoning", "usage")}


def test_bedrock_frames_are_those_that_amazon_reads(server: WireServer) -> None:
    eventstream = pytest.importorskip("botocore.eventstream")
    path, body = _REQUESTS["Bedrock converse"]
    buffer = eventstream.EventStreamBuffer()
    buffer.add_data(_post(server, path, body)[2])
    messages = [(each.headers[":event-type"], json.loads(each.payload)) for each in buffer]
    assert messages[0] == ("messageStart", {"role": "assistant"})
    assert messages[1][1]["delta"] == {"text": "Hello"}
    assert [kind for kind, _ in messages[-3:]] == ["contentBlockStop", "messageStop", "metadata"]


def test_unknown_path_is_not_found_and_recorded(server: WireServer) -> None:
    status, _, answer = _post(server, "/v1/complete?key=1", {})
    assert status == 404
    assert b"/v1/complete is the path of no wire format" in answer
    assert (server.requests[0].path, server.requests[0].query) == ("/v1/complete", "key=1")


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        (
            "/v1/models",
            {"object": "list", "data": [{"id": "a", "object": "model", "owned_by": "test"}]},
        ),
        ("/v1beta/models", {"models": [{"name": "models/a"}]}),
        ("/api/tags", {"models": [{"name": "a", "model": "a"}]}),
    ],
)
def test_listings(server: WireServer, path: str, listed: object) -> None:
    server.models = ["a"]
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    connection.request("GET", path)
    assert json.loads(connection.getresponse().read()) == listed
    connection.close()
    assert [request.path for request in server.listings] == [path]
    assert server.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-1"},
        {"x-api-key": "sk-1"},
        {"x-goog-api-key": "sk-1"},
        {"api-key": "sk-1"},
    ],
)
def test_key_is_found_in_every_header(headers: dict[str, str]) -> None:
    assert Received("POST", "/", headers, {}).key == "sk-1"
    assert Received("POST", "/", {}, {}).key is None


def test_it_stands_at_the_path_of_any_address_and_forgets(server: WireServer) -> None:
    assert server.at("https://api.acme.example/openai/v1") == f"{server.origin}/openai/v1"
    server.default = Reply.error(500)
    server.replies(Reply.error(400))
    _post(server, "/v1/messages", {})
    server.forget()
    assert (server.requests, server.connections, server.peak) == ([], 0, 0)
    assert _post(server, "/v1/messages", {})[0] == 200
    assert server.peak == 1
