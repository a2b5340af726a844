"""What one call may send, and where: to declared hosts only, with declared credentials only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cloudllm import addresses
from cloudllm.errors import CloudLLMError, ConfigurationError, NetworkError
from cloudllm.provider import Client, Request

_CREDENTIALS = (
    "authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token",
)  # fmt: skip
_IDENTITY = ("openai-organization", "openai-project")  # from the environment, to any address


@dataclass(frozen=True, slots=True)
class Papers:
    """The papers of a call; without `hosts` nothing is checked, with an empty set nobody is asked.

    litellm and the SDKs below it look into the environment for what they were not given: keys,
    tokens, names of organizations. Such a header is taken off unless the client gave it: `secrets`
    are its key and what it keeps secret besides, `headers` the names of those it sets itself. With
    credentials of its own a route is trusted to send those.
    """

    hosts: frozenset[str] | None = None
    secrets: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    any_credentials: bool = True
    plain_http: bool = True
    provider: str = ""

    @classmethod
    def of(cls, client: Client, request: Request) -> Papers:
        """The papers of this call; raises `ConfigurationError` if nobody said where it may go."""
        if not (client.hosts or client.api_base or client.backend):
            raise ConfigurationError(
                f"{client.provider} declares neither api_base nor hosts, so nothing was sent"
            )
        given = [request.params.get(name) for name in ("extra_headers", "headers")]
        names = {str(name).lower() for some in given if isinstance(some, Mapping) for name in some}
        if "organization" in request.params:
            names.add("openai-organization")
        keys = [client.api_key] if client.api_key else []
        return cls(
            hosts=client.hosts or _host_of(client),
            secrets=frozenset(key.get_secret_value() for key in (*keys, *client.secrets.values())),
            headers=frozenset(names),
            any_credentials=client.own_credentials,
            plain_http=client.allow_plain_http,
            provider=client.provider,
        )

    def objection(self, request: Any) -> CloudLLMError | None:  # noqa: ANN401 - httpx's
        """Why the request may not go out."""
        names = {request.url.host, request.url.raw_host.decode()}  # as read, and as sent (IDNA)
        if self.hosts is None or not request.url.host:  # an address that is none leads nowhere
            return None
        if self.hosts.isdisjoint(names):
            return NetworkError(
                f"{request.url.host} is not among the hosts the provider declares; nothing was sent",
                tries=1,
            )
        if self.plain_http or not any(name in request.headers for name in _CREDENTIALS):
            return None
        return _unencrypted(self.provider, str(request.url))

    def search(self, headers: Any) -> tuple[str, ...]:  # noqa: ANN401 - httpx's
        """Take off what the client did not give; returns the credentials that go out."""
        for name in _IDENTITY:
            if name in headers and name not in self.headers:
                del headers[name]
        carried = [name for name in _CREDENTIALS if name in headers]
        for name in carried:
            if not (self.any_credentials or name in self.headers or self._owns(headers[name])):
                del headers[name]
        return tuple(headers[name].rpartition(" ")[2] for name in carried if name in headers)

    def _owns(self, value: str) -> bool:
        """Whether this is a key of the client's, alone, after "Bearer", or in Amazon's signature."""
        return any(value.endswith(key) or f"={key}/" in value for key in self.secrets if key)


def _unencrypted(provider: str, url: str) -> ConfigurationError | None:
    try:
        addresses.check_encrypted(provider, provider, url)
    except ConfigurationError as error:
        return error
    return None


def _host_of(client: Client) -> frozenset[str]:
    """The host of its address; nobody's if that is none."""
    try:
        host = urlsplit(client.api_base or "").hostname
    except ValueError:  # a broken IPv6 address
        host = None
    return frozenset([host] if host else [])
