"""The waiting indicator: what is being waited for, for how long, and what can be done about it."""

from __future__ import annotations

from cloudllm.events import (
    Event,
    ReasoningDelta,
    RequestSent,
    Retrying,
    Stalled,
    Summarizing,
    TextDelta,
    ToolCallDelta,
)
from cloudllm.repl.cells import fitting
from cloudllm.repl.render.sanitize import clean

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PERIOD = 0.1
"""Seconds from one frame to the next."""

_STAGES = {"loading": "Getting ready…", "connecting": "Connecting…"}
"""What is done before a request can go out, as the gateway names it."""

_BYTES_PER_TOKEN = 4
_MEASURED = 0.5
"""Seconds of a reply after which its speed can be told."""


def sending(model: str) -> str:
    """What is done until the request is on its way."""
    return f"Sending message… {model}"


class Waiting:
    """Follows the events of what began at `began`, and says what is waited for.

    Times are those of a monotonic clock, in seconds. `doing` is said as long as no event says more;
    what stands behind its ellipsis, such as a model id, is left out where there is no room.
    """

    def __init__(self, doing: str, began: float) -> None:
        self.began = began
        self._doing = doing
        self._stage = ""
        self._retry: tuple[Retrying, float] | None = None
        self._silence: tuple[Stalled, float] | None = None
        self._endless = False
        self._first: float | None = None
        self._bytes = 0

    @property
    def silent(self) -> bool:
        """Has nothing visible come for so long that it is to be said?"""
        return self._silence is not None

    def event(self, event: Event, now: float) -> None:
        """Take note of an event."""
        self._retry = self._silence = None
        match event:
            case Summarizing(model):
                self._doing = f"Summing up older messages… {model}"
            case RequestSent(model):
                self._doing = f"Waiting for the reply… {model}"
                self._first, self._bytes = None, 0
            case Retrying(seconds=seconds):
                self._retry = event, now + seconds
            case Stalled(seconds):
                self._silence = event, now - seconds
            case ReasoningDelta(text):
                self._received(text, "Thinking…", now)
            case TextDelta(text) | ToolCallDelta(text):
                self._received(text, "Receiving the reply…", now)

    def wait_on(self) -> None:
        """The deadlines do not hold any more."""
        self._endless = True

    def row(self, now: float, columns: int, stage: str = "") -> str:
        """One row, safe to show, such as `⠹ Waiting for the reply… openai/gpt-6-luna 1.2 s`.

        `stage` is the gateway's: what it does before it can send.
        """
        self._stage = stage if self._first is None else ""
        seconds = now - self.began
        frame = FRAMES[int(seconds / PERIOD) % len(FRAMES)]
        wordings = [clean(text, one_line=True) for text in self._wordings(now, seconds)]
        return f"{frame} {fitting(wordings, columns - 2)}"

    def _received(self, text: str, doing: str, now: float) -> None:
        self._doing = doing
        self._first = now if self._first is None else self._first
        self._bytes += len(text) if text.isascii() else len(text.encode(errors="replace"))

    def _wordings(self, now: float, seconds: float) -> list[str]:
        """What is to be said, the longest wording first; each says what can be done."""
        if self._retry is not None:
            retrying, at = self._retry
            tries = f"try {retrying.attempt} of {retrying.attempts} in {max(0.0, at - now):.1f} s"
            return [f"Next {tries} (Ctrl-C stops)", f"Next {tries}: Ctrl-C"]
        if self._silence is not None:
            stalled, since = self._silence
            return self._no_text(now - since, stalled.limit)
        took = f"{seconds:.1f} s"
        whole, speed = self._doing, self._speed(now)
        if self._stage:
            whole = f"{_STAGES[self._stage]}{whole.partition('…')[2]}"
        doing = whole.partition("…")[0]
        return [
            f"{whole} {took}{speed}",
            f"{doing}… {took}{speed}",
            f"{doing.partition(' ')[0]}… {took}{speed}",
            f"{doing.partition(' ')[0]}… {took}",
        ]

    def _speed(self, now: float) -> str:
        """About how many tokens a second have come since the first one, if any have."""
        if self._first is None or now - self._first < _MEASURED:
            return ""
        speed = round(self._bytes / _BYTES_PER_TOKEN / (now - self._first))
        return f" · ~{speed} token{'s' * (speed != 1)}/s"

    def _no_text(self, seconds: float, limit: float | None) -> list[str]:
        said = f"No text for {seconds:.0f} s"
        if self._endless:
            return [f"{said}, waiting on: Ctrl-C stops", f"{said}: Ctrl-C stops", f"{said}: Ctrl-C"]
        if limit is None:
            return [f"{said}: Ctrl-C stops", f"{said}: Ctrl-C"]
        return [
            f"{said}, gives up at {limit:g} s: /wait waits on, Ctrl-C stops",
            f"No text {seconds:.0f}/{limit:g} s: /wait, Ctrl-C stops",
            f"{seconds:.0f}/{limit:g} s: /wait, Ctrl-C",
        ]
