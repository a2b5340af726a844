"""Goes on with a reply that was cut: what is sent for it, and the seam between old and new text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cloudllm.errors import UsageError
from cloudllm.messages import Cost, Message, Role, Status, Usage
from cloudllm.pricing import FREE

_GO_ON = (
    "Your last answer was cut off. Continue it exactly where it stops, in the middle of the word if"
    " need be. Repeat nothing and explain nothing."
)
_LENGTH = ("length", "max_tokens")
_LONGEST_OVERLAP = 400
_SHORTEST_OVERLAP = 12
"""Characters: fewer are the same by chance, more than the longest nobody repeats."""


def check(history: Sequence[Message]) -> Message:
    """The reply to go on with; raises `UsageError` if the last one came to its own end."""
    last = history[-1] if history else None
    if last is None or last.role is not Role.ASSISTANT:
        raise UsageError("There is no reply to continue yet")
    if last.status is Status.COMPLETE and last.finish_reason not in _LENGTH:
        raise UsageError(
            "The last reply is complete, so there is nothing to continue",
            advice="Ask for more in a new message, or retry it",
        )
    if last.tool_calls:
        raise UsageError("The last reply calls tools, so it cannot be continued")
    if not last.content:
        raise UsageError("Nothing of the answer itself had come", advice="Retry it instead")
    return last


def outgoing(turn: Sequence[Message], *, prefill: bool) -> list[Message]:
    """What goes out for the turn whose last message is the reply to continue.

    With `prefill` the model goes on with the text itself; otherwise it is asked to. Trailing blanks
    of a prefill are refused by some providers.
    """
    reply = turn[-1]
    if prefill and (text := reply.content.rstrip()):
        return [*turn[:-1], replace(reply, content=text)]
    return [*turn, Message(Role.USER, _GO_ON)]


def joined(before: Message, after: Message) -> Message:
    """One reply of the two parts, with what both used and cost."""
    return replace(
        after,
        content=before.content + after.content,
        reasoning="\n\n".join(filter(None, (before.reasoning, after.reasoning))),
        usage=(before.usage or Usage()) + (after.usage or Usage()),
        cost=_cost(before, after) + _cost(after, before),
        pinned=before.pinned,
    )


def _cost(part: Message, other: Message) -> Cost:
    """What a part cost; where that was lost with a crash, a model that is free was free then, too."""
    if part.cost is not None:
        return part.cost
    is_free = other.cost is not None and other.cost.source == FREE and other.model == part.model
    return Cost(source=FREE) if is_free else Cost(unknown=1)


class Seam:
    """Leaves out what the new text repeats of the old text's end.

    As long as all that came may be such a repetition it is held back.
    """

    def __init__(self, before: str) -> None:
        self._before = before[-_LONGEST_OVERLAP:]
        self._held = ""
        self._open = True

    def feed(self, text: str) -> str:
        """What of the text so far may be shown."""
        if not self._open:
            return text
        self._held += text
        if self._may_go_on():
            return ""
        return self.end()

    def end(self) -> str:
        """What was held back, less the repetition: there is nothing more to wait for."""
        if not self._open:
            return ""
        self._open = False
        longest = min(len(self._before), len(self._held))
        for size in range(longest, _SHORTEST_OVERLAP - 1, -1):
            if self._before.endswith(self._held[:size]):
                return self._held[size:]
        return self._held

    def _may_go_on(self) -> bool:
        """Is everything so far a beginning of some end of the old text, and not yet all of it?"""
        at = self._before.find(self._held)
        while at >= 0:
            if at + len(self._held) < len(self._before):
                return True
            at = self._before.find(self._held, at + 1)
        return False
