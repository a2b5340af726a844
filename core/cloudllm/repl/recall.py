"""Shows the replies of a turn again, rendered as replies are."""

from __future__ import annotations

from collections.abc import Sequence

from cloudllm.events import TextDelta
from cloudllm.messages import Message, Role
from cloudllm.repl.app import ChatApp
from cloudllm.repl.ends import ends
from cloudllm.repl.reply import ReplyView
from cloudllm.repl.style import DIM, styled
from cloudllm.repl.theme import Theme


def recall(app: ChatApp, theme: Theme, turn: Sequence[Message], *, markdown: bool) -> None:
    """Show the replies of a turn, of long ones the ends."""
    for message in turn:
        if message.role is Role.ASSISTANT and message.content:
            head, left_out, tail = ends(message.content)
            for text in filter(None, (head, tail)):
                view = ReplyView(app, theme, markdown=markdown)
                view.feed(TextDelta(text))
                view.end()
                if left_out and text is head:
                    app.commit([styled(f"… {left_out}", DIM)])
    app.commit([""])
