"""Ends what may take its time to end: it is waited for a little, then goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_GRACE = 0.1  # seconds; a person who cancels waits for 0.2 at most

_left: set[asyncio.Task[Any]] = set()  # else a task that nobody holds may vanish


async def close(closing: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, in the background if that is not soon; what it raises is of no use."""
    await settle(asyncio.get_running_loop().create_task(closing))


async def settle(task: asyncio.Task[Any]) -> None:
    """Wait for a task that should end at once."""
    _left.add(task)
    task.add_done_callback(_forget)
    await asyncio.wait({task}, timeout=_GRACE)


def _forget(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()  # now it counts as seen
