"""What has been said, as text: turns by number, one in full, code blocks (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from cloudllm.messages import Message, Role, Status
from cloudllm.repl.cells import cut
from cloudllm.repl.wording import state
from cloudllm.words import one_line

_FIRST = 60  # characters of a message's first line
_WAITS = "no reply yet"

SPEAKERS = {
    Role.USER: "You",
    Role.ASSISTANT: "Assistant",
    Role.SYSTEM: "System",
    Role.TOOL: "Tool",
}
"""Who a message is from."""


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """A user's message and all that came of it; `number` counts from 1.

    If it `waits`, no reply has come to it.
    """

    number: int
    messages: tuple[Message, ...]
    waits: bool = False

    @property
    def text(self) -> str:
        """What the user said."""
        return self.messages[0].content

    @property
    def pinned(self) -> bool:
        """Does it always go out?"""
        return any(message.pinned for message in self.messages)


class CodeBlock(NamedTuple):
    """A fenced block of code: its language, if it names one, and exactly what it holds."""

    language: str
    code: str


def turns(history: Sequence[Message], unanswered: str = "") -> list[SpokenTurn]:
    """The turns of a conversation; the last one may be a message that has no reply."""
    starts = [at for at, message in enumerate(history) if message.role is Role.USER]
    ends = [*starts[1:], len(history)][: len(starts)]
    found = [
        SpokenTurn(number, tuple(history[start:end]))
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
    ]
    if unanswered:
        found.append(SpokenTurn(len(found) + 1, (Message(Role.USER, unanswered),), waits=True))
    return found


def last_turn(history: Sequence[Message]) -> tuple[Message, ...]:
    """The messages of the last turn; none if there is no turn."""
    for at in range(len(history) - 1, -1, -1):
        if history[at].role is Role.USER:
            return tuple(history[at:])
    return ()


def overview(spoken: Iterable[SpokenTurn], columns: int | None = None) -> str:
    """Each turn with its number and the first line of each message, cut to so many cells."""
    lines = (line for turn in spoken for line in _brief(turn))
    return "\n".join(line if columns is None else cut(line, columns) for line in lines)


def in_full(turn: SpokenTurn) -> str:
    """All of a turn, each message under its name."""
    said = [f"{_speaker(each)}:\n{_content(each)}" for each in turn.messages]
    return "\n\n".join([*said, *([f"[{_WAITS}]"] if turn.waits else [])])


@lru_cache(maxsize=1)  # while "/copy code" is typed, it is asked at each key
def code_blocks(text: str) -> tuple[CodeBlock, ...]:
    """The fenced blocks of a text, in order, also those within lists and quotes; it takes long."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - 40 ms, and rarely needed

    tokens = MarkdownIt("commonmark").parse(text)
    return tuple(
        CodeBlock(token.info.strip().partition(" ")[0], token.content)
        for token in tokens
        if token.type == "fence"
    )


def first_line(text: str) -> str:
    """How a text begins, on one line."""
    for line in text.split("\n"):
        if line.strip():
            more = "…" if len(text.strip()) > len(line.strip()) else ""
            return one_line(f"{line}{more}", _FIRST)
    return "(empty)"


def _brief(turn: SpokenTurn) -> Iterator[str]:
    for place, message in enumerate(turn.messages):
        number = "" if place else str(turn.number)
        marks = [] if place or not turn.pinned else ["pinned"]
        marks += filter(None, [state(message.status), _WAITS if turn.waits else ""])
        noted = f"  ({', '.join(marks)})" if marks else ""
        name = SPEAKERS[message.role].lower()
        yield f"{number:>3}  {name:<9}  {first_line(message.content)}{noted}"


def _speaker(message: Message) -> str:
    model = f" ({message.model})" if message.model else ""
    return f"{SPEAKERS[message.role]}{model}"


def _content(message: Message) -> str:
    """What was said, and how it ended if that is not with its end."""
    content = message.content.rstrip("\n") or "(empty)"
    if message.status is Status.COMPLETE:
        return content
    why = f": {message.error}" if message.error else ""
    return f"{content}\n\n[{state(message.status)}{why}]"
