"""A key goes to no other machine over plain http, where anyone on the way could read it."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from cloudllm import addresses
from cloudllm.errors import NetworkError
from cloudllm.gateway import wording
from cloudllm.provider import Client
from cloudllm.threads import in_thread

_LOOKUP = 5.0  # seconds


async def check(client: Client) -> None:
    """Look at the address before anything is sent.

    Raises:
        ConfigurationError: a key would go out unencrypted.
        NetworkError: so it would, to a host that does not exist.
    """
    url = client.api_base or ""
    secret = client.api_key or client.secrets or client.own_credentials
    if client.backend is not None or client.allow_plain_http or not secret:
        return
    if not addresses.is_unencrypted(url):
        return
    if "http" not in getproxies() and not await _exists(urlsplit(url).hostname or ""):
        raise NetworkError(
            f"cannot resolve {wording.host_of(url)}",
            advice=f"Check the network, and api_base of provider {client.provider}: over http its key "
            "would be sent unencrypted",
        )
    addresses.check_encrypted(client.provider, client.label, url)


async def _exists(host: str) -> bool:
    """Whether the name has an address; that of one that nobody tells in time is not known."""
    try:
        async with asyncio.timeout(_LOOKUP):
            await in_thread(lambda: socket.getaddrinfo(host, None))
    except TimeoutError:
        return True
    except (OSError, UnicodeError):
        return False
    return True
