"""Deadlines are ours and kept alive by visible tokens alone."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from cloudllm import gateway
from cloudllm.errors import DeadlineExceeded
from cloudllm.events import StreamEnded, StreamEvent, TextDelta
from cloudllm.provider import Client, Deadlines, ModelInfo, Patience, Request
from cloudllm.testing import Reply, WireServer


async def fails(client: Client, request: Request, deadlines: Deadlines) -> tuple[str, int]:
    """The error in words, and how many deltas came before it."""
    events: list[StreamEvent] = []

    async def run() -> None:
        async for event in gateway.stream(client, request, deadlines):
            events.append(event)  # noqa: PERF401 - those before the error count

    began = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        await run()
    assert time.monotonic() - began < 1.5
    return str(caught.value), len(events)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("stall_after", [-1, 0])
async def test_first_token(
    server: WireServer, client: Client, ask: Request, stall_after: int
) -> None:
    server.replies(Reply(stall_after=stall_after))
    message, count = await fails(client, ask, Deadlines(first_token=0.3))
    assert "Work: no reply within 0.3 s" in message
    assert "timeout.first_token" in message
    assert count == 0
    assert server.wait_for_disconnects()


async def test_gap(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply(stall_after=2))
    message, count = await fails(client, ask, Deadlines(gap=0.3))
    assert "Work: no text for 0.3 s" in message
    assert "timeout.gap" in message
    assert count == 2
    assert server.wait_for_disconnects()


async def test_total(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply(text=["x"] * 900, delay=0.02))
    message, count = await fails(client, ask, Deadlines(total=0.4))
    assert "longer than 0.4 s" in message
    assert "timeout.total" in message
    assert count > 2


@pytest.mark.parametrize("stall_after", [0, 2])
async def test_comments_and_empty_chunks_are_no_sign_of_life(
    server: WireServer, client: Client, ask: Request, stall_after: int
) -> None:
    server.replies(Reply(stall_after=stall_after, heartbeat=0.02))
    await fails(client, ask, Deadlines(first_token=0.3, gap=0.3))
    server.replies(Reply(text=[*["x"] * stall_after, *[""] * 900], delay=0.02))
    await fails(client, ask, Deadlines(first_token=0.3, gap=0.3))


async def test_every_visible_token_is_a_sign_of_life(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(text=["x"] * 6, reasoning=["y"] * 6, delay=0.06))
    deadlines = Deadlines(first_token=0.3, gap=0.3)
    events = [event async for event in gateway.stream(client, ask, deadlines)]
    assert len(events) == 13


async def test_the_consumers_time_does_not_count(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(text=["x"] * 3, delay=0.05))
    seen = []
    async for event in gateway.stream(client, ask, Deadlines(first_token=0.3, gap=0.15)):
        seen.append(event)
        await asyncio.sleep(0.2)
    assert len(seen) == 4


async def test_connect_bounds_the_tls_handshake(
    make_client: Callable[..., Client], ask: Request, silent_port: int, route: str
) -> None:
    client = make_client(route, api_base=f"https://127.0.0.1:{silent_port}/v1")
    message, _ = await fails(client, ask, Deadlines(connect=0.3))
    assert f"no connection to 127.0.0.1:{silent_port} within 0.3 s" in message
    assert "timeout.connect" in message


async def test_connect_ends_with_the_connection(
    make_client: Callable[..., Client], ask: Request, silent_port: int, route: str
) -> None:
    client = make_client(route, api_base=f"http://127.0.0.1:{silent_port}/v1")
    message, _ = await fails(client, ask, Deadlines(connect=0.2, first_token=0.5))
    assert "no reply within 0.5 s" in message


@pytest.mark.parametrize(("scheme", "stages"), [("https", {"connecting", ""}), ("http", {""})])
async def test_it_can_be_told_whether_a_connection_is_being_made(
    make_client: Callable[..., Client],
    ask: Request,
    silent_port: int,
    scheme: str,
    stages: set[str],
) -> None:
    await gateway.ready()
    client = make_client(api_base=f"{scheme}://127.0.0.1:{silent_port}/v1")
    deadlines = Deadlines(connect=0.2, first_token=0.2)
    call = asyncio.ensure_future(fails(client, ask, deadlines))
    seen = set()
    while not call.done():
        await asyncio.sleep(0.02)
        seen.add(gateway.stage())
    assert seen == stages
    assert gateway.stage() == ""


async def test_none_waits(server: WireServer, client: Client, ask: Request) -> None:
    server.replies(Reply(text=["x"], first_delay=0.3))
    forever = Deadlines(connect=None, first_token=None, gap=None)
    events = [event async for event in gateway.stream(client, ask, forever)]
    assert events[0] == TextDelta("x")
    assert isinstance(events[1], StreamEnded)


def test_auto_waits_longer_for_models_that_reason() -> None:
    assert Deadlines().first_token_for(ModelInfo(name="m", reasoning=True)) == 300
    assert Deadlines().first_token_for(ModelInfo(name="m")) == 60


@pytest.mark.parametrize("before", [True, False])
async def test_who_waits_on_has_no_deadline(
    server: WireServer, client: Client, ask: Request, *, before: bool
) -> None:
    server.replies(Reply(text=["x"] * 3, first_delay=0.15, delay=0.1))
    patience = Patience()
    deadlines = Deadlines(first_token=0.1, gap=0.05, total=0.2, patience=patience)
    if before:
        patience.wait_on()
    else:
        asyncio.get_running_loop().call_later(0.05, patience.wait_on)
    events = [event async for event in gateway.stream(client, ask, deadlines)]
    assert len(events) == 4


async def test_an_error_says_whether_to_try_again(
    server: WireServer, client: Client, ask: Request
) -> None:
    server.replies(Reply(stall_after=0), Reply(stall_after=1))
    for tries in (2, 1):
        with pytest.raises(DeadlineExceeded) as caught:
            [_ async for _ in gateway.stream(client, ask, Deadlines(first_token=0.2, gap=0.2))]
        assert caught.value.tries == tries


async def test_a_deadline_says_which_request_it_was_and_that_it_may_be_charged(
    server: WireServer, client: Client, ask: Request
) -> None:
    name = {"request-id": "req_1"}
    server.replies(Reply(stall_after=-1), Reply(stall_after=0, headers=name))
    for known in (None, "req_1"):
        with pytest.raises(DeadlineExceeded) as caught:
            [_ async for _ in gateway.stream(client, ask, Deadlines(first_token=0.2))]
        assert (caught.value.request_id, caught.value.accepted) == (known, True)


async def test_who_was_never_reached_charges_nothing(
    make_client: Callable[..., Client], ask: Request, silent_port: int
) -> None:
    client = make_client(api_base=f"https://127.0.0.1:{silent_port}/v1")
    with pytest.raises(DeadlineExceeded) as caught:
        [_ async for _ in gateway.stream(client, ask, Deadlines(connect=0.2))]
    assert not caught.value.accepted
