"""As a program on a terminal: what a reply costs to show, as Markdown and plainly.

Prints CPU milliseconds for each kilobyte, as JSON. Pieces of four characters come a thousand times
a second, faster than any model writes, by a clock that takes no time. `printed` is each piece at
once, through the same filter; `plain` is the chat without Markdown.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from statistics import median

from prompt_toolkit.completion import DummyCompleter
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings

from cloudllm.early import EarlyTerminal
from cloudllm.events import TextDelta
from cloudllm.repl.app import ChatApp
from cloudllm.repl.render.sanitize import Sanitizer
from cloudllm.repl.reply import ReplyView
from cloudllm.repl.theme import theme
from tests.benchmarks.replies import chunks, markdown

SHORT, LONG = 20, 400  # kilobytes
_ROUNDS = 5  # before the long one, and as many after it
_PACE = 0.001
"""Seconds from one piece to the next."""


class PacedLoop(asyncio.SelectorEventLoop):
    """A loop whose clock goes on when it is told to."""

    now = 0.0

    def time(self) -> float:
        """The seconds that are said to have passed."""
        return self.now


async def _pieces(text: str, show: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PacedLoop)
    for piece in chunks(text):
        show(piece)
        loop.now += _PACE
        await asyncio.sleep(0)


async def _printed(app: ChatApp, text: str) -> None:
    """What printing each piece at once would cost, through the same filter."""
    sanitizer, output = Sanitizer(), app.application.output

    def show(piece: str) -> None:
        output.write_raw(sanitizer.feed(piece).replace("\n", "\r\n"))
        output.flush()

    await _pieces(text, show)


async def _viewed(app: ChatApp, text: str, *, markdown: bool) -> None:
    view = ReplyView(app, theme(), markdown=markdown)
    await _pieces(text, lambda piece: view.feed(TextDelta(piece)))
    view.end()


async def _milliseconds(kilobytes: int, show: Callable[[str], Awaitable[None]]) -> float:
    text = markdown(1000 * kilobytes)
    start = time.process_time()
    await show(text)
    return (time.process_time() - start) * 1e3 / kilobytes


async def _measure(app: ChatApp) -> dict[str, float]:
    ways: dict[str, Callable[[str], Awaitable[None]]] = {
        "printed": lambda text: _printed(app, text),
        "plain": lambda text: _viewed(app, text, markdown=False),
        "markdown": lambda text: _viewed(app, text, markdown=True),
    }

    async def rounds() -> None:
        for _ in range(_ROUNDS):
            for way, show in ways.items():
                taken[way].append(await _milliseconds(SHORT, show))

    await ways["markdown"](markdown(1000 * SHORT))
    taken: dict[str, list[float]] = {way: [] for way in ways}
    await rounds()
    long = await _milliseconds(LONG, ways["markdown"])
    await rounds()
    return {**{way: median(found) for way, found in taken.items()}, "long": long}


def main() -> None:
    """Hold a screen for as long as it takes."""
    app = ChatApp(
        keys=KeyBindings(),
        history=InMemoryHistory(),
        completer=DummyCompleter(),
        hint=lambda _draft: "",
        status=lambda _columns: "",
        queued=lambda _columns: (),
        editing_mode="emacs",
        terminal=EarlyTerminal.painted(),
    )
    found: dict[str, float] = {}

    async def measure() -> None:
        found.update(await _measure(app))
        app.exit()

    async def hold() -> None:
        work: list[asyncio.Task[None]] = []
        await app.run(lambda: work.append(asyncio.ensure_future(measure())))
        await work[0]

    PacedLoop().run_until_complete(hold())
    print(f"\n{json.dumps(found)}")


if __name__ == "__main__":
    main()
