"""Whether a backend lets others work while it waits: tried in a thread of its own, which is watched."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from cloudllm.provider import Client
from cloudllm.testing.conformance.bench import Bench
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.watch import inside, place
from cloudllm.testing.script import Reply, Script

_PERIOD = 0.005  # seconds between two looks
_STARVED = 0.05  # seconds after which a look is too late to tell anything
_TOO_LONG = 0.2  # seconds inside the provider's code, of a turn that waits longer for its server
_HOPELESS = 3.0  # seconds after which it is left alone

_SCRIPTS: tuple[Script, ...] = (
    Reply(text=["one ", "two ", "three"], first_delay=0.3, delay=0.05),
    Reply.error(429, headers={"retry-after": "1"}),
    Reply.error(500),
)


@check("does-not-block", "while it waits, the event loop goes on: nothing waits without await")
async def does_not_block(bench: Bench) -> None:
    """Else the whole program freezes: no key echoes, no Ctrl-C, no deadline."""
    bench.made()
    client = await bench.client()
    if client.backend is None:
        raise NotApplicable("the gateway does the waiting")
    if inspect.iscoroutinefunction(client.backend.stream):
        raise NotApplicable("see stream-events")
    naps = len(bench.watch.naps)
    for script in _SCRIPTS:
        held, where = await asyncio.to_thread(_watched, bench, client, script)
        if len(bench.watch.naps) > naps:
            raise Failed(f"time.sleep at {bench.watch.naps[naps]} blocks; use asyncio.sleep")
        if held > _TOO_LONG:
            raise Failed(
                f"it held the event loop for {held:.1f} s at {where}; wait with await, or in"
                " asyncio.to_thread"
            )


def _watched(bench: Bench, client: Client, script: Script) -> tuple[float, str]:
    """Run a turn in a thread; how long it was inside the provider's code, and where last."""

    def work() -> None:
        asyncio.run(_turn(bench, client, script))

    thread = threading.Thread(target=work, name="kit-turn", daemon=True)
    thread.start()
    held, where = 0.0, ""
    stuck = 0.0
    queued = _queued(thread)
    while thread.is_alive() and stuck < _HOPELESS:
        looked = time.perf_counter()
        thread.join(_PERIOD)
        frame = _frame_of(thread, bench)
        before, queued = queued, _queued(thread)
        passed = max(0.0, time.perf_counter() - looked - (queued - before))
        if frame is None:
            stuck = 0.0
        elif passed < _STARVED or stuck:
            held, stuck, where = held + passed, stuck + passed, place(frame)
    return held, where


def _queued(thread: threading.Thread) -> float:
    """Seconds that the thread could have run, had a processor been free; 0 where nobody tells."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        counts = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
        return int(counts.split()[1]) / 1e9
    return 0.0


async def _turn(bench: Bench, client: Client, script: Script) -> None:
    await bench.turn(script, client=client)


def _frame_of(thread: threading.Thread, bench: Bench) -> FrameType | None:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented
    return inside(frame, bench.packages)


CHECKS = (does_not_block,)
