"""Turns whatever a call raised into one of our errors: one line, no secret, never a closed list."""

from __future__ import annotations

import difflib
import os
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from cloudllm.addresses import is_loopback_host
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ConfigurationError,
    InvalidResponse,
    ModelNotFound,
    NetworkError,
    ProviderError,
)
from cloudllm.gateway import reasons, wording
from cloudllm.gateway.ends import LateError
from cloudllm.gateway.network import Exchange
from cloudllm.gateway.refusals import Refusal
from cloudllm.provider import Client, Request
from cloudllm.words import one_line, redact_all

_BROKEN = {
    "ClientPayloadError", "ServerDisconnectedError", "RemoteProtocolError", "ReadError",
    "TransferEncodingError", "IncompleteRead", "ConnectionResetError", "BrokenPipeError",
    "ClientOSError", "ClientConnectionResetError",
}  # fmt: skip
_NO_HTTP = {"BadHttpMessage", "ClientResponseError"}
_UNREACHED = {"ClientConnectorError", "ConnectError", "NetworkError"}
_INSTALLS = {"mcp": "cloudllm[responses]", "google": "cloudllm[vertex]"}
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH", "HTTP_REQUEST")
_NO_ROAD = {"vertexai"}  # an SDK that litellm wants for any model whose family it does not know
_EXCERPT = 100  # characters of what is no sentence
_BAD_ADDRESS = {"InvalidURL", "InvalidUrlClientError", "UnsupportedProtocol", "LocalProtocolError"}


