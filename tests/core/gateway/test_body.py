"""What reached us of a reply is shown, however it broke off; what is too much is cut."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import gateway
from cloudllm.errors import CloudLLMError, InvalidResponse, NetworkError, ServerError
from cloudllm.events import StreamEnded, StreamEvent, TextDelta, ToolCallDelta
from cloudllm.gateway.bound import Bound
from cloudllm.provider import Client, Deadlines, Request
from cloudllm.testing import Reply, WireServer

WORDS = [f"word{number} " for number in range(2000)]
SSE = "content-type: text/event-stream"


def said(word: str) -> bytes:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()


BODY = b"".join(map(said, WORDS))


def http(*headers: str, body: bytes) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", SSE, *headers, "", ""]).encode() + body


def chunked(*parts: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return http("transfer-encoding: chunked", body=body)


async def tried(
    client: Client, ask: Request, pause: float | None = None
) -> tuple[str, CloudLLMError | None]:
    """The text that came, and the error after it."""
    text = ""
    try:
        async for event in gateway.stream(client, ask, Deadlines()):
            text += event.text if isinstance(event, TextDelta) else ""
            if pause is not None:
                await asyncio.sleep(pause)
    except CloudLLMError as error:
        return text, error
    return text, None


CUTS: Mapping[str, tuple[bytes, Literal["close", "reset"]]] = {
    "chunks-reset": (chunked(*map(said, WORDS)), "reset"),
    "chunks-closed": (chunked(*map(said, WORDS)), "close"),
    "chunks-junk": (chunked(*map(said, WORDS)) + b"zz\r\n", "close"),
    "length-reset": (http("content-length: 9999999", body=BODY), "reset"),
    "length-closed": (http("content-length: 9999999", body=BODY), "close"),
    "no-length-reset": (http("connection: close", body=BODY), "reset"),
}


@pytest.mark.parametrize("pause", [None, 0.0])
@pytest.mark.parametrize("name", CUTS)
async def test_G3_all_that_came_before_a_cut_is_shown(
    make_client: Callable[..., Client],
    server: WireServer,
    ask: Request,
    name: str,
    pause: float | None,
) -> None:
    raw, cut = CUTS[name]
    packets = [raw[start : start + 50_000] for start in range(0, len(raw), 50_000)]
    server.replies(Reply(raw=[*packets, 0.05], cut=cut))
    text, _ = await tried(make_client(), ask, pause)
    assert text == "".join(WORDS)
    assert len(server.requests) == 1


async def test_G3_headers_events_and_the_end_in_one_packet(
    make_client: Callable[..., Client], server: WireServer, ask: Request
) -> None:
    server.replies(Reply(raw=[chunked(*map(said, WORDS[:3]))], cut="close"))
    text, error = await tried(make_client(), ask)
    assert text == "".join(WORDS[:3])
    assert isinstance(error, NetworkError)


@pytest.mark.parametrize("cut", ["reset", "close"])
async def test_G3_the_text_in_an_unfinished_event_is_shown(
    make_client: Callable[..., Client],
    server: WireServer,
    ask: Request,
    cut: Literal["close", "reset"],
) -> None:
    raw = chunked(said("First "), said("A" * 50_000)[:-100])
    server.replies(Reply(raw=[raw, 0.02], cut=cut))
    text, _ = await tried(make_client(), ask)
    assert text.startswith("First AAA")
    assert len(text) > 49_000


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
async def test_compressed_replies_are_read(
    make_client: Callable[..., Client],
    server: WireServer,
    ask: Request,
    coding: str,
    pack: Callable[[bytes], bytes],
) -> None:
    body = pack(BODY + b"data: [DONE]\n\n")
    head = http(f"content-encoding: {coding}", f"content-length: {len(body)}", body=body)
    server.replies(Reply(raw=[head]))
    text, error = await tried(make_client(), ask)
    assert (text, error) == ("".join(WORDS), None)


async def test_G3_a_compressed_reply_that_breaks_is_shown_up_to_there(
    make_client: Callable[..., Client], server: WireServer, ask: Request
) -> None:
    body = gzip.compress(BODY)
    half = body[: len(body) // 2]
    whole = zlib.decompressobj(31).decompress(half).count(b"\n\n")
    head = http("content-encoding: gzip", f"content-length: {len(body)}", body=half)
    server.replies(Reply(raw=[head, 0.02], cut="reset"))
    text, error = await tried(make_client(), ask)
    assert text.startswith("".join(WORDS[:whole]))
    assert isinstance(error, NetworkError)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "rot13\x1b[2J"])
async def test_what_cannot_be_unpacked_is_an_error_in_one_line(
    make_client: Callable[..., Client], server: WireServer, ask: Request, coding: str
) -> None:
    server.replies(Reply(body="{}", headers={"content-encoding": coding}))
    _, error = await tried(make_client(), ask)
    assert isinstance(error, InvalidResponse)
    assert "compressed as" in str(error)
    assert str(error).isprintable()
    assert len(server.requests) == 1


@pytest.mark.slow
async def test_G12_a_delta_of_10_mib_does_not_keep_the_loop(
    make_client: Callable[..., Client], server: WireServer, ask: Request
) -> None:
    text = "a\n" * (5 << 20)
    server.replies(Reply(text=[text]))
    rounds: list[float] = []

    async def tick() -> None:
        while True:
            rounds.append(time.thread_time())
            await asyncio.sleep(0.001)

    ticking = asyncio.create_task(tick())
    assert await tried(make_client(), ask) == (text, None)
    await asyncio.sleep(0.01)
    ticking.cancel()
    assert max(later - before for before, later in pairwise(rounds)) < 1.0


def bomb(mib: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield packer.compress(b'data: {"choices":[{"index":0,"delta":{"content":"')
    for _ in range(mib):
        yield packer.compress(b"A" * (1 << 20))
    yield packer.compress(b'"}}]}\n\n') + packer.flush()


async def test_a_bomb_is_cut_and_its_beginning_kept(
    make_client: Callable[..., Client], server: WireServer, ask: Request
) -> None:
    steps = [part for part in bomb(256) if part]
    server.replies(Reply(stream=steps, headers={"content-encoding": "gzip"}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text, error = await tried(make_client(), ask)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    assert text == "A" * ask.max_reply_bytes
    assert isinstance(error, InvalidResponse)
    assert "max_reply_bytes" in str(error)
    assert "16 MiB" in str(error)


@pytest.mark.parametrize("route", ["openai", "anthropic"])
async def test_a_reply_is_cut_where_the_setting_says(
    make_client: Callable[..., Client], server: WireServer, ask: Request, route: str
) -> None:
    server.replies(Reply(text=["häh "] * 1000))
    text, error = await tried(make_client(route), replace(ask, max_reply_bytes=2004))
    assert text == "häh " * 400 + "häh"
    assert "2,004 bytes" in str(error)


async def test_a_whole_answer_is_cut_there_too(
    make_client: Callable[..., Client], server: WireServer, ask: Request
) -> None:
    body = json.dumps({"choices": [{"message": {"content": "B" * 300_000}}]})
    name = {"x-request-id": "req_1"}
    server.replies(Reply(body=body, headers=name), Reply(body=body, headers=name))
    for limit in (1000, 250_000):
        text, error = await tried(make_client(), replace(ask, max_reply_bytes=limit))
        assert text == "B" * limit
        assert isinstance(error, InvalidResponse)
        assert (error.request_id, error.accepted) == ("req_1", True)


async def test_the_body_of_an_error_is_not_read_without_end(
    make_client: Callable[..., Client], server: WireServer, ask: Request
) -> None:
    steps = [part for part in bomb(100) if part]
    raw = b"HTTP/1.1 500 Oh\r\ncontent-encoding: gzip\r\n\r\n" + b"".join(steps)
    server.replies(Reply(raw=[raw], cut="close"))
    _, error = await tried(make_client(), ask)
    assert isinstance(error, ServerError)
    assert len(str(error)) < 500


@given(st.lists(st.text(max_size=6), max_size=6), st.integers(0, 20))
def test_the_bound_is_never_passed_nor_missed(texts: Sequence[str], limit: int) -> None:
    bound = Bound(limit)
    whole = "".join(texts)
    kept = ""
    for text in texts:
        delta = bound.fit(TextDelta(text))
        assert isinstance(delta, TextDelta)
        kept += delta.text
        if bound.reached:
            break
    assert whole.startswith(kept)
    assert len(kept.encode()) <= limit
    assert bound.reached is (len(whole.encode()) > limit)


def test_the_bound_leaves_the_rest_of_an_event_alone() -> None:
    events: list[StreamEvent] = [ToolCallDelta("{}", name="look"), StreamEnded("stop")]
    assert [Bound(1).fit(event) for event in events] == [ToolCallDelta("{", name="look"), events[1]]
