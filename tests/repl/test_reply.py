"""The view of one reply: how often it is drawn, and what its parts look like."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from itertools import pairwise

from cloudllm.events import ReasoningDelta, TextDelta
from cloudllm.messages import Message, Role
from cloudllm.repl.recall import recall
from cloudllm.repl.render.frame import Row
from cloudllm.repl.reply import ReplyView
from cloudllm.repl.theme import theme


@dataclass
class Sheet:
    """A canvas that remembers; each `paint` takes `seconds`."""

    seconds: float = 0.0
    columns: int = 40
    live_rows: int = 10
    committed: list[str] = field(default_factory=list)
    live: list[Row] = field(default_factory=list)
    painted: list[float] = field(default_factory=list)
    drawn: asyncio.Event = field(default_factory=asyncio.Event)

    def paint(self, commit: list[str], live: list[Row]) -> None:
        self.painted.append(time.monotonic())
        time.sleep(self.seconds)
        self.committed += commit
        self.live = live
        self.drawn.set()

    def shown(self) -> list[str]:
        return ["".join(text for _, text in row) for row in self.live]


def view(sheet: Sheet, *, markdown: bool = True) -> ReplyView:
    return ReplyView(sheet, theme("none"), markdown=markdown)


async def test_the_first_piece_is_shown_at_once_and_the_end_too() -> None:
    sheet = Sheet()
    reply = view(sheet)
    reply.feed(TextDelta("Hel"))
    assert (sheet.committed, sheet.shown()) == (["\x1b[1mAssistant:\x1b[0m"], ["Hel"])
    reply.feed(TextDelta("lo"))
    assert sheet.shown() == ["Hel"]
    reply.end()
    assert (sheet.committed[1:], sheet.live) == (["Hello"], [])


async def test_a_reply_that_comes_all_at_once_is_drawn_a_few_times() -> None:
    sheet = Sheet()
    reply = view(sheet)
    begin = time.monotonic()
    for number in range(1_000):
        reply.feed(TextDelta("word" if number % 20 else "\n\n- a"))
        if number % 10 == 0:
            await asyncio.sleep(0)
    reply.end()
    assert len(sheet.painted) <= 3 + (time.monotonic() - begin) / 0.05


async def _pauses(reply: ReplyView, sheet: Sheet) -> list[float]:
    """Seconds between the first frames of a reply that comes fast."""
    while len(sheet.painted) < 4:
        reply.feed(TextDelta("word "))
        await asyncio.sleep(0.005)
    reply.end()
    return [after - before for before, after in pairwise(sheet.painted[:4])]


async def test_it_is_drawn_at_most_twenty_times_a_second() -> None:
    sheet = Sheet()
    assert min(await _pauses(view(sheet), sheet)) >= 0.049


async def test_a_slow_frame_is_followed_by_a_longer_pause() -> None:
    sheet = Sheet(seconds=0.01)
    assert min(await _pauses(view(sheet), sheet)) >= 0.1


async def test_reasoning_is_apart_dim_and_as_it_is() -> None:
    sheet = Sheet()
    reply = view(sheet)
    reply.feed(ReasoningDelta("*so*\nthen"))
    reply.feed(TextDelta("*so*"))
    reply.end()
    assert sheet.committed == [
        "\x1b[2mThinking:\x1b[0m",
        "\x1b[2m*so*\x1b[0m",
        "\x1b[2mthen\x1b[0m",
        "\x1b[1mAssistant:\x1b[0m",
        "\x1b[3mso\x1b[0m",
    ]


async def test_without_markdown_the_answer_is_as_it_is() -> None:
    sheet = Sheet()
    reply = view(sheet, markdown=False)
    reply.feed(TextDelta("- *so*\n# x"))
    reply.end()
    assert sheet.committed[1:] == ["- *so*", "# x"]


async def test_a_resize_in_mid_stream_lays_out_what_is_live() -> None:
    sheet = Sheet()
    reply = view(sheet)
    reply.feed(TextDelta("one two three four"))
    sheet.columns = 10
    reply.feed(TextDelta(" five"))
    sheet.drawn.clear()
    await sheet.drawn.wait()
    assert sheet.shown() == ["one two", "three four", "five"]
    reply.end()
    assert sheet.committed[1:] == ["one two", "three four", "five"]


async def test_emoji_of_many_parts_are_whole_in_the_scrollback_and_steady_while_live() -> None:
    family, heart, accent = "👩‍👩‍👧‍👦", "❤️", "e\u0301"
    sheet = Sheet()
    reply = view(sheet)
    reply.feed(TextDelta(f"{family}{heart}{accent} x"))
    assert sheet.shown() == [f"👩❤ {accent} x"]
    reply.end()
    assert sheet.committed[1:] == [f"{family}{heart}{accent} x"]


async def test_of_a_long_reply_the_ends_are_recalled_and_code_stays_code() -> None:
    sheet = Sheet(columns=60)
    code = "\n".join(f"line {number}  # not a heading" for number in range(40))
    text = f"So:\n\n```python\n{code}\n```\n\nAnd *then* it is over."
    recall(sheet, theme("none"), [Message(Role.ASSISTANT, text)], markdown=True)
    rows = [re.sub("\x1b[^m]*m", "", row) for row in sheet.committed]
    assert rows.count("Assistant:") == 1
    left_out = next(row for row in rows if row.startswith("… "))
    below = rows[rows.index(left_out) + 1 :]
    assert below[0] == "```python"
    assert below[1].endswith("# not a heading")
    assert below[-2:] == ["And then it is over.", ""]
    assert len([row for row in rows if row.endswith("a heading")]) + int(left_out.split()[1]) == 40
