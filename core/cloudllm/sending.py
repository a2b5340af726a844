"""One turn's way to a reply: plans it, sends it, tries again, and falls back to other models.

A request is sent again, or to another model, only as long as nothing of a reply was visible. Every
such step is an event, and every attempt is kept.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

from cloudllm import context
from cloudllm.asking import Asker
from cloudllm.continuation import Seam
from cloudllm.errors import CloudLLMError, ContextTooLong, InvalidResponse
from cloudllm.events import (
    Event,
    FellBack,
    ReasoningDelta,
    RequestSent,
    Retrying,
    StreamEnded,
    TextDelta,
    ToolCallDelta,
    Trimmed,
)
from cloudllm.messages import Outcome
from cloudllm.planning import Planner
from cloudllm.provider import Client, Deadlines, LazyClient, ModelInfo, Request
from cloudllm.relay import Relay
from cloudllm.retry import another_model_may_do
from cloudllm.spending import Expense, may_be_charged
from cloudllm.terms import Means, Terms
from cloudllm.threads import in_thread
from cloudllm.tokens import Profile
from cloudllm.turn import Sent, Turn

_Delta = TextDelta | ReasoningDelta | ToolCallDelta


class Sender:
    """Sends one turn; `run` hands its events to the relay and returns when the reply has ended."""

    def __init__(self, means: Means, terms: Terms, turn: Turn) -> None:
        self._means = means
        self._terms = terms
        self._turn = turn
        self._not_made: CloudLLMError | None = None

    async def run(self, relay: Relay[Event]) -> None:
        """Ask the model, then the fallbacks; raises the `CloudLLMError` of the last one asked."""
        failure = asked = await self._ask(relay)
        for candidate in self._terms.fallback:
            if failure is None or not self._may_go_on(failure):
                break
            failure = await self._fall_back(relay, candidate, failure)
            if failure is None or failure is not self._not_made:
                asked = failure
        if asked is not None:
            raise asked

    def _may_go_on(self, failure: CloudLLMError) -> bool:
        """Is the next model to be asked?

        One whose client can't be made, say for want of a key, is passed over. What stopped the turn
        before it was sent, a hook or a budget, would stop it again.
        """
        if failure is self._not_made:
            return True
        turn = self._turn
        return turn.sent is not None and not turn.visible and another_model_may_do(failure)

    async def _fall_back(
        self, relay: Relay[Event], candidate: Client | LazyClient, failure: CloudLLMError
    ) -> CloudLLMError | None:
        """Go on with another model; gives what that fails of."""
        turn, failed = self._turn, self._turn.client.id
        try:
            client = await _made(candidate)
        except CloudLLMError as error:
            turn.begin_attempt(candidate.id, 0.0)
            turn.end_attempt(Outcome.NOT_SENT, error)
            self._not_made = error
            return error
        turn.use(client)
        await Courier(self._means, self._terms, turn, relay).emit(
            FellBack(client.id, failed, failure.message)
        )
        return await self._ask(relay)

    async def _ask(self, relay: Relay[Event]) -> CloudLLMError | None:
        """Ask one model as often as it takes and is allowed; gives what the last attempt failed of."""
        turn, retry = self._turn, self._terms.retry
        courier = Courier(self._means, self._terms, turn, relay)
        made, waited, wait = 0, 0.0, 0.0
        while True:
            turn.begin_attempt(turn.client.id, wait)
            failure = await courier.attempt()
            if failure is None or turn.visible:
                return failure
            if isinstance(failure, ContextTooLong):
                if not await courier.shorten(failure):
                    return failure
                wait = 0.0
                continue
            if turn.sent is None:
                return failure
            made += 1
            next_wait = retry.wait(failure, made, waited)
            if next_wait is None:
                return failure
            wait = next_wait
            waited += wait
            attempts = retry.attempts_for(failure)
            await courier.emit(Retrying(turn.client.id, made + 1, attempts, wait, failure.message))
            await asyncio.sleep(wait)


class Courier:
    """Takes one turn's request to one model, each time it is asked to."""

    def __init__(self, means: Means, terms: Terms, turn: Turn, relay: Relay[Event]) -> None:
        self._means = means
        self._terms = terms
        self._turn = turn
        self._relay = relay
        self._deadlines = replace(terms.deadlines, patience=turn.patience)
        self._info: ModelInfo
        self._planner: Planner
        self._plan: context.Plan | None = None
        self._shortened = False

    async def attempt(self) -> CloudLLMError | None:
        """Send the request and hand over what comes; gives what it failed of, if it did."""
        turn = self._turn
        try:
            await self._send(await self._prepared())
        except CloudLLMError as error:
            turn.end_attempt(Outcome.PARTIAL if turn.visible else Outcome.FAILED, error)
            return error
        turn.end_attempt(Outcome.COMPLETE if turn.complete else Outcome.PARTIAL)
        return None

    async def shorten(self, error: ContextTooLong) -> bool:
        """Plan once more for a request that was found too long; can it be sent again?"""
        if self._plan is None or self._shortened:
            return False
        self._shortened = True
        try:
            self._plan = await self._planner.replan(self._turn.start, self._plan, error)
        except CloudLLMError:
            return False
        return True

    async def emit(self, event: Event) -> None:
        """Tell the hooks of an event, and hand it over; the hooks first, as the reader may leave."""
        hooks = self._means.hooks
        if hooks is not None and hooks.listening:
            hooks.event(event, self._turn.info)
        await self._relay.emit(event)

    async def _prepared(self) -> context.Plan:
        if self._plan is None:
            client = self._turn.client
            self._info = await self._means.road.model_info(client)
            asker = Asker(
                self._means,
                self._terms,
                client,
                self._info,
                turn=self._turn.info,
                deadlines=self._deadlines,
                emit=self.emit,
            )
            self._planner = Planner(self._means, self._terms, client, self._info, asker)
            self._plan = await self._planner.plan(self._turn.start, self._planner.limit)
        return self._plan

    async def _send(self, plan: context.Plan) -> None:
        turn, means = self._turn, self._means
        request, profile = await self._asked(plan)
        expense = await Expense.set_aside(
            means,
            turn.client,
            self._info,
            request,
            profile,
            purpose="reply",
            consents=self._terms.consents,
        )
        turn.sent = Sent(profile, expense.calibration, expense.price)
        charged = False
        try:
            await self._open(plan)
            charged = True
            await self._stream(expense.request)
            turn.learn()
        except CloudLLMError as error:
            charged = turn.visible or may_be_charged(error)
            raise
        finally:
            self._relay.rest()
            await expense.account(means, turn.used() if charged else None)

    async def _asked(self, plan: context.Plan) -> tuple[Request, Profile]:
        """The request as the hooks leave it, and what it consists of."""
        request = replace(self._terms.request, messages=plan.messages)
        profile = plan.profile
        if self._means.hooks is None:
            return request, profile

        def check(changed: Request) -> None:
            nonlocal profile
            _, profile = context.check_changed(changed.messages, plan, self._planner.calibration)

        return await self._means.hooks.request(request, self._turn.info, check), profile

    async def _open(self, plan: context.Plan) -> None:
        """Have the turn recorded, and say what goes out."""
        turn = self._turn
        await turn.recording.begin(
            turn.start, model=turn.client.id, system_prompt=self._terms.system_prompt
        )
        if plan.left_out:
            summarized = plan.summary is not None
            await self.emit(Trimmed(len(plan.left_out), plan.left_out_tokens, summarized))
        await self.emit(RequestSent(turn.client.id, len(turn.attempts) + 1))

    async def _stream(self, request: Request) -> None:
        turn = self._turn
        deadlines = self._deadlines
        continued = turn.start.continued
        seam = Seam(continued.content) if continued else None
        self._relay.watch(deadlines.first_token_for(self._info))
        stream = self._means.road.stream(turn.client, request, deadlines)
        try:
            async with aclosing(stream) as events:
                async for event in events:
                    if isinstance(event, StreamEnded):
                        turn.ended = event
                    else:
                        await self._take(event, seam, deadlines)
        except CloudLLMError:
            await self._take_rest(seam)
            raise
        except BaseException:  # stopped: nobody is there to be told
            if seam and (rest := seam.end()):
                turn.add(TextDelta(rest))
            raise
        await self._take_rest(seam)
        if not (turn.visible or turn.complete):
            message = f"{turn.client.id} ended the stream before an answer began"
            raise InvalidResponse(message, tries=2)

    async def _take(self, event: _Delta, seam: Seam | None, deadlines: Deadlines) -> None:
        """Keep a piece of the reply, and hand it over."""
        if seam and isinstance(event, TextDelta):
            event = TextDelta(seam.feed(event.text))
        if event.text or isinstance(event, ToolCallDelta):
            self._turn.add(event)
            await self.emit(event)
        self._relay.watch(deadlines.gap)

    async def _take_rest(self, seam: Seam | None) -> None:
        """Hand over what was held back at the seam."""
        if seam and (rest := seam.end()):
            self._turn.add(TextDelta(rest))
            await self.emit(TextDelta(rest))


async def _made(candidate: Client | LazyClient) -> Client:
    return candidate if isinstance(candidate, Client) else await in_thread(candidate.make)
