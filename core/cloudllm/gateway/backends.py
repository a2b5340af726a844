"""In-process backends: litellm's one custom handler, which finds the backend of each call by id."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cloudllm.events import ReasoningDelta, StreamEnded, StreamEvent, TextDelta, ToolCallDelta
from cloudllm.gateway import closing
from cloudllm.provider import Backend, Request
from cloudllm.words import kind_of

ROUTE = "cloudllm_backend"
CALL_ID = "cloudllm_call"


@dataclass(slots=True)
class BackendCall:
    """One call of one backend. What litellm would change on its way is handed over here."""

    backend: Backend
    request: Request
    ended: StreamEnded | None = None
    error: BaseException | None = None
    closed: bool = False


_calls: dict[str, BackendCall] = {}
_ids = itertools.count()


def open_call(backend: Backend, request: Request) -> tuple[str, BackendCall]:
    """Make the call known; returns its id, to be passed through litellm."""
    call_id = f"call-{next(_ids)}"
    _calls[call_id] = BackendCall(backend, request)
    return call_id, _calls[call_id]


def close_call(call_id: str) -> None:
    """Forget the call."""
    _calls.pop(call_id, None)


def register(litellm: Any) -> None:  # noqa: ANN401 - the module
    """Append the handler to litellm's map; whatever else is in there stays."""
    custom_llm: Any = import_module("litellm.llms.custom_llm")

    class Handler(custom_llm.CustomLLM):  # type: ignore[misc] # the module is untyped here
        """Streams from the backend of the call."""

        async def astreaming(
            self,
            *,
            optional_params: dict[str, Any],
            **_: Any,  # noqa: ANN401 - litellm passes seventeen arguments
        ) -> AsyncGenerator[Any, None]:
            call = _calls[optional_params[CALL_ID]]
            try:
                async with aclosing(_watched(call)) as events:
                    async for event in events:
                        yield event
            except (Exception, SystemExit) as exc:
                call.error = call.error or exc
                raise

    litellm.custom_provider_map.append({"provider": ROUTE, "custom_handler": Handler()})


async def _watched(call: BackendCall) -> AsyncGenerator[StreamEvent, None]:
    """The backend's events, up to and with the last.

    It runs in a task of its own: one that ignores a cancellation, or takes long to clean up, is
    left behind.
    """
    pieces: asyncio.Queue[StreamEvent | None] = asyncio.Queue(1)
    task = asyncio.get_running_loop().create_task(_run(call, pieces))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        if call.error is not None:
            raise call.error
    finally:
        call.closed = True
        task.cancel()
        await closing.settle(task)


async def _run(call: BackendCall, pieces: asyncio.Queue[StreamEvent | None]) -> None:
    """Hand over the deltas, then `None`; what it raises, and its last event, are left in the call.

    Its generator is closed whatever happens.
    """
    try:
        events = call.backend.stream(call.request)
        if not isinstance(events, AsyncIterator):
            raise TypeError(f"its stream is a {kind_of(events)}, which is no async generator")
        try:
            async for event in events:
                match event:
                    case StreamEnded():
                        call.ended = event
                        break
                    case TextDelta() | ReasoningDelta() | ToolCallDelta():
                        if call.closed:  # and it ignored that
                            return
                        await pieces.put(event)
                    case _:
                        kind = type(event).__name__
                        raise TypeError(f"a backend yielded {kind}, which is no event")
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - raised by who reads
        call.error = exc
    except asyncio.CancelledError:
        if call.closed:
            raise
        call.error = RuntimeError("it cancelled itself")
    await pieces.put(None)
