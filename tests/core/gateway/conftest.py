"""A server, clients for it on both bundled routes, and a way to run a call to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from cloudllm.events import ReasoningDelta, StreamEnded, StreamEvent, TextDelta
from cloudllm.gateway import load
from cloudllm.messages import Message, Role
from cloudllm.provider import Client, Request
from cloudllm.testing import WireServer

KEY = "sk-test/secret+key=0123456789"


@pytest.fixture(scope="session", autouse=True)
def _litellm() -> None:
    load.start().result()


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer() as running:
        yield running


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture(params=["openai", "anthropic"])
def route(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_client(server: WireServer) -> Callable[..., Client]:
    """Makes a client of the server; keyword arguments replace its fields."""

    def make(route: str = "openai", **fields: Any) -> Client:
        base = server.url if route == "openai" else server.origin
        given = {"provider": "work", "label": "Work", "model": "some-model", "route": route}
        return Client(**{**given, "api_base": base, "api_key": SecretStr(KEY), **fields})

    return make


@pytest.fixture
def client(make_client: Callable[..., Client], route: str) -> Client:
    return make_client(route)


@pytest.fixture
def ask() -> Request:
    return Request(
        messages=(Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "Hello?")),
    )


@pytest.fixture
def text_of() -> Callable[[list[StreamEvent]], str]:
    """The text of some events, once they are known to end as a stream must."""

    def join(events: list[StreamEvent]) -> str:
        *deltas, last = events
        assert isinstance(last, StreamEnded)
        assert all(isinstance(delta, TextDelta | ReasoningDelta) for delta in deltas)
        return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    return join
