"""Has a model answer what is no turn, such as a context strategy's question; counted and paid for."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Literal

from cloudllm.errors import CloudLLMError, InvalidResponse
from cloudllm.events import Event, StreamEnded, Summarizing, TextDelta, TurnInfo
from cloudllm.messages import Message, Role, Usage
from cloudllm.provider import Client, Deadlines, ModelInfo, Request
from cloudllm.spending import Expense, may_be_charged
from cloudllm.terms import Means, Terms
from cloudllm.tokens import ZERO, Profile, profile_message, profile_text


class Asker:
    """Asks `client`; made in the event loop, used in the thread of a strategy."""

    def __init__(
        self,
        means: Means,
        terms: Terms,
        client: Client,
        info: ModelInfo,
        *,
        turn: TurnInfo,
        deadlines: Deadlines,
        emit: Callable[[Event], Awaitable[None]],
    ) -> None:
        self._means = means
        self._terms = terms
        self._client = client
        self._info = info
        self._turn = turn
        self._deadlines = deadlines
        self._emit = emit
        self._said = False
        self._loop = asyncio.get_running_loop()
        self._asking: set[concurrent.futures.Future[str]] = set()

    def ask(self, prompt: str, *, max_output_tokens: int) -> str:
        """The model's answer to `prompt` alone; blocks.

        Raises:
            CloudLLMError: no answer came, a budget forbids it, or the turn was stopped.
        """
        work = self._answer(prompt, max_output_tokens)
        asking = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._asking.add(asking)
        try:
            return asking.result()
        except concurrent.futures.CancelledError:
            raise CloudLLMError("the turn was stopped") from None
        finally:
            self._asking.discard(asking)

    def stop(self) -> None:
        """Stop what is being asked."""
        for asking in tuple(self._asking):
            asking.cancel()

    async def _answer(self, prompt: str, max_output_tokens: int) -> str:
        if not self._said:
            self._said = True
            await self._emit(Summarizing(self._client.id))
        made, waited = 0, 0.0
        while True:
            made += 1
            try:
                return await self._once(prompt, max_output_tokens)
            except CloudLLMError as error:
                wait = self._terms.retry.wait(error, made, waited)
                if wait is None:
                    raise
            waited += wait
            await asyncio.sleep(wait)

    async def _once(self, prompt: str, max_output_tokens: int) -> str:
        request = Request(
            messages=(Message(Role.USER, prompt),),
            max_output_tokens=max_output_tokens,
            params=self._terms.request.params,
            max_reply_bytes=self._terms.request.max_reply_bytes,
        )
        return await answered(
            self._means,
            self._client,
            self._info,
            request,
            turn=self._turn,
            deadlines=self._deadlines,
            purpose="summary",
            consents=self._terms.consents,
        )


async def answered(
    means: Means,
    client: Client,
    info: ModelInfo,
    request: Request,
    *,
    turn: TurnInfo,
    deadlines: Deadlines,
    purpose: Literal["summary", "title"],
    consents: dict[str, int],
) -> str:
    """The text that comes of a request which is no turn of its own; asked once.

    Raises:
        CloudLLMError: no whole answer came, a hook's veto, or a budget forbids it.
    """
    request, profile = await _asked(means, request, turn)
    expense = await Expense.set_aside(
        means, client, info, request, profile, purpose=purpose, consents=consents
    )
    parts: list[str] = []
    ended: StreamEnded | None = None
    charged = True
    stream = means.road.stream(client, expense.request, deadlines)
    try:
        async with aclosing(stream) as events:
            async for event in events:
                if isinstance(event, StreamEnded):
                    ended = event
                elif isinstance(event, TextDelta):
                    parts.append(event.text)
    except CloudLLMError as error:
        charged = bool(parts) or may_be_charged(error)
        raise
    finally:
        usage = (ended and ended.usage) or _estimated(expense, "".join(parts))
        if charged:
            means.usage += usage
        used = (usage, expense.price.cost(usage)) if charged else None
        await expense.account(means, used)
    if ended is None or ended.finish_reason is None:
        raise InvalidResponse(f"{client.id} broke off its {purpose}", tries=2)
    if not parts:  # all of its answer went into reasoning, as it would again
        raise InvalidResponse(f"{client.id} wrote no {purpose}")
    return "".join(parts)


async def _asked(means: Means, request: Request, turn: TurnInfo) -> tuple[Request, Profile]:
    """The request as the hooks leave it: a guard is to see all that goes out."""
    profile = sum(map(profile_message, request.messages), ZERO)
    if means.hooks is None:
        return request, profile

    def check(changed: Request) -> None:
        nonlocal profile
        profile = sum(map(profile_message, changed.messages), ZERO)

    return await means.hooks.request(request, turn, check), profile


def _estimated(expense: Expense, text: str) -> Usage:
    count = expense.calibration.tokens
    return Usage(
        input_tokens=count(expense.profile),
        output_tokens=count(profile_text(text)),
        estimated=True,
    )
