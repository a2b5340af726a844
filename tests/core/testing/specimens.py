"""Providers that are right: by declaration, with a backend that speaks HTTP, and in process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from pydantic import SecretStr

from cloudllm import (
    AuthenticationError,
    Client,
    CloudLLMError,
    ContextTooLong,
    InvalidResponse,
    ModelInfo,
    ModelNotFound,
    NetworkError,
    Provider,
    ProviderSettings,
    RateLimited,
    ReasoningDelta,
    Request,
    RequestRejected,
    Role,
    ServerError,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Usage,
)

DECLARATION: dict[str, Any] = {
    "name": "acme",
    "label": "Acme AI",
    "api_base": "https://api.acme.example/v1",
    "key_env": ("ACME_API_KEY",),
    "base_env": ("ACME_BASE_URL",),
    "key_url": "https://acme.example/keys",
    "default_model": "acme-1",
    "models": (ModelInfo(name="acme-1", context_limit=8000),),
    "model_list": "models",
}
ACME = Provider(litellm_route="openai", **DECLARATION)


@dataclass
class HttpBackend:
    """OpenAI's format over aiohttp, as a plugin with an SDK of its own might do it."""

    base: str
    model: str
    key: SecretStr | None

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        try:
            async with aiohttp.ClientSession() as session:
                async for event in self.answer(session, request):
                    yield event
        except aiohttp.ClientConnectionError as error:
            raise NetworkError(f"{self.base} does not answer") from error
        except aiohttp.ClientPayloadError as error:
            raise NetworkError("the connection broke off") from error

    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        async with session.post(
            self.url, json=self.body(request), headers=self.headers(), allow_redirects=False
        ) as response:
            await self.check(response)
            ended: str | None = None
            usage: Usage | None = None
            async for chunk in self.chunks(response):
                for choice in chunk.get("choices", ()):
                    for event in self.deltas(choice["delta"]):
                        yield event
                    ended = choice.get("finish_reason") or ended
                usage = self.usage(chunk) or usage
            for event in self.end(ended, usage):
                yield event

    @property
    def url(self) -> str:
        return f"{self.base}/chat/completions"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key.get_secret_value()}"} if self.key else {}

    def body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            **request.params,
            "model": self.model,
            "messages": [
                {"role": str(message.role), "content": message.content}
                for message in request.messages
            ],
            "stream": True,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.max_output_tokens is not None:
            body["max_tokens"] = request.max_output_tokens
        return body

    async def check(self, response: aiohttp.ClientResponse) -> None:
        if response.status == 200:
            if response.content_type == "text/html":
                raise InvalidResponse("a web page came")
            return
        text = (await response.text()).replace(self.secret, "***")
        raise self.error(response.status, text, response.headers.get("retry-after"))

    @property
    def secret(self) -> str:
        return self.key.get_secret_value() if self.key else "no key"

    def error(self, status: int, text: str, wait: str | None) -> CloudLLMError:
        text = " ".join(text.split())[:200]
        if status in (401, 403):
            return AuthenticationError(text)
        if status == 404:
            return ModelNotFound(text, status=status)
        if status == 429:
            return RateLimited(text, retry_after=float(wait) if wait else None)
        if "context_length" in text:
            return ContextTooLong(text)
        if 300 <= status < 400:
            return InvalidResponse("a redirect came")
        kind = ServerError if status >= 500 else RequestRejected
        return kind(text, status=status)

    async def chunks(self, response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
        async for line in self.lines(response):
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                yield self.parsed(line.removeprefix(b"data: "))

    async def lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        buffer = b""
        async for data in response.content.iter_any():
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                yield line.removesuffix(b"\r")

    def parsed(self, data: bytes) -> Any:
        try:
            chunk = json.loads(data)
        except ValueError as error:
            raise InvalidResponse("something came that is no answer") from error
        if "error" in chunk:
            raise ServerError(str(chunk["error"].get("message")))
        return chunk

    def deltas(self, delta: dict[str, str]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        if delta.get("reasoning_content"):
            events.append(ReasoningDelta(delta["reasoning_content"]))
        if delta.get("content"):
            events.append(TextDelta(delta["content"]))
        return events

    def usage(self, chunk: dict[str, Any]) -> Usage | None:
        report = chunk.get("usage")
        if not report:
            return None
        return Usage(
            input_tokens=report["prompt_tokens"],
            output_tokens=report["completion_tokens"],
            cached_tokens=(report.get("prompt_tokens_details") or {}).get("cached_tokens"),
            reasoning_tokens=(report.get("completion_tokens_details") or {}).get(
                "reasoning_tokens"
            ),
        )

    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        return [StreamEnded(reason, usage)]


@dataclass(frozen=True, kw_only=True)
class BackendProvider(Provider):
    """Makes clients with a backend of the class it is given."""

    kind: type[Any] = HttpBackend

    def client(self, model: str, settings: ProviderSettings) -> Client:
        base = settings.api_base or self.api_base or ""
        backend = self.kind(base, model, settings.api_key)
        return replace(super().client(model, settings), backend=backend)


def with_backend(kind: type[Any]) -> Provider:
    """Acme AI, by a backend of that class."""
    return BackendProvider(kind=kind, **DECLARATION)


class Parrot:
    """A backend that answers in this process, a word at a time."""

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        words = self.words(request)
        said = words[: request.max_output_tokens]
        for word in said:
            await asyncio.sleep(0)
            yield TextDelta(word + " ")
        reason = "stop" if said == words else "length"
        yield StreamEnded(reason, Usage(input_tokens=3, output_tokens=len(said)))

    def words(self, request: Request) -> list[str]:
        said = [message for message in request.messages if message.role is Role.USER]
        return ["You", "said:", *said[-1].content.split()]


@dataclass(frozen=True, kw_only=True)
class ParrotProvider(Provider):
    """Makes clients with such a backend."""

    kind: type[Any] = Parrot

    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), backend=self.kind())


def in_process(kind: type[Any]) -> Provider:
    """A parrot, of that class."""
    return ParrotProvider(name="parrot", label="Parrot", default_model="grey", kind=kind)
