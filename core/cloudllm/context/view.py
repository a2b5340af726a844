"""What a context strategy sees: turns, the room they have, and a way to ask the model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, overload

from cloudllm.context.parts import Parts, most_tokens
from cloudllm.context.summary import holds, summary_profile
from cloudllm.strategy import ContextTurn, Summary
from cloudllm.tokens import profile_text


class Ask(Protocol):
    """Has a model answer, in the thread of a strategy."""

    def __call__(self, prompt: str, *, max_output_tokens: int) -> str:
        """See `ContextView.ask`."""


class View:
    """A `ContextView` over the parts of a plan.

    Every count is rounded up, so that turns and a summary that keep to the room do fit.
    """

    def __init__(self, parts: Parts, *, model: str, previous: Summary | None, ask: Ask) -> None:
        self.turns: Sequence[ContextTurn] = Turns(parts)
        self.model = model
        self.ask = ask
        self._parts = parts
        self._previous = previous

    @cached_property
    def room(self) -> int:
        """See `ContextView`."""
        parts = self._parts
        assert parts.limit is not None  # noqa: S101 - without a limit everything fits
        fixed = parts.fixed + parts.pinned_profile(parts.turns)
        above = summary_profile(parts, "", parts.keep)
        most = most_tokens(parts.limit, parts.reserve, parts.margin)
        return max(0, most - parts.calibration.tokens(fixed + above) - 1)

    @cached_property
    def previous(self) -> Summary | None:
        """See `ContextView`."""
        summary = self._previous
        return summary if summary is not None and holds(self._parts, summary) else None

    def count(self, text: str) -> int:
        """See `ContextView`."""
        return self._parts.calibration.tokens(profile_text(text)) + 1


class Turns(Sequence[ContextTurn]):
    """The turns of the parts, each made when it is looked at."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __len__(self) -> int:
        return self._parts.turns

    @overload
    def __getitem__(self, index: int) -> ContextTurn: ...

    @overload
    def __getitem__(self, index: slice) -> list[ContextTurn]: ...

    def __getitem__(self, index: int | slice) -> ContextTurn | list[ContextTurn]:
        chosen = range(len(self))[index]
        return self._turn(chosen) if isinstance(chosen, int) else [*map(self._turn, chosen)]

    def _turn(self, index: int) -> ContextTurn:
        parts = self._parts
        span = parts.span(index, index + 1)
        return ContextTurn(
            number=index + 1,
            messages=tuple(parts.old.messages[span.start : span.end]),
            tokens=parts.calibration.tokens(parts.profile((span,))) + 1,
            pinned=parts.is_pinned(index),
        )
