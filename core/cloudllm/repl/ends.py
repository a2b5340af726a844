"""The two ends of a long text, between which the rest is left out (pure)."""

from __future__ import annotations

_CHARACTERS, _LINES = 1_600, 12
"""How much is shown of each end; of what was sent, all is sent."""


def ends(text: str) -> tuple[str, str, str]:
    """The beginning of a long text, how much is left out, and its end, where the question may be."""
    if len(text) <= 2 * _CHARACTERS and text.count("\n") < 2 * _LINES:
        return text, "", ""
    head = "\n".join(text[:_CHARACTERS].split("\n")[:_LINES])
    tail = "\n".join(text[-_CHARACTERS:].split("\n")[-_LINES:])
    hidden = text[len(head) : -len(tail)]
    lines = hidden.strip("\n").count("\n") + 1
    return head, f"{lines:,} more lines" if lines > 1 else f"{len(hidden):,} more characters", tail
