"""What could go out with a request and what must; every plan is made, and checked, here."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from itertools import chain

from cloudllm.calibration import Calibration
from cloudllm.context.check import PlanError, SoundChoice, sound_choice
from cloudllm.context.conversation import Conversation
from cloudllm.context.parts import Parts, Span, default_reserve, needed
from cloudllm.context.plan import Plan
from cloudllm.context.summary import summary_of, summary_profile, with_summary
from cloudllm.context.view import Ask, View
from cloudllm.errors import ContextTooLong
from cloudllm.messages import Message, Role
from cloudllm.strategy import ContextChoice, Summary
from cloudllm.tokens import ZERO, Profile


def outline(
    system_prompt: str,
    conversation: Conversation,
    *,
    keep: int,
    newest: Sequence[Message],
    limit: int | None,
    reserve: int | None,
    calibration: Calibration,
) -> Outline:
    """What could go out with the next request.

    The first `keep` messages of the conversation, which are whole turns, may be left out; `newest`,
    which starts with a user message, goes out whole, and last. `reserve=None` is an eighth of the
    limit up to 4,096 tokens. With `limit=None` everything fits.

    Raises:
        ValueError: `keep` splits a turn, or `newest` does not start one.
    """
    old = conversation.snapshot()
    turns = bisect_left(old.starts, keep)
    if keep != (old.starts[turns] if turns < len(old.starts) else len(old.messages)):
        raise ValueError(f"a turn is split at message {keep}")
    if not newest or newest[0].role is not Role.USER:
        raise ValueError("the newest turn starts with a user message")
    system = (Message(Role.SYSTEM, system_prompt),) if system_prompt.strip() else ()
    system_profile = sum(map(conversation.profile, system), ZERO)
    return Outline(
        Parts(
            system=system,
            system_profile=system_profile,
            old=old,
            keep=keep,
            turns=turns,
            newest=tuple(newest),
            newest_profiles=tuple(map(conversation.profile, newest)),
            limit=limit,
            reserve=default_reserve(limit) if reserve is None else reserve,
            margin=calibration.margin,
            calibration=copy(calibration),  # a summary's usage must not change what was promised
        )
    )


class Outline:
    """The plans that can be made for one request.

    A plan is made of whole turns, in their order, so that no tool call is split, the user begins,
    and the two speak in turns; what must go out is put in here and not by whoever chooses.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @property
    def fits(self) -> bool:
        """Does everything fit as it is?"""
        return self._parts.fits(self._profile(0))

    @property
    def possible(self) -> bool:
        """Does what must go out fit at least?"""
        return self._parts.fits(self._profile(self._parts.turns))

    def everything(self) -> Plan:
        """The plan that leaves nothing out; raises `ContextTooLong` if that does not fit."""
        if not self.fits:
            raise self.refusal()
        return self._made([self._parts.span(0, self._parts.turns)])

    def drop_oldest(self) -> Plan:
        """The plan that leaves out as few of the oldest turns as it can, pinned ones aside.

        Raises:
            ContextTooLong: what must go out does not fit.
        """
        parts = self._parts
        first = bisect_left(
            range(parts.turns + 1), 1, key=lambda first: parts.fits(self._profile(first))
        )
        if first > parts.turns:
            raise self.refusal()
        pinned = (parts.span(turn, turn + 1) for turn in parts.pinned(first))
        return self._made([*pinned, parts.span(first, parts.turns)])

    def view(self, *, model: str, previous: Summary | None, ask: Ask) -> View:
        """What a strategy sees; raises `ContextTooLong` if what must go out does not fit."""
        if not self.possible:
            raise self.refusal()
        return View(self._parts, model=model, previous=previous, ask=ask)

    def plan(self, choice: ContextChoice, by: str) -> Plan:
        """The plan for what a strategy chose.

        Raises:
            PlanError: it is no sound choice, or does not fit; the message names `by`.
            ContextTooLong: what must go out does not fit, whatever is chosen.
        """
        parts = self._parts
        sound = sound_choice(choice, parts.turns, by)
        if not self.possible:
            raise self.refusal()
        kept = {number - 1 for number in sound.keep}
        sent = sorted(kept.union(parts.pinned(parts.turns)))
        made = self._summed_up(sent, sound) if sound.summary else self._made(_runs(sent, parts))
        if made.limit is not None and made.needed > made.limit:
            raise PlanError(
                f"{by} chose what needs about {made.needed:,} tokens, {made.reserve:,} of them for"
                f" the answer: {made.needed - made.limit:,} more than the limit of {made.limit:,}"
            )
        return made

    def refusal(self) -> ContextTooLong:
        """Why nothing can be sent, or not without leaving something out, and by how much."""
        parts = self._parts
        assert parts.limit is not None  # noqa: S101 - without a limit everything fits
        possible = self.possible
        tokens = parts.calibration.tokens(self._profile(0 if possible else parts.turns))
        need = needed(tokens, parts.reserve, parts.margin)
        what, advice = _refused(parts, possible=possible)
        return ContextTooLong(
            f"The {what} about {need:,} tokens, {parts.reserve:,} of them for the answer:"
            f" {need - parts.limit:,} more than the limit of {parts.limit:,}",
            advice=advice,
            limit=parts.limit,
        )

    def _profile(self, first: int) -> Profile:
        """The profile of what goes out if the turns before `first` are left out, pinned ones aside."""
        parts = self._parts
        rest = parts.profile((parts.span(first, parts.turns),))
        return parts.fixed + parts.pinned_profile(first) + rest

    def _made(self, spans: Iterable[Span]) -> Plan:
        parts = self._parts
        return self._plan(spans, parts.system, parts.system_profile, None)

    def _summed_up(self, sent: Sequence[int], choice: SoundChoice) -> Plan:
        """The plan that sends these turns, which count from 0, and the summary of others.

        A summary of nothing that is left out does not go out.
        """
        parts = self._parts
        absent = set(range(parts.turns)).difference(sent)
        if choice.summarized is not None:
            absent &= {number - 1 for number in choice.summarized}
        if not absent:
            return self._made(_runs(sent, parts))
        summary = summary_of(parts, sorted(absent), choice.summary)
        count = len(summary.messages)
        system = with_summary(parts.system, summary.text, count)
        profile = parts.system_profile + summary_profile(parts, summary.text, count)
        return self._plan(_runs(sent, parts), system, profile, summary)

    def _plan(
        self,
        spans: Iterable[Span],
        system: tuple[Message, ...],
        system_profile: Profile,
        summary: Summary | None,
    ) -> Plan:
        parts = self._parts
        sent = tuple(span for span in spans if span.start < span.end)
        profile = parts.fixed - parts.system_profile + system_profile + parts.profile(sent)
        old = (parts.old.messages[start:end] for start, end in sent)
        return Plan(
            messages=(*system, *chain.from_iterable(old), *parts.newest),
            tokens=parts.calibration.tokens(profile),
            profile=profile,
            limit=parts.limit,
            reserve=parts.reserve,
            margin=parts.margin,
            summary=summary,
            system_profile=system_profile,
            spans=sent,
            parts=parts,
        )


def _runs(turns: Iterable[int], parts: Parts) -> Iterator[Span]:
    """The spans of `turns`, which count from 0 and are in order; neighbours become one."""
    run: list[int] = []
    for turn in turns:
        if run and turn != run[-1] + 1:
            yield parts.span(run[0], run[-1] + 1)
            run = []
        run = [run[0] if run else turn, turn]
    if run:
        yield parts.span(run[0], run[-1] + 1)


def _refused(parts: Parts, *, possible: bool) -> tuple[str, str]:
    """What does not fit, with its verb, and what to do about it."""
    if possible:
        return "conversation needs", "Start anew, or let a context strategy leave something out"
    pinned = ("pinned turns",) if parts.pinned(parts.turns) else ()
    must = [*("system prompt" for _ in parts.system), *pinned, "newest message"]
    what = f"{', '.join(must[:-1])} and {must[-1]} need" if len(must) > 1 else f"{must[0]} needs"
    return what, f"Shorten the message{' or unpin a turn' if pinned else ''}"
