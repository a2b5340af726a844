"""Markdown on a real terminal: the scrollback, a resize, tall blocks, themes and their absence."""

from __future__ import annotations

import fcntl
import re
import signal
import struct
import termios
from typing import Any

import pytest

from cloudllm.testing import Reply
from tests.repl.markdown_corpus import committed

pytestmark = pytest.mark.slow

SEND = "\r\\end\r"
CODE = "\n".join(f"def f{number}(x): return {number}" for number in range(60))
TABLE = "\n".join(f"| row {number} | {'word ' * 20}|" for number in range(30))
REPLY = f"""# Heading

A *paragraph* with `code`, 中文 and 🙂 emoji that goes on for longer than one row of it.

1. first
   - nested
2. second

> quoted

```python
{CODE}
```

| name | text |
|---|---|
{TABLE}

The last one.
"""


def chunks(text: str, size: int = 12) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def without_looks(rows: list[str]) -> list[str]:
    return [re.sub(r"\x1b\[[\d;]*m", "", row) for row in rows]


def ask(terminal: Any, server: Any, text: str, delay: float = 0.0) -> list[str]:
    """What the scrollback has of the reply."""
    server.default = Reply(text=chunks(text), delay=delay)
    terminal.send(f"go{SEND}")
    terminal.wait(r"^Assistant:(.|\n)*\d+ tokens · ")
    return re.split(r"\n\d+ in · ", terminal.text().split("Assistant:\n")[1])[0].split("\n")


def test_the_scrollback_is_that_of_the_whole_document(terminal: Any, server: Any) -> None:
    t = terminal()
    t.wait("^>")
    shown = ask(t, server, REPLY, delay=0.002)
    expected = without_looks(committed([REPLY], 80))
    assert shown == [row.rstrip() for row in expected]


def test_a_resize_in_mid_stream_loses_nothing(terminal: Any, server: Any) -> None:
    t = terminal()
    t.wait("^>")
    server.default = Reply(text=chunks(REPLY), delay=0.004)
    t.send(f"go{SEND}")
    for columns in (60, 100, 80):  # of fewer rows, pyte loses the upper ones
        t.wait({60: "Heading", 100: "nested", 80: "f2.x"}[columns])
        t.screen.resize(24, columns)
        fcntl.ioctl(t.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        t.process.send_signal(signal.SIGWINCH)
    t.wait(r"The last one\.\n\d+ in · ")
    text = t.text()
    for part in ("Heading", "first", "nested", "quoted", *CODE.split("\n")):
        assert part in text
    assert len(re.findall(r"^row \d+ ", text, re.MULTILINE)) == 30


def test_the_answer_about_the_background_is_not_typed_and_chooses_the_theme(
    terminal: Any, server: Any
) -> None:
    t = terminal()
    t.wait("^>")
    while b"\x1b]11;?" not in t.raw:
        t.settle(0.02)
    t.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\")
    assert ask(t, server, "# Heading") == ["Heading"]
    assert b"\x1b[1;34;4mHeading\x1b[0m" in t.raw
    assert "rgb" not in t.text()


def test_G14_no_color_takes_the_colours_and_nothing_else(terminal: Any, server: Any) -> None:
    t = terminal(NO_COLOR="1", rows=50, columns=200)
    t.wait("^>")
    shown = ask(t, server, REPLY, delay=0.002)
    assert shown == [row.rstrip() for row in without_looks(committed([REPLY], 200))]
    assert not re.search(rb"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])(?:;\d+)*m", t.raw)
    assert b"\x1b[1;4mHeading" in t.raw


def test_without_markdown_and_with_a_theme_of_ones_own(terminal: Any, server: Any) -> None:
    colors = "heading=bright-red,error=bold green"
    t = terminal(CLOUDLLM_REPL__THEME="light", CLOUDLLM_REPL__COLORS=colors)
    t.wait("^>")
    ask(t, server, "# Heading")
    assert b"\x1b[91;4mHeading" in t.raw
    assert b"\x1b]11;?" not in t.raw
    t.send("/model nobody/x\r")
    t.wait("^Error: ")
    assert b"\x1b[1;32mError: " in t.raw
    t.send("/set repl.markdown false\r")
    t.send(f"again{SEND}")
    t.wait(r"^Assistant:\n# Heading$")
