"""The waiting indicator: what is being waited for, and for how long."""

from __future__ import annotations

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PERIOD = 0.1
"""Seconds from one frame to the next."""


def describe(what: str, seconds: float) -> str:
    """One row, such as `⠹ Sending message… openai/gpt-6-luna 1.2 s`."""
    frame = FRAMES[int(seconds / PERIOD) % len(FRAMES)]
    return f"{frame} {what} {seconds:.1f} s"
