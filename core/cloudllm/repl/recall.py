"""Shows the replies of a turn again, rendered as replies are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudllm.events import TextDelta
from cloudllm.messages import Message, Role
from cloudllm.repl.ends import ends
from cloudllm.repl.reply import Canvas, ReplyView
from cloudllm.repl.style import DIM, styled
from cloudllm.repl.theme import Theme

_FENCE = re.compile(r"^[ >]*(`{3,}|~{3,})[^`\n]*$", re.MULTILINE)


def recall(canvas: Canvas, theme: Theme, turn: Sequence[Message], *, markdown: bool) -> None:
    """Show the replies of a turn, of long ones the ends."""
    for message in turn:
        if message.role is Role.ASSISTANT and message.content:
            head, left_out, tail = ends(message.content)
            _show(ReplyView(canvas, theme, markdown=markdown), head)
            if left_out:
                canvas.paint([styled(f"… {left_out}", DIM)], [])
                begun = _open_fence(message.content[: -len(tail)]) if markdown else ""
                _show(ReplyView(canvas, theme, markdown=markdown, later=True), begun + tail)
    canvas.paint([""], [])


def _show(view: ReplyView, text: str) -> None:
    view.feed(TextDelta(text))
    view.end()


def _open_fence(text: str) -> str:
    """The line that began the code in which this text ends; "" if it does not end in code."""
    line = mark = ""
    for found in _FENCE.finditer(text):
        if not mark:
            line, mark = f"{found[0]}\n", found[1]
        elif found[1].startswith(mark) and found[0].endswith(found[1]):
            line = mark = ""
    return line
