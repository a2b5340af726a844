"""The scripted provider does what its script says, on both wires."""

from __future__ import annotations

import http.client
import itertools
import json
import math
import socket
import time
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from cloudllm.messages import Usage
from cloudllm.testing import Received, Reply, WireServer


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


class Post(Protocol):
    def __call__(self, path: str = ..., **body: Any) -> http.client.HTTPResponse: ...


@pytest.fixture
def connections() -> Iterator[list[http.client.HTTPConnection]]:
    """Those that were opened; they are closed in the end."""
    opened: list[http.client.HTTPConnection] = []
    yield opened
    for connection in opened:
        connection.close()


@pytest.fixture
def post(server: WireServer, connections: list[http.client.HTTPConnection]) -> Post:
    """Sends a request for a stream, each on a connection of its own."""

    def send(path: str = "/v1/chat/completions", **body: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
        connections.append(connection)
        headers = {"Authorization": "Bearer sk-1", "Content-Type": "application/json"}
        payload = json.dumps({"model": "m", "stream": True, **body})
        connection.request("POST", path, payload, headers)
        return connection.getresponse()

    return send


def events(response: http.client.HTTPResponse) -> list[Any]:
    lines = response.read().decode().splitlines()
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(item) for item in data if item != "[DONE]"]


def test_openai_stream(server: WireServer, post: Post) -> None:
    server.replies(Reply(text=["a", "b"], reasoning="hm, so", finish_reason="length"))
    *chunks, usage = events(post())
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert [delta["content"] for delta in deltas if delta.get("content")] == ["a", "b"]
    assert [d["reasoning_content"] for d in deltas if "reasoning_content" in d] == ["hm,", " so"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    assert usage["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


def test_anthropic_stream(server: WireServer, post: Post) -> None:
    server.replies(Reply(text=["a", "b"], reasoning=["hm"]))
    found = events(post("/v1/messages"))
    assert [event["type"] for event in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert found[-2]["delta"] == {"stop_reason": "end_turn"}
    assert found[-2]["usage"] == {"output_tokens": 5}


@pytest.mark.parametrize(
    ("path", "words"), [("/v1/chat/completions", "choices"), ("/v1/messages", "content")]
)
def test_whole_answer(server: WireServer, post: Post, path: str, words: str) -> None:
    server.replies(Reply(text="Good day", usage=Usage(input_tokens=1, cached_tokens=1)))
    answer = json.loads(post(path, stream=False).read())
    assert "Good day" in str(answer[words])
    assert answer["usage"]


def test_models(server: WireServer) -> None:
    server.models = ["a", "b"]
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("GET", "/v1/models")
    listed = json.loads(connection.getresponse().read())
    connection.request("GET", "/v1/other")
    missing = connection.getresponse()
    connection.close()
    assert [model["id"] for model in listed["data"]] == ["a", "b"]
    assert missing.status == 404
    missing.close()


def test_replies_are_used_up_then_the_default(server: WireServer, post: Post) -> None:
    server.replies(Reply.error(500), lambda request: Reply.error(400, str(request.body["model"])))
    server.default = Reply.redirect("http://127.0.0.1:1/")
    answers = [post() for _ in range(4)]
    assert [answer.status for answer in answers] == [500, 400, 307, 307]
    assert json.loads(answers[1].read())["error"]["message"] == "m"
    assert answers[2].headers["location"] == "http://127.0.0.1:1/"
    for answer in answers:
        answer.close()


def test_requests_are_recorded(server: WireServer, post: Post) -> None:
    post().read()
    [request] = server.requests
    assert isinstance(request, Received)
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body == {"model": "m", "stream": True}
    assert request.headers["content-type"] == "application/json"
    assert request.key == "sk-1"


def test_the_key_is_repeated_on_request(server: WireServer, post: Post) -> None:
    server.replies(Reply.error(401, "wrong: {key}"))
    assert b"wrong: sk-1" in post().read()


def test_cut_at_the_end_is_a_complete_body_without_finish_reason(
    server: WireServer, post: Post
) -> None:
    server.replies(Reply(text=["a", "b", "c"], cut_after=2))
    found = events(post())
    assert len(found) == 3
    assert all(event["choices"][0]["finish_reason"] is None for event in found)


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_cut_connections(server: WireServer, post: Post, cut: Any) -> None:
    server.replies(Reply(cut_after=1, cut=cut), Reply(cut_after=-1, cut=cut))
    response = post()
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        response.read()
    response.close()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        post()
    assert server.disconnects == 0


def test_delays(server: WireServer, post: Post) -> None:
    server.replies(Reply(text=["a", "b", "c"], first_delay=0.1, delay=0.05, heartbeat=0.03))
    began = time.monotonic()
    body = post().read()
    assert 0.19 < time.monotonic() - began < 0.6
    assert b": still here" in body


def test_a_stalled_reply_that_is_hung_up_on_is_counted(
    server: WireServer, post: Post, connections: list[http.client.HTTPConnection]
) -> None:
    server.replies(Reply(stall_after=1))
    post()
    assert not server.wait_for_disconnects(timeout=0.05)
    connections[0].close()
    assert server.wait_for_disconnects()
    assert server.disconnects == 1


def test_stopping_does_not_wait_for_replies_or_idle_connections() -> None:
    with WireServer(Reply(stall_after=0)) as server:
        connections = [socket.create_connection(server.address) for _ in range(3)]
        for connection in connections[:2]:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
        began = time.monotonic()
    assert time.monotonic() - began < 1
    for connection in connections:
        connection.close()


def test_it_knows_a_web_page(server: WireServer, post: Post) -> None:
    server.replies(Reply.html())
    answer = post()
    assert answer.headers.get_content_type() == "text/html"
    assert b"<!doctype html>" in answer.read()


def test_a_stream_of_its_own(server: WireServer, post: Post) -> None:
    server.replies(Reply(stream=[b"one ", 0.01, b"two"], headers={"content-type": "text/x"}))
    answer = post()
    assert (answer.headers["content-type"], answer.read()) == ("text/x", b"one two")


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_a_stream_of_its_own_is_cut_at_its_end(server: WireServer, post: Post, cut: Any) -> None:
    server.replies(Reply(stream=[b"one"], cut=cut))
    answer = post()
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        answer.read()
    answer.close()


def test_raw_bytes_and_the_connection_stays_open(server: WireServer) -> None:
    head = b"HTTP/1.1 418 Teapot\r\ncontent-length: 2\r\nretry-after: 1\r\nretry-after: 2\r\n\r\n"
    server.replies(Reply(raw=[head, b"hi"]))
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    for status, body in [(418, b"hi"), (200, b"[DONE]")]:
        connection.request("POST", "/v1/chat/completions", '{"stream": true}')
        answer = connection.getresponse()
        assert answer.status == status
        assert body in answer.read()
    connection.close()


def test_raw_bytes_and_the_connection_closes(server: WireServer) -> None:
    server.replies(Reply(raw=[b"SSH-2.0\r\n"], cut="close"))
    with socket.create_connection(server.address) as caller:
        caller.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
        assert caller.makefile("rb").read() == b"SSH-2.0\r\n"


def test_an_endless_pause_lasts_until_the_caller_leaves(
    server: WireServer, post: Post, connections: list[http.client.HTTPConnection]
) -> None:
    server.replies(Reply(stream=[b"one", math.inf, b"two"]))
    assert post().read(3) == b"one"
    assert not server.wait_for_disconnects(timeout=0.05)
    connections[0].close()
    assert server.wait_for_disconnects()


def test_no_more_is_sent_than_is_read(server: WireServer) -> None:
    sent = itertools.count()
    endless = (b"x" * 65_536 for _ in sent)
    server.replies(Reply(raw=endless))
    with socket.create_connection(server.address) as caller:
        caller.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
        assert caller.recv(65_536)
        time.sleep(0.2)
        assert next(sent) < 1_000
