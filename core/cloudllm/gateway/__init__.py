"""The only road to a model, and the only package that imports litellm: request in, events out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal

from cloudllm.events import StreamEvent
from cloudllm.gateway import call, load, metadata
from cloudllm.provider import Client, Deadlines, ModelInfo, Request
from cloudllm.threads import in_thread

__all__ = ("close", "loaded", "model_info", "preload", "ready", "stage", "stream")


def preload() -> None:
    """Start to import and warm up litellm in a background thread; returns at once."""
    load.start()


async def ready() -> None:
    """Wait until litellm is loaded; raises `ConfigurationError` if it cannot be."""
    await load.engine()


def loaded() -> bool:
    """Whether a call would start without waiting for the import."""
    return load.loaded()


def stage() -> Literal["", "loading", "connecting"]:
    """What keeps a call from being sent: litellm loads, or a connection is being made; or nothing."""
    if not load.loaded():
        return "loading"
    return "connecting" if load.connecting() else ""


def stream(
    client: Client, request: Request, deadlines: Deadlines
) -> AsyncGenerator[StreamEvent, None]:
    """Send the request; yield deltas as they come, then one `StreamEnded`.

    Close the generator or cancel the task to stop: the connection is closed at once. Deadlines are
    in seconds and kept alive by visible tokens alone. Raises nothing but `CloudLLMError`s, after
    the first delta too: what was yielded until then is a partial reply.
    """
    return call.stream(client, request, deadlines)


async def model_info(client: Client) -> ModelInfo:
    """What the client says of its model, completed from the data that litellm ships with.

    litellm itself is not needed; the first call reads that data, off the loop.
    """
    return await in_thread(lambda: metadata.complete(client))


async def close() -> None:
    """Close the connections of the running event loop; a later call opens new ones."""
    if load.loaded():
        engine = await load.engine()
        await engine.transport.close()
