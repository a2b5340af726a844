"""Runs a blocking call beside the event loop, in a thread that never delays the exit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")


def _in_new_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="cloudllm-call", daemon=True).start()


async def in_thread(
    call: Callable[[], Result], start: Callable[[Callable[[], None]], None] = _in_new_thread
) -> Result:
    """Await `call()`, run in a daemon thread: a new one, or where `start` has it run.

    It is handed over before anything is awaited, and runs to its end even if nobody waits for it.
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

    start(run)
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