@dataclass(frozen=True, slots=True)
class Translator:
    """Words errors for one call. `known_models` is for the question "did you mean …?"."""

    client: Client
    exchange: Exchange
    known_models: Callable[[], Iterable[str]]
    request: Request | None = None

    @property
    def host(self) -> str:
        """`host:port` of the provider, or its label as long as nobody knows the address."""
        url = self.exchange.url or self.client.api_base
        return wording.host_of(url) if url else self.client.label

    def clean(self, text: str) -> str:
        """The text as it may be shown: without a secret, on one line, not too long."""
        return one_line(redact_all(text, self._secrets()))

    def _reason(self, exc: BaseException, chain: Sequence[BaseException]) -> str:
        """Why, in the server's words, as they may be shown; "" if it gave none."""
        said = reasons.reason(exc, chain)
        text, secrets = said.text, tuple(self._secrets())
        if said.cut or said.raw:
            text = reasons.without_begun(text, secrets)
        if said.raw:
            return f"the server said “{one_line(redact_all(text, secrets), _EXCERPT)}”"
        return self.clean(f"{text}…" if said.cut else text)

    def translate(self, raised: BaseException) -> CloudLLMError:
        """The error that `raised` stands for; never raises, also for classes yet to be invented."""
        for known in (self.exchange.failure, self.exchange.ending.failure, raised):
            if isinstance(known, CloudLLMError):
                return self.stamped(known)
        chain = [*_causes(raised)]
        exc = next((cause for cause in chain if isinstance(cause, LateError)), raised)
        error = self._on_the_way(chain) or self._by_status(self._status(exc), exc, chain)
        return self.stamped(error)

    def stamped(self, error: CloudLLMError) -> CloudLLMError:
        """The error, once it says which request it was and whether the provider took that on."""
        status = self.exchange.status
        error.request_id = error.request_id or self.request_id
        if status is not None and status >= HTTPStatus.BAD_REQUEST:
            error.status = error.status or status
        if isinstance(error, ProviderError):
            error.accepted = error.accepted or (status is not None and status in range(200, 300))
        return error

    @property
    def request_id(self) -> str | None:
        """The provider's own name for the request, if it gave one."""
        return wording.request_id(self.exchange.headers, self._secrets())

    def _on_the_way(self, chain: list[BaseException]) -> CloudLLMError | None:
        """The error unless the provider itself refused."""
        wire = self.exchange.status
        if wire is not None and wire in range(300, 400):
            return self._redirect(wire)
        if wire is not None and wire >= HTTPStatus.BAD_REQUEST:
            return None
        if "html" in self.exchange.headers.get("content-type", "").lower():
            return self.no_answer()
        if error := self._not_installed(chain) or self._network(chain):
            return error
        text = self._reason(chain[0], chain) or type(chain[0]).__name__
        if self.exchange.url is None:
            return self._no_credentials(text) or self._not_asked(text)
        # A status now is litellm's invention.
        return NetworkError(f"no answer from {self.host}: {text}") if wire is None else None

    def _not_asked(self, text: str) -> ProviderError:
        return ProviderError(f"{self.client.label}: nothing was sent: {text}")

    def _no_credentials(self, text: str) -> CloudLLMError | None:
        if not self.client.own_credentials or "credential" not in text.lower():
            return None
        return AuthenticationError(
            f"no credentials for {self.client.label}: {text}",
            advice="Log in with its own command-line tool, or set a key",
        )

    def _status(self, exc: BaseException) -> int | None:
        """The wire's; litellm's own number holds before a request and for an error in a stream."""
        wire = self.exchange.status
        if wire is not None and wire >= HTTPStatus.BAD_REQUEST:
            return wire
        return _status(exc) if wire is None or isinstance(exc, LateError) else None

    def failed_backend(self, raised: BaseException) -> CloudLLMError:
        """What a backend raised: its own error, or one that names the provider."""
        if isinstance(raised, CloudLLMError):
            return raised
        text = self.clean(f"{type(raised).__name__}: {raised}".rstrip(": "))
        return ProviderError(f"{self.client.label} failed: {text}", tries=1)

    def no_answer(self) -> CloudLLMError:
        """For a response with neither text nor an end."""
        given = self.clean(self.exchange.headers.get("content-type", ""))
        kind = given.partition(";")[0].strip().lower()
        status = self.exchange.status
        if "html" in kind:
            message = f"{self.host} answered with a web page ({kind}), not an API reply"
            advice = "Is it a captive portal or a wrong api_base?"
            return self.stamped(InvalidResponse(message, advice=advice, status=status))
        if kind in {"", "text/event-stream"}:
            message = f"{self.client.label} ({self.host}) sent an empty answer"
            tries = 2 if status == HTTPStatus.OK else 1
            return self.stamped(InvalidResponse(message, status=status, tries=tries))
        error = InvalidResponse(
            f"{self.host} sent {kind} instead of an answer",
            advice="Check that api_base is the address of an API",
            status=status,
        )
        return self.stamped(error)

    def _secrets(self) -> Iterator[str]:
        """The key and its kin, and what the route found by itself."""
        if self.client.api_key:
            yield self.client.api_key.get_secret_value()
        yield from (secret.get_secret_value() for secret in self.client.secrets.values())
        yield from self.exchange.credentials

    def _redirect(self, status: int) -> InvalidResponse:
        location = self.clean(self.exchange.headers.get("location", ""))
        target = wording.host_of(location) or "another path"
        return InvalidResponse(
            f"{self.host} answered with a redirect to {target}; not followed",
            advice="Set api_base to the address that answers itself",
            status=status,
        )

    def _not_installed(self, chain: list[BaseException]) -> CloudLLMError | None:
        """A route needs a package that cloudllm itself can do without."""
        missing = next((exc.name for exc in chain if isinstance(exc, ModuleNotFoundError)), None)
        if missing is None:
            return None
        name = missing.partition(".")[0]
        if name in _NO_ROAD:
            message = f"{self.client.label} has no model {self.client.model!r} that can be called"
            return ModelNotFound(message, advice=self._did_you_mean())
        return ConfigurationError(
            f"{self.client.id} needs the Python package {name}, which is not installed",
            advice=f'Install it with: pip install "{_INSTALLS.get(name, name)}"',
        )

    def _network(self, chain: list[BaseException]) -> CloudLLMError | None:
        """The error if a cause is that of a connection."""
        names = {name for exc in chain for name in _names(exc)}
        return (
            self._not_sent(names)
            or self._not_reached(names)
            or self._not_secure(chain)
            or self._not_complete(names)
        )

    def _not_sent(self, names: set[str]) -> CloudLLMError | None:
        """Something on this side, or right before it, is wrong."""
        if names & {"ClientProxyConnectionError", "ProxyError"}:
            url = self.exchange.url or ""
            name, place = wording.proxy(url, os.environ)
            return NetworkError(
                f"the proxy {place} refused the connection (from {name})".replace("  ", " "),
                advice=f"Start it, or unset {name}; NO_PROXY names hosts to reach without it",
                tries=2,
            )
        if names & _BAD_ADDRESS:
            shown = self.clean(repr(self.client.api_base))
            return ConfigurationError(f"api_base {shown} of {self.client.provider} is no address")
        return None

    def _not_reached(self, names: set[str]) -> CloudLLMError | None:
        """Nobody is there."""
        if names & {"gaierror", "ClientConnectorDNSError"}:
            return NetworkError(
                f"cannot resolve {self.host}",
                advice=f"Check the network, and api_base of provider {self.client.provider}",
            )
        if "ConnectionRefusedError" in names:
            return NetworkError(f"{self.host} refused the connection", advice=self._start_it())
        return None

    def _not_secure(self, chain: list[BaseException]) -> CloudLLMError | None:
        """TLS failed."""
        failures = [exc for exc in chain if isinstance(exc, ssl.SSLError)]
        if not failures:
            return None
        reason = getattr(failures[-1], "verify_message", None) or failures[-1].reason or "failed"
        said = self.clean(str(reason))
        if any(word in said.upper() for word in _NO_TLS):
            said = "it does not speak TLS (wrong port or http://?)"
        return NetworkError(
            f"no secure connection to {self.host}: {said}",
            advice="Check api_base: https or http, host and port",
            tries=1,
        )

    def _not_complete(self, names: set[str]) -> CloudLLMError | None:
        """What came is broken, or broken off."""
        if names & _NO_HTTP and self.exchange.status is None:
            return InvalidResponse(f"{self.host} sent something that is no answer in HTTP")
        # ParserError: botocore's, for what is no event stream.
        if names & {"JSONDecodeError", "UnicodeDecodeError", "ParserError"}:
            return InvalidResponse(f"{self.host} sent something that is no answer", tries=3)
        if names & _BROKEN:
            return NetworkError(f"{self.host} closed the connection before the answer was complete")
        if names & _UNREACHED and self.exchange.status is None:
            return NetworkError(f"cannot connect to {self.host}", advice="Check the network")
        return None

    def _start_it(self) -> str:
        if not is_loopback_host(self.host.rpartition(":")[0]):
            return "Check the network and api_base"
        hint = self.client.start_hint
        return f"Start it: {hint}" if hint else "Is the server running there?"

    def _by_status(
        self, status: int | None, exc: BaseException, chain: list[BaseException]
    ) -> CloudLLMError:
        text = self._reason(exc, chain)
        if status is None or status < HTTPStatus.BAD_REQUEST:
            text = text or type(exc).__name__
            return ProviderError(f"{self.client.label}: {text}", status=status)
        text = text or reasons.NONE_GIVEN
        refusal = Refusal(self.client, self.exchange, status, text, f"{exc} {_code(exc)}")
        if "ContextWindowExceededError" in _names(exc):
            return refusal.too_long()
        headers = getattr(exc, "litellm_response_headers", None) or {}
        return refusal.error(headers, self._did_you_mean, self.request)

    def _did_you_mean(self) -> str:
        candidates = sorted({*self.client.suggestions, *self.known_models()} - {self.client.model})
        close = difflib.get_close_matches(self.client.model, candidates, n=3)
        if close:
            return f"Did you mean {' or '.join(close)}?"
        return "Check the model's name and that this key may use it"


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """The exception and what led to it, outermost first."""
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        if isinstance(exc, BaseExceptionGroup):
            yield from exc.exceptions
        exc = exc.__cause__ or exc.__context__


def _names(exc: BaseException) -> Iterator[str]:
    return (cls.__name__ for cls in type(exc).__mro__)


def _status(exc: BaseException) -> int | None:
    """The status litellm gives it, if that is a number at all."""
    try:
        return int(getattr(exc, "status_code", None) or 0) or None
    except (TypeError, ValueError):
        return None


def _code(exc: BaseException) -> str:
    body = getattr(exc, "body", None)
    return f"{getattr(exc, 'code', '')} {body if isinstance(body, Mapping) else ''}"
