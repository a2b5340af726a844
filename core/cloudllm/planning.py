"""What goes out to one model: the limit that holds, the outline, and the strategy's choice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from cloudllm import context, continuation
from cloudllm.asking import Asker
from cloudllm.errors import ContextTooLong
from cloudllm.messages import Message
from cloudllm.provider import Client, ModelInfo
from cloudllm.recording import Start
from cloudllm.strategies import Strategies
from cloudllm.terms import Means, Terms

_BUILT_IN = Strategies()
_CHARACTERS = 50_000  # counted at a stretch, in some 10 ms; a history that was loaded may be long


class Planner:
    """Plans requests to one model; without an `asker` they are only shown, and no model is asked."""

    def __init__(
        self,
        means: Means,
        terms: Terms,
        client: Client,
        info: ModelInfo,
        asker: Asker | None = None,
    ) -> None:
        self._means = means
        self._terms = terms
        self._client = client
        self._info = info
        self._asker = asker
        self.calibration = means.calibrations.of(client.id)

    @property
    def limit(self) -> int | None:
        """The context limit: the one asked for, or else the model's, or what it refused at."""
        known = self._info.context_limit if self._terms.limit is None else self._terms.limit
        learned = self._means.limits.get(self._client.id)
        return min((limit for limit in (known, learned) if limit is not None), default=None)

    async def plan(self, start: Start, limit: int | None) -> context.Plan:
        """What goes out under `limit`.

        Raises:
            ContextTooLong: it does not fit; the message says by how much.
            CloudLLMError: the strategy failed, or there is none of that name.
        """
        terms = self._terms
        while not terms.conversation.count(_CHARACTERS):  # noqa: ASYNC110 - it works, not waits
            await asyncio.sleep(0)
        outline = context.outline(
            terms.system_prompt,
            terms.conversation,
            keep=start.keep,
            newest=self._newest(start),
            limit=limit,
            reserve=terms.request.max_output_tokens if terms.reserve is None else terms.reserve,
            calibration=self.calibration,
        )
        asker, means = self._asker, self._means
        try:
            plan = await (means.strategies or _BUILT_IN).plan(
                terms.strategy,
                outline,
                model=self._client.id,
                previous=means.summary,
                ask=asker.ask if asker else None,
            )
        finally:
            if asker:
                asker.stop()
        if asker and plan.summary is not None:
            means.summary = plan.summary
        return plan

    async def replan(self, start: Start, made: context.Plan, error: ContextTooLong) -> context.Plan:
        """Plan with the server's limit, or with three quarters of what it refused.

        Raises:
            ContextTooLong: `error`, if nothing shorter can be sent.
        """
        if error.limit:
            self._means.limits[self._client.id] = error.limit
        with suppress(ContextTooLong):
            for limit in filter(None, (error.limit, made.needed * 3 // 4)):
                plan = await self.plan(start, limit)
                if plan.tokens < made.tokens:
                    return plan
        raise error

    def _newest(self, start: Start) -> Sequence[Message]:
        """What always goes out: the newest turn, with the beginning of its answer if there is one."""
        if start.continued is None:
            return start.head
        return continuation.outgoing(
            (*start.head, start.continued), prefill=bool(self._info.prefill)
        )
