"""A plan: what goes out with a request, what does not, and what it needs of the limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cloudllm.context.parts import Parts, Span, needed
from cloudllm.context.rows import Row, rows_of
from cloudllm.messages import Message
from cloudllm.strategy import Summary
from cloudllm.tokens import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes out: `messages`, the system prompt first if there is one; the rest is `left_out`.

    `tokens` is the estimate for `messages`, whose profile is `profile`; `reserve` is what is kept
    free for the answer, `limit` what the model takes in all, `None` if that is unknown. All are in
    tokens. `margin` is the share by which the estimate may be wrong. `summary` is what goes out, in
    the system message, for what is left out.
    """

    messages: tuple[Message, ...]
    tokens: int
    profile: Profile
    limit: int | None
    reserve: int
    margin: float
    summary: Summary | None = None
    system_profile: Profile = field(repr=False)
    spans: tuple[Span, ...] = field(repr=False)
    parts: Parts = field(repr=False)

    @property
    def needed(self) -> int:
        """What the request needs: the estimate, a margin for its error, and the reserve."""
        return needed(self.tokens, self.reserve, self.margin)

    @property
    def left_out(self) -> tuple[Message, ...]:
        """The messages of the history that do not go out, the oldest first."""
        messages = self.parts.old.messages
        return tuple(each for start, end in self.gaps() for each in messages[start:end])

    @property
    def left_out_tokens(self) -> int:
        """The estimate, in tokens, for what is left out."""
        return self.parts.calibration.tokens(self.parts.profile(self.gaps()))

    def gaps(self) -> Iterator[Span]:
        """What lies between the spans of the conversation that go out."""
        at = 0
        for span in (*self.spans, Span(self.parts.keep, self.parts.keep)):
            if at < span.start:
                yield Span(at, span.start)
            at = span.end

    def rows(self) -> list[Row]:
        """Every message, sent or not, with its tokens and the reason; then the newest."""
        return rows_of(self)
