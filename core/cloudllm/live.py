"""Asks services which models they have: a GET that is bounded, and goes to their own hosts only."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from cloudllm import modelname
from cloudllm.addresses import is_loopback_host
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ConfigurationError,
    DeadlineExceeded,
    InvalidResponse,
    NetworkError,
    RateLimited,
    RequestRejected,
    ServerError,
)
from cloudllm.provider import ModelInfo
from cloudllm.words import one_line, redact

if TYPE_CHECKING:
    import aiohttp
    from pydantic import SecretStr

DEADLINE = 10.0
"""Seconds for the whole of one request."""

MOST_BYTES = 16 * 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class LiveList:
    """The models of a service as it lists them; `dropped` entries have no usable name."""

    models: tuple[ModelInfo, ...]
    dropped: int

    @property
    def chats(self) -> list[str]:
        """The models that can be talked to.

        Servers of one's own list models for embeddings too, and say so in the name alone.
        """
        return [info.name for info in self.models if "embed" not in info.name.lower()]


def checked(label: str, listed: object, key: SecretStr | None = None) -> LiveList:
    """What a provider gave as its list, without what cannot be a model's name, or comes twice.

    Nor can a name that holds the `key`.

    Raises:
        InvalidResponse: it is no list at all.
    """
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        raise InvalidResponse(f"{label}: the provider gives no list of models")
    secret = key.get_secret_value() if key else None
    found: dict[str, ModelInfo] = {}
    dropped = 0
    for entry in listed:
        usable = isinstance(entry, ModelInfo) and not modelname.flaw(entry.name)
        if usable and redact(entry.name, secret) == entry.name:
            found.setdefault(entry.name, entry)
        else:
            dropped += 1
    return LiveList(tuple(found.values()), dropped)


@dataclass(frozen=True, slots=True)
class Fetcher:
    """What a provider asks with, a `Fetch`: it goes to these hosts, and to no others.

    No error of it repeats what a server sent, for that may hold the key. `start_hint` is the
    command that starts a server on this machine; `deadline` is in seconds.
    """

    label: str
    hosts: Collection[str | None]
    start_hint: str | None = None
    deadline: float = DEADLINE

    def __call__(self, url: str, headers: Mapping[str, str]) -> object:
        """GET the URL and return the parsed JSON, in a thread that has no event loop.

        Raises:
            ConfigurationError: the URL is none, or leads to another host; nothing was sent.
            CloudLLMError: whatever else went wrong.
        """
        import asyncio  # noqa: PLC0415 - 10 ms that a start does not need

        where = self._checked(url)
        loop = asyncio.new_event_loop()
        try:
            body = loop.run_until_complete(self._get(where, headers))
        finally:
            loop.close()  # which does not wait for a look-up of the name that hangs
        return self._parsed(body)

    def _checked(self, url: str) -> SplitResult:
        try:
            where = urlsplit(url)
            sound = where.scheme in ("http", "https") and where.hostname and where.port != 0
        except ValueError:  # a port that is none, or a broken IPv6 address
            sound = False
        if not sound:
            raise ConfigurationError(f"{self.label} has no address to ask for its models")
        if where.hostname not in self.hosts:
            raise ConfigurationError(
                f"{self.label}: {_host(where)} is not among the hosts the provider declares;"
                " nothing was sent"
            )
        return where

    async def _get(self, where: SplitResult, headers: Mapping[str, str]) -> bytes:
        import aiohttp  # noqa: PLC0415 - heavy, and most commands ask nobody

        timeout = aiohttp.ClientTimeout(total=self.deadline)
        connector = aiohttp.TCPConnector(ssl=_tls() if where.scheme == "https" else True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(
                    where.geturl(), headers=headers, proxy=_proxy(where), allow_redirects=False
                ) as response,
            ):
                if response.status != HTTPStatus.OK:
                    raise self._refusal(_host(where), response.status)
                return await self._body(response)
        except (TimeoutError, OSError, ValueError, aiohttp.ClientError) as error:
            failure = self._failure(where, error)
        raise failure  # out here, where aiohttp's exception, which holds the key, is no part of it

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            body += piece
            if len(body) > MOST_BYTES:
                most = f"{MOST_BYTES // 1024**2} MiB"
                raise InvalidResponse(f"{self.label}: the list of models is longer than {most}")
        return bytes(body)

    def _parsed(self, body: bytes) -> object:
        # ValueError: not UTF-8, not JSON, or a number too long to be converted.
        with suppress(ValueError, RecursionError):
            parsed: object = json.loads(body.decode("utf-8-sig"))
            return parsed
        what = "a web page" if body.lstrip().startswith(b"<") else "something that is not JSON"
        raise InvalidResponse(f"{self.label}: {what} came instead of a list of models")

    def _failure(self, where: SplitResult, error: Exception) -> CloudLLMError:
        """What aiohttp's exception means; the classes of later lines contain those of earlier ones."""
        import aiohttp  # noqa: PLC0415 - see above

        host = _host(where)
        match error:
            case TimeoutError():
                what = f"no list of models from {host} within {self.deadline:g} seconds"
                return DeadlineExceeded(f"{self.label}: {what}")
            case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
                return NetworkError(f"{self.label}: no secure connection to {host}")
            case aiohttp.ClientConnectorDNSError():
                return NetworkError(f"{self.label}: {host} cannot be found; are you offline?")
            case aiohttp.ClientConnectorError():
                hint = f"Start it: {self.start_hint}" if self.start_hint else None
                return NetworkError(f"{self.label}: nothing answers at {host}", advice=hint)
            case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | OSError():
                return NetworkError(f"{self.label}: {host} broke the connection off")
        return InvalidResponse(f"{self.label}: {host} does not answer as a web server does")

    def _refusal(self, host: str, status: int) -> CloudLLMError:
        said = f"(HTTP status {status})"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return AuthenticationError(f"{self.label}: {host} refuses the key {said}")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(f"{self.label}: {host} asks to slow down {said}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ServerError(f"{self.label}: {host} has a fault {said}", status=status)
        if status < HTTPStatus.BAD_REQUEST:
            redirects = status >= HTTPStatus.MULTIPLE_CHOICES
            what = "redirects to elsewhere, which is not followed" if redirects else "sends no list"
            return InvalidResponse(f"{self.label}: {host} {what} {said}", status=status)
        what = f"{host} has no list of models at this address {said}"
        return RequestRejected(f"{self.label}: {what}", status=status)


def _proxy(where: SplitResult) -> str | None:
    """The proxy of the environment; none for this machine's own servers."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - heavy, see above

    host = where.hostname or ""
    return None if is_loopback_host(host) or proxy_bypass(host) else getproxies().get(where.scheme)


def _tls() -> Any:  # noqa: ANN401 - an ssl.SSLContext, whose import costs
    """Trusts what the system trusts, and what litellm does: some systems know nobody."""
    import ssl  # noqa: PLC0415 - heavy, see above

    context = ssl.create_default_context()
    certifi = find_spec("certifi")  # it comes with litellm
    if certifi is not None and certifi.origin is not None:
        with suppress(OSError):  # also what ssl raises for a file that is none
            context.load_verify_locations(Path(certifi.origin).with_name("cacert.pem"))
    return context


def _host(where: SplitResult) -> str:
    """Host and port: what else an address holds may be a key."""
    return one_line(f"{where.hostname}:{where.port}" if where.port else f"{where.hostname}")
