"""A conversation: its history, one turn at a time, and what it used.

A turn is atomic. Nothing enters the history before the first visible token (text or reasoning);
from then on, whatever happens, the user's message and what came of the reply are kept.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from cloudllm import context
from cloudllm.errors import CloudLLMError, ContextTooLong, InvalidResponse, UsageError
from cloudllm.events import (
    Event,
    RequestSent,
    StreamEnded,
    StreamEvent,
    Trimmed,
    TurnFinished,
    TurnInfo,
)
from cloudllm.messages import Message, Role, Status, Usage
from cloudllm.provider import Client, Deadlines, ModelInfo, Request
from cloudllm.tokens import count_message
from cloudllm.turn import Hooks, Turn, current_task

_CANCELLED = "cancelled before it was complete"
_NO_FINISH_REASON = "the stream ended without a finish reason"


class Gateway(Protocol):
    """What a session calls models through; `cloudllm.gateway` is one."""

    def stream(
        self, client: Client, request: Request, deadlines: Deadlines, /
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield deltas, then one `StreamEnded`; raise nothing but `CloudLLMError`s."""

    async def model_info(self, client: Client, /) -> ModelInfo:
        """What is known of the client's model."""


class LLMSession:
    """A conversation with one model at a time; needs no store, no terminal and no file.

    client             the model to talk to; may be changed between turns
    system_prompt      goes out first with every request; may be changed between turns
    max_tokens         the context limit in tokens; `None` takes the model's own
    max_output_tokens  the longest answer in tokens; `None` leaves it to the provider
    reserve            tokens kept free for the answer; `None` takes `max_output_tokens`, or else
                       an eighth of the context limit up to 4,096
    temperature        `None` leaves it to the provider
    params             further parameters of the request, as the provider names them
    deadlines          how long to wait for what
    gateway            calls the model; `None` takes litellm's
    hooks              sees, changes and vetoes requests, and is told of turns; `None`: nobody is,
                       `PluginHooks(Plugins())` asks the installed plugins

    One turn runs at a time: a second one waits for the first. A stream that the same task left
    unfinished counts as cancelled.
    """

    def __init__(
        self,
        client: Client,
        *,
        system_prompt: str = "",
        max_tokens: int | None = None,
        max_output_tokens: int | None = None,
        reserve: int | None = None,
        temperature: float | None = None,
        params: Mapping[str, object] | None = None,
        deadlines: Deadlines | None = None,
        gateway: Gateway | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.client = client
        self.system_prompt = system_prompt
        self.max_tokens = max_tokens
        self.max_output_tokens = max_output_tokens
        self.reserve = reserve
        self.temperature = temperature
        self.params: Mapping[str, object] = dict(params or {})
        self.deadlines = deadlines or Deadlines()
        self._gateway = gateway
        self._hooks = hooks
        self._id = os.urandom(8).hex()
        self._turns = 0
        self._history: list[Message] = []
        self._usage = Usage()
        self._open: Turn | None = None
        self._learned: dict[str, int] = {}
        self._count = lru_cache(maxsize=None)(count_message)

    @property
    def history(self) -> tuple[Message, ...]:
        """Every message so far, the system prompt apart; a turn appears when it is over."""
        self._settle_dropped()
        return tuple(self._history)

    @property
    def usage(self) -> Usage:
        """Tokens of all replies of this session, those undone, retried or cleared included."""
        self._settle_dropped()
        return self._usage

    token_usage = usage  # the name it has in the Rust crate

    @property
    def last_reply(self) -> Message | None:
        """The newest message of the model, with its own usage, status and finish reason."""
        return next((m for m in reversed(self.history) if m.role is Role.ASSISTANT), None)

    async def send_message(self, role: Role | str, content: str) -> Message:
        """Send a user message and return the whole reply.

        A reply that was cut is returned too: look at `reply.status`.

        Raises:
            UsageError: blank content, or a role other than the user's.
            ContextTooLong: it does not fit, by the estimate or by the server.
            CloudLLMError: no part of a reply came; the history is as before.
        """
        async with aclosing(self.stream_message(role, content)) as events:
            async for event in events:
                if isinstance(event, TurnFinished):
                    return event.reply
        raise UsageError("The turn was ended while its reply was coming in")

    def stream_message(self, role: Role | str, content: str) -> AsyncGenerator[Event, None]:
        """Send a user message and yield the events of its turn.

        `Trimmed` if something was left out, `RequestSent`, deltas, then `TurnFinished`, whose
        reply is marked partial if the stream was cut. Close the stream, or cancel the task, to
        stop the reply; what came of it is kept and marked. Raises what `send_message` raises.
        """

        def begin() -> tuple[int, Message]:
            message = _user_message(role, content)
            _check_next(self._history, message)
            return len(self._history), message

        return self._stream(begin)

    def retry_message(self) -> AsyncGenerator[Event, None]:
        """Run the last turn again; its old reply is replaced as soon as a new one begins.

        If none does, the old turn stays as it was. Yields and raises what `stream_message` does.
        """

        def begin() -> tuple[int, Message]:
            if not self._history:
                raise UsageError("There is nothing to retry yet")
            start = self._start_of_last_turn()
            return start, self._history[start]

        return self._stream(begin)

    def undo(self) -> str | None:
        """Take back the last turn and return the user's text; `None` if there is no turn."""
        self._end_open_turn()
        if not self._history:
            return None
        start = self._start_of_last_turn()
        text = self._history[start].content
        del self._history[start:]
        return text

    def clear_history(self) -> None:
        """Forget the conversation; system prompt and usage stay."""
        self._end_open_turn()
        self._history.clear()
        self._count.cache_clear()

    def inject_message(self, message: Message) -> None:
        """Add a message without sending anything.

        Raises:
            UsageError: it can't stand there: user and model take turns, the user begins, and a
                tool's result follows the call it answers.
        """
        self._end_open_turn()
        _check_next(self._history, message)
        self._history.append(message)

    async def limit(self) -> int | None:
        """The context limit in tokens: `max_tokens`, or else the model's, or what it refused at."""
        return await self._limit(self.client)

    async def plan(self, content: str = "") -> context.Plan:
        """What would go out if `content` were sent now; raises `ContextTooLong` if it can't."""
        return self._plan([*self.history, Message(Role.USER, content)], await self.limit())

    async def _limit(self, client: Client) -> int | None:
        known = self.max_tokens
        if known is None:
            known = (await self._road.model_info(client)).context_limit
        learned = self._learned.get(client.id)
        return min((limit for limit in (known, learned) if limit is not None), default=None)

    @property
    def _road(self) -> Gateway:
        if self._gateway is None:
            from cloudllm import gateway  # noqa: PLC0415 - a session is made before it is needed

            self._gateway = gateway
        return self._gateway

    def _plan(self, messages: Sequence[Message], limit: int | None) -> context.Plan:
        reserve = self.max_output_tokens if self.reserve is None else self.reserve
        return context.plan(
            self.system_prompt, messages, limit=limit, reserve=reserve, count=self._count
        )

    def _stream(self, begin: Callable[[], tuple[int, Message]]) -> AsyncGenerator[Event, None]:
        turn = Turn(begin)
        stream = self._run(turn)
        turn.stream = weakref.ref(stream)
        return stream

    async def _run(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """Run a turn and settle it, however it ends."""
        await self._enter(turn)
        try:
            turn.keep, turn.user = turn.begin()
            turn.client = self.client
            turn.info = self._next_turn(turn.client)
            turn.plan = self._plan(self._outgoing(turn), await self._limit(turn.client))
            async with aclosing(self._attempts(turn)) as events:
                async for event in events:
                    yield event
                    turn.reader = asyncio.current_task()
                    if self._open is not turn:
                        return
            if self._open is turn and not (turn.visible or turn.complete):
                raise InvalidResponse(f"{turn.client.id} ended the stream before an answer began")
            reply = self._settle(turn, Status.PARTIAL, _NO_FINISH_REASON)
        except CloudLLMError as error:
            reply = self._settle(turn, Status.PARTIAL, _one_line(error.message))
            if reply is None:
                raise
        except Exception as error:
            self._settle(turn, Status.PARTIAL, f"unexpected {type(error).__name__}")
            raise
        except BaseException:
            self._settle(turn, Status.CANCELLED, _CANCELLED)
            raise
        if reply is not None:
            yield TurnFinished(reply)

    async def _attempts(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """Send the request; if it is found too long, plan anew and send it once more."""
        request = Request(
            messages=(),
            max_output_tokens=self.max_output_tokens,
            temperature=self.temperature,
            params=MappingProxyType({**self.params}),  # hooks see it, and it is not theirs
        )
        for last in (False, True):
            try:
                asked = await self._asked(turn, replace(request, messages=turn.plan.messages))
                tell = self._teller(turn)
                for opening in self._opening(turn, tell):
                    yield opening
                stream = self._road.stream(turn.client, asked, self.deadlines)
                async with aclosing(stream) as events:
                    async for event in events:
                        if isinstance(event, StreamEnded):
                            turn.ended = event
                        elif event.text:
                            turn.add(event)
                            if tell is not None:
                                tell(event)  # first, since the reader may leave
                            yield event
            except ContextTooLong as error:
                if last or turn.visible:
                    raise
                turn.plan = self._replan(turn, error)
            else:
                return

    async def _asked(self, turn: Turn, request: Request) -> Request:
        """The request as the hooks leave it."""

        def check(changed: Request) -> None:
            turn.sent_tokens = context.check_changed(changed.messages, turn.plan, count=self._count)

        turn.sent_tokens = turn.plan.tokens
        if self._hooks is None:
            return request
        return await self._hooks.request(request, turn.info, check)

    def _teller(self, turn: Turn) -> Callable[[Event], None] | None:
        """Tells the hooks of an event; `None` while nobody listens, so that it costs nothing."""
        hooks = self._hooks
        if hooks is None or not hooks.listening:
            return None
        return lambda event: hooks.event(event, turn.info)

    def _opening(self, turn: Turn, tell: Callable[[Event], None] | None) -> Iterator[Event]:
        """What comes before the reply."""
        events: list[Event] = [RequestSent(turn.client.id)]
        if left_out := turn.plan.left_out:
            events.insert(0, Trimmed(len(left_out), sum(map(self._count, left_out))))
        for event in events:
            if tell is not None:
                tell(event)
            yield event

    def _replan(self, turn: Turn, error: ContextTooLong) -> context.Plan:
        """Plan with the server's limit, or with three quarters of what it refused; else raise."""
        if error.limit:
            self._learned[turn.client.id] = error.limit
        with suppress(ContextTooLong):
            for limit in filter(None, (error.limit, turn.plan.needed * 3 // 4)):
                plan = self._plan(self._outgoing(turn), limit)
                if plan.tokens < turn.plan.tokens:
                    return plan
        raise error

    def _next_turn(self, client: Client) -> TurnInfo:
        self._turns += 1
        return TurnInfo(session=self._id, number=self._turns, model=client.id)

    def _outgoing(self, turn: Turn) -> list[Message]:
        return [*self._history[: turn.keep], turn.user]

    async def _enter(self, turn: Turn) -> None:
        """Wait until no other turn is open; end one that was left unfinished."""
        me, loop = asyncio.current_task(), asyncio.get_running_loop()
        turn.reader = me
        while (other := self._open) is not None:
            if other.is_abandoned_by(me):
                self._settle(other, Status.CANCELLED, _CANCELLED)
                await other.close()
            elif other.over.get_loop() is not loop:
                raise UsageError("A session can't be used from two running event loops at once")
            else:
                await other.wait()
        turn.over = loop.create_future()
        self._open = turn

    def _settle(self, turn: Turn, status: Status, error: str | None) -> Message | None:
        """End a turn, once: keep what there is to keep, and return the reply if it was kept.

        `status` and `error` are those of a reply that did not come to its own end.
        """
        if self._open is not turn:
            return None
        self._open = None
        turn.over.set_result(None)
        if not (turn.visible or turn.complete):
            return None
        reply = turn.reply(Status.COMPLETE, None) if turn.complete else turn.reply(status, error)
        self._history[turn.keep :] = [turn.user, reply]
        self._usage += reply.usage or Usage()
        if self._hooks is not None:
            self._hooks.event(TurnFinished(reply), turn.info)
            self._hooks.reply(reply, turn.info)
        return reply

    def _settle_dropped(self) -> None:
        """End a turn that nobody will read on, even before the loop has closed its stream."""
        if self._open is not None and self._open.is_dropped:
            self._abandon(self._open)

    def _end_open_turn(self) -> None:
        """End a turn that this very task has left open, so that the history may be changed."""
        if self._open is None:
            return
        if not self._open.is_abandoned_by(current_task()):
            raise UsageError("A reply is still coming in", advice="Stop it first")
        self._abandon(self._open)

    def _abandon(self, turn: Turn) -> None:
        self._settle(turn, Status.CANCELLED, _CANCELLED)
        turn.close_soon()

    def _start_of_last_turn(self) -> int:
        roles = [message.role for message in self._history]
        return len(roles) - 1 - roles[::-1].index(Role.USER)


def _user_message(role: Role | str, content: str) -> Message:
    if role != Role.USER:
        raise UsageError(
            f"Only a user message can be sent, not one with the role {str(role)!r}",
            advice="Add it with inject_message",
        )
    if not content.strip():
        raise UsageError("There is nothing to send: the message is blank")
    return Message(Role.USER, content)


def _check_next(history: Sequence[Message], message: Message) -> None:
    """Raise `UsageError` if `message` can't follow `history`."""
    last = history[-1].role if history else None
    waiting = _calls_without_result(history)
    if message.role is Role.SYSTEM:
        raise UsageError("The history holds no system prompt", advice="Set system_prompt instead")
    if message.role is Role.TOOL:
        if message.tool_call_id not in waiting:
            raise UsageError(f"No tool call waits for the result {message.tool_call_id!r}")
    elif waiting:
        raise UsageError(f"The tool calls {', '.join(map(repr, waiting))} have no results yet")
    elif message.role is Role.USER and last not in (None, Role.ASSISTANT):
        raise UsageError("The last message has no reply yet", advice="Retry it, or undo it")
    elif message.role is Role.ASSISTANT and last not in (Role.USER, Role.TOOL):
        raise UsageError("A reply needs a user message before it")


def _calls_without_result(history: Sequence[Message]) -> list[str]:
    """The ids of the calls that still wait for their results at the end of `history`."""
    answered: set[str | None] = set()
    for message in reversed(history):
        if message.role is not Role.TOOL:
            return [call.id for call in message.tool_calls if call.id not in answered]
        answered.add(message.tool_call_id)
    return []


def _one_line(text: str) -> str:
    return " ".join(text.split())
