"""What the kit says: items, and a verdict on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "failed", "not applicable", "known gap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that is checked; `summary` says in one line what must hold."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came out of one item.

    `detail` is one line: what came and what should have, the reason why the item does not apply,
    or the gap that the provider declares; empty if there is nothing to say. `subject` is what was
    checked: "provider acme" or "plugin shout". `seconds` is how long it took.
    """

    item: str
    result: Result
    detail: str = ""
    seconds: float = 0.0
    subject: str = ""

    @property
    def passed(self) -> bool:
        """Whether it speaks against nothing; only "failed" does."""
        return self.result != "failed"


Progress = Callable[[Item | Verdict], None]
"""Called with each item before it runs, and with its verdict after."""


class Failed(Exception):
    """The item is not met; the text says what came and what should have."""


class NotApplicable(Exception):
    """The item says nothing about this subject; the text says why."""
