"""Errors that say how to start a server, or that nobody found the credentials."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudllm import Client
from cloudllm.errors import AuthenticationError, CloudLLMError, NetworkError
from cloudllm.gateway.errors import Translator
from cloudllm.gateway.network import Exchange

HERE = "http://127.0.0.1:11434"
CLIENT = Client(provider="ollama", label="Ollama", model="m", api_base=HERE)


def _translated(client: Client, raised: Exception, url: str | None = None) -> CloudLLMError:
    return Translator(client, Exchange(url=url), lambda: ()).translate(raised)


@pytest.mark.parametrize(
    ("hint", "base", "advice"),
    [
        ("ollama serve", HERE, "Start it: ollama serve"),
        (None, HERE, "Is the server running there?"),
        ("ollama serve", "http://gpu.example:11434", "Check the network and api_base"),
    ],
)
def test_a_refused_connection_names_the_command_that_starts_the_server(
    hint: str | None, base: str, advice: str
) -> None:
    client = replace(CLIENT, start_hint=hint, api_base=base)
    error = _translated(client, ConnectionRefusedError(111, "refused"), base)
    assert isinstance(error, NetworkError)
    assert error.advice == advice


def test_credentials_that_nobody_found_are_no_refusal() -> None:
    lost = RuntimeError("Unable to locate credentials")
    cloud = replace(CLIENT, label="A cloud", own_credentials=True)
    error = _translated(cloud, lost)
    assert isinstance(error, AuthenticationError)
    assert str(error).startswith("no credentials for A cloud: Unable to locate credentials. ")
    assert not isinstance(_translated(CLIENT, lost), AuthenticationError)
