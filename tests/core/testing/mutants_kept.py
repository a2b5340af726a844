"""Providers that are wrong in what they keep: of addresses, of calls, for themselves, on disk."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp

from cloudllm import (
    Client,
    CloudLLMError,
    ContextTooLong,
    Fetch,
    ModelInfo,
    ModelNotFound,
    Provider,
    ProviderSettings,
    Request,
    StreamEnded,
    StreamEvent,
    TextDelta,
    Usage,
)
from tests.core.testing.mutants import MUTANTS, backend, client
from tests.core.testing.specimens import DECLARATION, BackendProvider, HttpBackend


def provider(*items: str) -> Callable[[type[Provider]], type[Provider]]:
    """Acme AI by a backend that its `client()` makes in a way of its own."""

    def add(kind: type[Provider]) -> type[Provider]:
        MUTANTS[kind.__name__] = lambda: (kind(**DECLARATION), set(items))
        return kind

    return add


@client("honours-api-base")
class DoubleVersion(Provider):
    def client(self, model: str, settings: ProviderSettings) -> Client:
        made = super().client(model, settings)
        return replace(made, api_base=f"{made.api_base}/v1")


@backend("honours-api-base")
class DoubleVersionInBackend(HttpBackend):
    @property
    def url(self) -> str:
        return f"{self.base}/v1/chat/completions"


@backend("honours-api-base")
class OwnPath(HttpBackend):
    """Takes the host of a gateway, and not where it stands there."""

    @property
    def url(self) -> str:
        return f"http://{urlsplit(self.base).netloc}/v1/chat/completions"


@provider("honours-key")
class KeepsTheFirstKey(BackendProvider):
    first: ClassVar[dict[str, Any]] = {}

    def client(self, model: str, settings: ProviderSettings) -> Client:
        made: Any = super().client(model, settings)
        made.backend.key = self.first.setdefault(settings.api_base or "", made.backend.key)
        return made  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class OneBackend(BackendProvider):
    """Changes the backend that earlier clients have."""

    shared: ClassVar[dict[str, Any]] = {}

    def client(self, model: str, settings: ProviderSettings) -> Client:
        made: Any = super().client(model, settings)
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        kept = self.shared.setdefault(f"{settings.api_base} {key}", made.backend)
        kept.model = model
        made.backend.__dict__ = kept.__dict__
        return made  # type: ignore[no-any-return]


provider("honours-model")(OneBackend)


@client("client-made")
class KnowsAnother(Provider):
    """Says of each model what it knows of the first."""

    def client(self, model: str, settings: ProviderSettings) -> Client:
        return replace(super().client(model, settings), info=self.models[0])


@client("live-list")
class ListGrows(Provider):
    found: ClassVar[list[ModelInfo]] = []

    def list_models(self, settings: ProviderSettings, fetch: Fetch) -> list[ModelInfo]:
        known = {info.name for info in self.found}
        listed = super().list_models(settings, fetch)
        self.found.extend(info for info in listed if info.name not in known)
        return list(self.found)


@backend("parameters")
class KeepsParameters(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        body = super().body(request)
        kept: dict[str, Any] = self.__dict__.setdefault("kept", {})
        kept |= {name: body[name] for name in ("temperature", "max_tokens") if name in body}
        return {**body, **kept}


@backend("parameters")
class RoundsTemperature(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        body = super().body(request)
        if "temperature" in body:
            body["temperature"] = round(body["temperature"], 1)
        return body


@backend("usage")
class KeepsUsage(HttpBackend):
    def end(self, reason: str | None, usage: Usage | None) -> list[StreamEvent]:
        self.last = usage or self.__dict__.get("last")
        return [StreamEnded(reason, self.last)]


@backend("no-traces")
class WritesTranscript(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        with (Path(tempfile.gettempdir()) / f"acme-{os.getpid()}.log").open("w") as log:
            log.write(ascii(request.messages[-1].content))
        return super().body(request)


@backend("no-traces")
class WritesKey(HttpBackend):
    def headers(self) -> dict[str, str]:
        (Path(tempfile.gettempdir()) / f"acme-{os.getpid()}.key").write_text(self.secret)
        return super().headers()


@backend("key-never-shown")
class LogsKey(HttpBackend):
    def headers(self) -> dict[str, str]:
        headers = super().headers()
        logging.getLogger("acme").debug("sending %s", headers)
        return headers


@backend("key-never-shown")
class KeyInBody(HttpBackend):
    def body(self, request: Request) -> dict[str, Any]:
        return {**super().body(request), "api_key": self.secret}


class Again(HttpBackend):
    """Makes the call once more, after some errors."""

    def wants(self, error: CloudLLMError) -> bool:
        raise NotImplementedError

    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        try:
            async for event in super().stream(request):
                yield event
        except CloudLLMError as error:
            if not self.wants(error):
                raise
            async for event in super().stream(request):
                yield event


@backend("retry-none")
class RetriesOverload(Again):
    def wants(self, error: CloudLLMError) -> bool:
        return getattr(error, "status", 0) == 503


@backend("retry-none")
class FallsBack(Again):
    def wants(self, error: CloudLLMError) -> bool:
        if missing := isinstance(error, ModelNotFound):
            self.model = "acme-0"
        return missing


@backend("retry-none")
class TrimsItself(Again):
    def wants(self, error: CloudLLMError) -> bool:
        return isinstance(error, ContextTooLong)


@backend("retry-none")
class ContinuesItself(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        ended: StreamEnded | None = None
        async for event in super().stream(request):
            if isinstance(event, StreamEnded) and event.finish_reason == "length":
                ended = event
            else:
                yield event
        if ended:
            async for event in super().stream(request):
                yield event


@backend("retry-none")
class AsksAgainWhenEmpty(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        events: list[StreamEvent] = []
        async for event in super().stream(request):
            events.append(event)
            if len(events) > 1 or not isinstance(event, StreamEnded) or not event.finish_reason:
                yield event
        if isinstance(events[0], StreamEnded) and events[0].finish_reason:
            async for event in super().stream(request):
                yield event


@backend("repeat")
class KeepsReplies(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        replies: dict[str, list[StreamEvent]] = self.__dict__.setdefault("replies", {})
        events: list[StreamEvent] = []
        if asked := replies.get(repr(request)):
            for event in asked:
                yield event
            return
        async for event in super().stream(request):
            events.append(event)
            if isinstance(event, StreamEnded):
                replies[repr(request)] = events
            yield event


@backend("no-leaks")
class ThreadWhenStopped(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        done = threading.Event()
        threading.Thread(target=done.wait, args=(9,), daemon=True).start()
        async for event in super().stream(request):
            if isinstance(event, StreamEnded):
                done.set()
            yield event


@backend("no-leaks")
class FileWhenStopped(HttpBackend):
    async def stream(self, request: Request) -> AsyncIterator[StreamEvent]:
        file = os.open(os.devnull, os.O_RDONLY)
        async for event in super().stream(request):
            if isinstance(event, StreamEnded):
                os.close(file)
            yield event


@backend("streaming")
class HoldsOneBack(HttpBackend):
    """To know of each piece whether it is the last."""

    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        held: StreamEvent | None = None
        try:
            async for event in super().answer(session, request):
                if held is not None:
                    yield held
                held = event
        except (CloudLLMError, aiohttp.ClientError):
            if held is not None:
                yield held
            raise
        if held is not None:
            yield held


@backend("cut-stream")
class ForgetsWhatCame(HttpBackend):
    """Passes on all but the last words of a reply that was cut."""

    async def answer(
        self, session: aiohttp.ClientSession, request: Request
    ) -> AsyncIterator[StreamEvent]:
        held: StreamEvent | None = None
        count = 0
        async for event in super().answer(session, request):
            count += 1
            whole = isinstance(event, StreamEnded) and event.finish_reason
            if held is not None and (whole or isinstance(event, TextDelta)):
                yield held
            held = None
            if count == 3 and isinstance(event, TextDelta):
                held = event
            else:
                yield event


@backend("error-503")
class ReadsErrorPages(HttpBackend):
    """Takes each error for JSON; a proxy's is a page."""

    def error(self, status: int, text: str, wait: str | None) -> CloudLLMError:
        if status == 503:
            text = json.loads(text)["error"]["message"]
        return super().error(status, text, wait)


class ChangesQuestions(HttpBackend):
    def changed(self, text: str) -> str:
        raise NotImplementedError

    def body(self, request: Request) -> dict[str, Any]:
        body = super().body(request)
        for message in body["messages"]:
            message["content"] = self.changed(message["content"])
        return body


@backend("whole-conversation")
class NormalisesQuestions(ChangesQuestions):
    def changed(self, text: str) -> str:
        return unicodedata.normalize("NFC", text)


@backend("whole-conversation")
class LineEndsOfQuestions(ChangesQuestions):
    def changed(self, text: str) -> str:
        return text.replace("\r\n", "\n")
