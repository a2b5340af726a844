"""What hooks cost the streaming path: nothing while nobody listens, and no delay when one hangs."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from statistics import median

import pytest

from cloudllm import (
    Client,
    Deadlines,
    LLMSession,
    ModelInfo,
    PluginHooks,
    Plugins,
    Request,
    StreamEnded,
    StreamEvent,
    TextDelta,
)
from tests.chatplugins import write_plugin

CHUNKS = 500
BLOCKS, ROUNDS = 61, 8
REPLIES_HEARD = 20
ACME = Client(provider="acme", label="Acme AI", model="one")

HANGS = "@hookimpl\ndef cloudllm_event(event):\n    threading.Event().wait()\n"
SLOW = "@hookimpl\ndef cloudllm_event(event):\n    time.sleep(0.02)\n"
QUICK = "@hookimpl\ndef cloudllm_event(event):\n    pass\n"
REPLIES = "@hookimpl\ndef cloudllm_reply(reply):\n    pass\n"


class Chunks:
    """A gateway that costs next to nothing, so that whatever the session adds shows."""

    def __init__(self, pause: float | None = None) -> None:
        self._pause = pause

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        delta = TextDelta("word ")
        for _ in range(CHUNKS):
            if self._pause is not None:
                await asyncio.sleep(self._pause)
            yield delta
        yield StreamEnded("stop")

    async def model_info(self, client: Client) -> ModelInfo:
        return ModelInfo(name=client.model)


@pytest.fixture
def hooks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], PluginHooks]:
    """Hooks of one plugin, made of this source."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def hooks(source: str) -> PluginHooks:
        write_plugin(tmp_path / "site", "bench", source)
        return PluginHooks(Plugins(deny=["guard", "speed"]))

    return hooks


async def _stream(hooks: PluginHooks | None) -> float:
    """Seconds from the first chunk of a reply to its last."""
    session = LLMSession(ACME, gateway=Chunks(), hooks=hooks)
    events = session.stream_message("user", "Hi")
    await anext(events)
    began = time.perf_counter()
    for _ in range(CHUNKS):
        await anext(events)
    seconds = time.perf_counter() - began
    await events.aclose()
    return seconds


async def _quickest(hooks: PluginHooks) -> tuple[float, float]:
    """The quickest of a few replies without hooks, and of as many with them, in turns.

    What else runs on the machine can only add to a time, and what changes slowly meets both.
    """
    without: list[float] = []
    idle: list[float] = []
    for number in range(ROUNDS):
        order = [(without, None), (idle, hooks)]
        for seconds, given in order if number % 2 else reversed(order):
            seconds.append(await _stream(given))
    return min(without), min(idle)


async def test_hooks_cost_nothing_measurable_while_nobody_listens(
    hooks_of: Callable[[str], PluginHooks],
) -> None:
    hooks = hooks_of(REPLIES)
    blocks: list[tuple[float, float]] = []
    gc.disable()
    try:
        for _ in range(BLOCKS):
            blocks.append(await _quickest(hooks))
            gc.collect()
    finally:
        gc.enable()
    assert not hooks.listening
    without, idle = (median(column) for column in zip(*blocks, strict=True))
    ratio = median(idle / without for without, idle in blocks)
    print(
        f"\nper chunk: no hooks {without / CHUNKS * 1e6:.2f} us, nobody listening"
        f" {idle / CHUNKS * 1e6:.2f} us, ratio {ratio:.3f} (at most 1.02)"
    )
    assert ratio <= 1.02


@pytest.mark.parametrize("source", [HANGS, SLOW, QUICK], ids=["hangs", "slow", "quick"])
async def test_a_listener_never_delays_the_loop(
    source: str, hooks_of: Callable[[str], PluginHooks]
) -> None:
    hooks = hooks_of(source)
    worst = 0.0

    async def beat() -> None:
        nonlocal worst
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - before - 0.001)

    session = LLMSession(ACME, gateway=Chunks(pause=0.0), hooks=hooks)
    await session.send_message("user", "loads the plugin")
    heart = asyncio.ensure_future(beat())
    began = time.perf_counter()
    for _ in range(REPLIES_HEARD):
        await session.send_message("user", "Hi")
    seconds = time.perf_counter() - began
    heart.cancel()
    print(
        f"\n{REPLIES_HEARD} x {CHUNKS} chunks in {seconds:.2f} s, the loop late by {worst * 1e3:.1f} ms at most"
    )
    assert worst <= 0.050
    assert seconds / (REPLIES_HEARD * CHUNKS) <= 0.000_2
