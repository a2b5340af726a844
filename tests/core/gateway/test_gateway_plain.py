"""No key goes unencrypted to another machine, unless the settings say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cloudllm import gateway
from cloudllm.errors import CloudLLMError, ConfigurationError, ProviderError
from cloudllm.provider import Client, Deadlines, Request


async def fails(client: Client, request: Request) -> CloudLLMError:
    with pytest.raises(CloudLLMError) as caught:
        async for _ in gateway.stream(client, request, Deadlines(connect=3)):
            pass
    return caught.value


@pytest.mark.parametrize("host", ["192.0.2.1", "10.1.2.3", "192.168.0.7", "[2001:db8::1]"])
async def test_G2_no_key_goes_over_plain_http_to_another_machine(
    make_client: Callable[..., Client], ask: Request, host: str, route: str
) -> None:
    client = make_client(route, api_base=f"http://{host}/v1")
    error = await fails(client, ask)
    assert isinstance(error, ConfigurationError)
    assert f"would be sent unencrypted to {host}" in error.message
    assert "allow_plain_http" in str(error)
    with pytest.raises(ProviderError):  # allowed, it is tried
        async for _ in gateway.stream(
            replace(client, allow_plain_http=True), ask, Deadlines(connect=0.05)
        ):
            pass


async def test_a_key_for_a_name_that_does_not_resolve_is_warned_of_too(
    make_client: Callable[..., Client], ask: Request
) -> None:
    error = await fails(make_client(api_base="http://nowhere.invalid/v1"), ask)
    assert error.message == "cannot resolve nowhere.invalid:80"
    assert "would be sent unencrypted" in error.advice
