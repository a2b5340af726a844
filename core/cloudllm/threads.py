"""Runs a blocking call beside the event loop, in a thread that never delays the exit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result]) -> Result:
    """Await `call()`, run in a daemon thread.

    `asyncio.to_thread` will not do: at the end its executor waits for every thread, and a plugin
    or a server that hangs would then hold the program back.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            # SystemExit would end the loop that awaits it, StopIteration cannot be awaited.
            fit = isinstance(error, Exception) and not isinstance(error, StopIteration)
            reported = error if fit else RuntimeError(repr(error))
            _report(loop, future, partial(future.set_exception, reported))
        else:
            _report(loop, future, partial(future.set_result, result))

    threading.Thread(target=run, name="cloudllm-call", daemon=True).start()
    return await future


def _report(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Result], settle: Callable[[], None]
) -> None:
    def if_awaited() -> None:
        if not future.done():
            settle()

    try:
        loop.call_soon_threadsafe(if_awaited)
    except RuntimeError:  # the loop has closed: nobody waits any more
        return
