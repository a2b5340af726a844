"""Imports litellm once, in the background, switched to be quiet and offline, and warms it up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from cloudllm.errors import ConfigurationError
from cloudllm.gateway import backends, catalogue, network, shortcut, unparsed
from cloudllm.gateway.body import reading_along

_SWITCH_INTERVAL = 0.001
_FALSE = {"false", "0", "no", "off"}
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the import fetches a price list
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # likewise
    "LITELLM_MODE": "PRODUCTION",  # else the import reads the .env of some folder above
    "REPEATED_STREAMING_CHUNK_LIMIT": "1000000000",  # else a long table of dashes is an error
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


@dataclass(frozen=True, slots=True)
class Engine:
    """litellm, ready to be called, and the transport that all its requests take."""

    litellm: Any
    transport: network.LoopTransport


_lock = threading.Lock()
_engine: Future[Engine] | None = None


def start() -> Future[Engine]:
    """Start the loading unless that was done before; never blocks."""
    global _engine  # noqa: PLW0603 - litellm's own state is one per process, so is this
    with _lock:
        if _engine is None:
            _engine = Future()
            _engine.set_running_or_notify_cancel()  # so a cancelled waiter does not cancel it
            threading.Thread(target=_run, args=(_engine,), name="preload", daemon=True).start()
    return _engine


def loaded() -> bool:
    """Whether `engine()` would return at once, and with success."""
    return _engine is not None and _engine.done() and _engine.exception() is None


def connecting() -> bool:
    """Whether a request waits for its connection."""
    return _engine is not None and loaded() and _engine.result().transport.is_connecting


async def engine() -> Engine:
    """Wait for litellm; raises `ConfigurationError` in one line if it cannot be imported."""
    future = start()
    return future.result() if future.done() else await asyncio.wrap_future(future)


def _run(future: Future[Engine]) -> None:
    try:
        future.set_result(_load())
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever an import can raise
        reason = " ".join(f"{type(exc).__name__}: {exc}".split())[:300]
        advice = "Reinstall it, for example with: pip install --force-reinstall cloudllm"
        future.set_exception(
            ConfigurationError(f"litellm cannot be loaded ({reason})", advice=advice)
        )


def _load() -> Engine:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ.get("SSL_VERIFY", "").lower() in _FALSE:
        del os.environ["SSL_VERIFY"]
    os.environ.pop("USE_LITELLM_PROXY", None)  # it would send every call, and key, elsewhere
    _spare_loopback()
    with _undisturbed():
        catalogue.read()  # every call asks it
        unparsed.spare_encoding()
        with unparsed.tokenizer():
            litellm: Any = import_module("litellm")
        unparsed.spare_estimate()
        http: Any = import_module("litellm.llms.custom_httpx.http_handler")
        _silence(litellm)
        transport = network.LoopTransport(reading_along(http.httpx.AsyncByteStream))
        _take_over(litellm, http, transport)
        backends.register(litellm)
        shortcut.take()
        with contextlib.suppress(Exception):  # a cold start is slow, not wrong
            asyncio.run(_warm_up(litellm, http, transport))
        context = http.get_ssl_configuration()
        transport.make_pool = network.pool_factory(http.AsyncHTTPHandler, context)
    return Engine(litellm, transport)


def _take_over(litellm: Any, http: Any, transport: network.LoopTransport) -> None:  # noqa: ANN401 - the modules
    """Leave litellm no way out but our transport, whichever client a route makes or brings.

    The routes of the OpenAI SDK use `aclient_session`, all others make an `AsyncHTTPHandler`. What
    asks on the quiet uses `HTTPHandler`, a synchronous one: limits of a model on a local server, for
    one. Nothing that we need does.
    """
    httpx = http.httpx
    headers = {"user-agent": f"cloudllm/{version('cloudllm')}"}

    def make_client(*_: object, **__: object) -> Any:  # noqa: ANN401 - httpx's
        return httpx.AsyncClient(transport=transport, headers=headers, trust_env=False)

    def make_refusing_client(*_: object, **__: object) -> Any:  # noqa: ANN401 - httpx's
        return httpx.Client(transport=httpx.MockTransport(_refuse), trust_env=False)

    http.AsyncHTTPHandler.create_client = make_client
    http.HTTPHandler.create_client = make_refusing_client
    litellm.aclient_session = make_client()
    # What it would call through an SDK, by a road of its own: models of a family it does not know.
    litellm.main.vertex_ai_non_gemini.completion = _no_road


def _refuse(request: Any) -> Any:  # noqa: ANN401 - httpx's
    raise ConnectionError(f"{request.url.host} was not asked: no call is waiting for it")


def _no_road(*_: object, **__: object) -> None:
    raise ModuleNotFoundError("no module named vertexai is used", name="vertexai")


def _spare_loopback() -> None:
    """No proxy reaches a server on this machine, such as the local model."""
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if spared.strip() != "*":
        spared = ",".join(filter(None, (spared, *_LOOPBACK)))
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = spared


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the collector and the scheduler from freezing the thread that echoes the keys."""
    interval = sys.getswitchinterval()
    collecting = gc.isenabled()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # else the first collection walks all of it at once
        if collecting:
            gc.enable()
        sys.setswitchinterval(interval)


def _silence(litellm: Any) -> None:  # noqa: ANN401 - the module
    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    warnings.filterwarnings("ignore", module="litellm")
    warnings.filterwarnings("ignore", "Pydantic serializer warnings")  # of litellm's own objects
    # It looks for AWS's credentials in a thread, and forgets the call when nobody waits any more.
    warnings.filterwarnings("ignore", r"coroutine 'Bedrock\w+\.\w+' was never awaited")
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL)


_OPENAI_REPLY = (
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"warm","choices":'
    '[{"index":0,"delta":{"content":"ok"},"finish_reason":null}]}\n\n'
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"warm","choices":'
    '[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":'
    '{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}\n\ndata: [DONE]\n\n'
)
_ANTHROPIC_REPLY = (
    'event: message_start\ndata: {"type":"message_start","message":{"id":"1","type":"message",'
    '"role":"assistant","model":"warm","content":[],"stop_reason":null,'
    '"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    '"delta":{"type":"text_delta","text":"ok"}}\n\n'
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    '"usage":{"output_tokens":1}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
)


async def _warm_up(litellm: Any, http: Any, transport: network.LoopTransport) -> None:  # noqa: ANN401 - the modules
    """Call two routes, and fail once, with answers from memory.

    litellm and the OpenAI SDK import hundreds of modules and build a tokenizer when they are first
    called, and more for the first error: half a second that the first question would wait for.
    """

    def answer(request: Any) -> Any:  # noqa: ANN401 - httpx's types
        body = _ANTHROPIC_REPLY if request.url.path.endswith("/messages") else _OPENAI_REPLY
        status = 401 if "fail" in request.url.host else 200
        headers = {"content-type": "text/event-stream"}
        return http.httpx.Response(status, headers=headers, text=body, request=request)

    transport.make_pool = lambda: http.httpx.MockTransport(answer)
    await _call(litellm, "openai", "ok")
    await _call(litellm, "anthropic", "ok")
    with contextlib.suppress(litellm.AuthenticationError):
        await _call(litellm, "openai", "fail")


async def _call(litellm: Any, route: str, host: str) -> None:  # noqa: ANN401 - the module
    stream = await litellm.acompletion(
        model=f"{route}/warm",
        messages=[{"role": "user", "content": "x"}],
        api_key="none",
        api_base=f"http://{host}.invalid/v1",
        max_retries=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for _ in stream.completion_stream:
        pass
