"""What a provider's refusal or failure means: the error for a status and the words with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from cloudllm import addresses
from cloudllm.errors import (
    AuthenticationError,
    CloudLLMError,
    ContextTooLong,
    ModelNotFound,
    RateLimited,
    RequestRejected,
    ServerError,
)
from cloudllm.gateway import wording
from cloudllm.gateway.network import Exchange
from cloudllm.gateway.reasons import NONE_GIVEN
from cloudllm.provider import Client, Request
from cloudllm.words import one_line, redact

_CONTEXT = re.compile(
    r"context[_ ](?:length|window|size)|maximum context|prompt is too long|too many (?:input )?tokens",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient_quota|exceeded your current quota|credit balance|spend(?:ing)?[_ ]limit",
    re.IGNORECASE,
)
_NOWHERE = re.compile(
    rf"(?:404 )?(?:page )?not found\W*|\(a web page\)|{NONE_GIVEN}", re.IGNORECASE
)
_LONG = 60.0  # seconds from which on the time of day says more than how long it is
_OVERLOADED = 529
_UNABLE = 501, 505  # what a server can't do now it can't do in a moment
_PARAMETER = re.compile(r"['\"`]([a-z][a-z_]*(?:\.[a-z_]+)*)['\"`]|param(?:eter)?:? ([a-z_]+)")
_SETTINGS = {
    "temperature": "temperature", "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens", "max_output_tokens": "max_output_tokens",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status from 400 up, the provider's words as they may be shown, and all that it said."""

    client: Client
    exchange: Exchange
    status: int
    text: str
    everything: str

    def error(  # noqa: PLR0911 - one for each status that means something of its own
        self,
        headers: Mapping[str, Any],
        did_you_mean: Callable[[], str],
        request: Request | None,
    ) -> CloudLLMError:
        """The error; `headers` are litellm's, for when none were seen on the wire."""
        wait = wording.retry_after(self.exchange.headers or headers)
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._failed(wait)
        who, text, status = self.client.label, self.text, self.status
        match status:
            case 401 | 403:
                advice = f"Check the key of provider {self.client.provider}"
                return AuthenticationError(f"{who} refused the key: {text}", advice=advice)
            case 402:
                advice = "Add credit there, or use another provider"
                return RequestRejected(f"no credit at {who}: {text}", advice=advice, status=status)
            case 404:
                return self._not_found(did_you_mean)
            case 408:
                return self._failed(wait)
            case 429:
                return self._rate_limited(wait)
            case 400 | 413 | 422 if _CONTEXT.search(self.everything) or _CONTEXT.search(text):
                return self.too_long()
            case _:
                return self._rejected(request)

    def too_long(self) -> ContextTooLong:
        """The request has more tokens than the model takes."""
        limit = wording.context_limit(self.text)
        return ContextTooLong(f"{self.client.label}: {self.text}", limit=limit)

    def _failed(self, wait: float | None) -> ServerError:
        who, status, text = self.client.label, self.status, self.text
        until = _until(wait)
        if status == _OVERLOADED:
            message = f"{who} is overloaded ({status}){until}: {text}"
        else:
            message = f"{who} failed ({status}){until}: {text}"
        if status in _UNABLE:
            advice = "Check api_base and the model"
            return ServerError(message, advice=advice, status=status, tries=1)
        return ServerError(message, advice=_when(wait), status=status, retry_after=wait)

    def _not_found(self, did_you_mean: Callable[[], str]) -> CloudLLMError:
        kind = self.exchange.headers.get("content-type", "")
        if self.exchange.url and ("json" not in kind or _NOWHERE.fullmatch(self.text)):
            host = wording.host_of(self.exchange.url)
            where = addresses.shown(self.exchange.url) or ""
            if self.client.api_key:
                where = redact(where, self.client.api_key.get_secret_value())
            return RequestRejected(
                f"{host} has no chat endpoint at {one_line(where)}",
                advice="Check api_base, which should usually end in /v1",
                status=self.status,
            )
        message = f"{self.client.label} has no model {self.client.model!r}: {self.text}"
        return ModelNotFound(message, advice=did_you_mean(), status=self.status)

    def _rate_limited(self, wait: float | None) -> RateLimited:
        who = self.client.label
        if wait is None and _QUOTA.search(self.everything):
            hopeless = "Waiting does not help: the account's quota is used up"
            return RateLimited(f"{who} refused (429): {self.text}", advice=hopeless, tries=1)
        until = _until(wait, "rate limited ")
        message = f"{who} asks to slow down (429){until}: {self.text}"
        return RateLimited(message, advice=_when(wait), retry_after=wait)

    def _rejected(self, request: Request | None) -> RequestRejected:
        status, size = self.status, ""
        tries = 3 if status == HTTPStatus.CONFLICT else 1
        advice = _origin(self.text, request) if request else None
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            if self.exchange.sent_bytes:
                size = f", a request of {max(1, self.exchange.sent_bytes // 1000):,} kB"
            advice = "Send less: a shorter message, fewer or smaller files"
        message = f"{self.client.label} refused ({status}{size}): {self.text}"
        return RequestRejected(message, advice=advice, status=status, tries=tries)


def _origin(text: str, request: Request) -> str | None:
    """Which setting sent the parameter that the text complains of."""
    for found in _PARAMETER.finditer(text):
        name = (found[1] or found[2]).partition(".")[0]
        if name in request.params:
            return f"The parameter {name} is one of the settings' or the provider's params"
        setting = _SETTINGS.get(name)
        if setting is not None and getattr(request, setting) is not None:
            return f"The setting {setting} sent it"
    return None


def _when(wait: float | None) -> str | None:
    if wait is None:
        return None
    if wait > _LONG:
        return f"Try again at {wording.clock_time(wait)}, or use another model"
    return f"Try again in {wait:.0f} s" if wait >= 1 else "Try again"


def _until(wait: float | None, before: str = "") -> str:
    """Until when it lasts, if that is long."""
    return f", {before}until {wording.clock_time(wait)}" if wait and wait > _LONG else ""
