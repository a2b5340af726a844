"""A conversation: its history, one turn at a time, and what it used.

A turn is atomic. Nothing enters the history before the first visible token (text or reasoning);
from then on, whatever happens, the user's message and what came of the reply are kept.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType

from cloudllm import context, continuation
from cloudllm.accounts import Accounts
from cloudllm.calibration import Calibration
from cloudllm.errors import BudgetExceeded, CloudLLMError, UsageError
from cloudllm.events import Event, Stalled, TurnFinished, TurnInfo
from cloudllm.messages import Attempt, Cost, Message, Outcome, Role, Status, Usage
from cloudllm.order import check_next
from cloudllm.planning import Planner
from cloudllm.provider import Client, Deadlines, LazyClient, Request
from cloudllm.relay import Relay
from cloudllm.retry import RetryPolicy
from cloudllm.sending import Sender
from cloudllm.strategies import Strategies
from cloudllm.strategy import ContextStrategy
from cloudllm.terms import Gateway, Hooks, Means, Terms
from cloudllm.turn import Start, Turn, current_task

_CANCELLED = "cancelled before it was complete"
_NO_FINISH_REASON = "the stream ended without a finish reason"
MOST_REPLY_BYTES = 16 * 2**20
_OUTCOMES = {
    Status.COMPLETE: Outcome.COMPLETE,
    Status.PARTIAL: Outcome.PARTIAL,
    Status.CANCELLED: Outcome.CANCELLED,
}


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
    strategy           what is done when not everything fits: "drop-oldest" leaves the oldest turns
                       out, "none" refuses; one of your own, or the name of one of `strategies`
    fallback           models to ask, in this order, when the one before failed and nothing of its
                       reply was visible
    retry              how often, and for how long, a model that failed so is asked again
    max_reply_bytes    where a reply is cut that does not end
    gateway            calls the model; `None` takes litellm's
    strategies         the strategies of plugins, `Strategies(Plugins())`; `None`: there are none
    accounts           the ledger and its budgets, which also a second process keeps to; `None`: what
                       is spent is counted in this session alone
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
        strategy: str | ContextStrategy = "drop-oldest",
        fallback: Sequence[Client | LazyClient] = (),
        retry: RetryPolicy | None = None,
        max_reply_bytes: int = MOST_REPLY_BYTES,
        gateway: Gateway | None = None,
        hooks: Hooks | None = None,
        strategies: Strategies | None = None,
        accounts: Accounts | None = None,
    ) -> None:
        self.client = client
        self.system_prompt = system_prompt
        self.max_tokens = max_tokens
        self.max_output_tokens = max_output_tokens
        self.reserve = reserve
        self.temperature = temperature
        self.params: Mapping[str, object] = dict(params or {})
        self.deadlines = deadlines or Deadlines()
        self.strategy = strategy
        self.fallback: Sequence[Client | LazyClient] = tuple(fallback)
        self.retry = retry or RetryPolicy()
        self.max_reply_bytes = max_reply_bytes
        self._means = Means(
            gateway=gateway,
            session=os.urandom(8).hex(),
            hooks=hooks,
            strategies=strategies,
            accounts=accounts,
        )
        self._turns = 0
        self._conversation = context.Conversation()
        self._attempts: tuple[Attempt, ...] = ()
        self._consents: dict[str, int] = {}
        self._unanswered: Message | None = None
        self._open: Turn | None = None

    @property
    def id(self) -> str:
        """Names the session, among all processes: in `TurnInfo` and in the ledger."""
        return self._means.session

    @property
    def history(self) -> tuple[Message, ...]:
        """Every message so far, the system prompt apart; a turn appears when it is over."""
        self._settle_dropped()
        return self._conversation.messages

    @property
    def usage(self) -> Usage:
        """Tokens of all replies of this session, those undone, retried or cleared included.

        So are those of summaries that a context strategy had a model write.
        """
        self._settle_dropped()
        return self._means.usage

    token_usage = usage  # the name it has in the Rust crate

    @property
    def cost(self) -> Cost:
        """The price of all that went out and was not refused, whether a reply came of it or not."""
        self._settle_dropped()
        return self._means.cost

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What was tried for the last turn that is over, whatever came of it."""
        self._settle_dropped()
        return self._attempts

    @property
    def calibration(self) -> Calibration:
        """What is known of the current model's way to count tokens."""
        return self._means.calibrations.of(self.client.id)

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

        def begin() -> Start:
            message = _user_message(role, content)
            check_next(self._conversation.messages, message)
            return Start(len(self._conversation), (message,))

        return self._stream(begin)

    def retry_message(self) -> AsyncGenerator[Event, None]:
        """Send the message again that failed last, or run the last turn again.

        Its old reply is replaced as soon as a new one begins; if none does, the old turn stays as
        it was. Yields and raises what `stream_message` does.
        """

        def begin() -> Start:
            if self._unanswered is not None:
                return Start(len(self._conversation), (self._unanswered,))
            if not len(self._conversation):
                raise UsageError("There is nothing to retry yet")
            start = self._conversation.start_of_last_turn()
            return Start(start, (self._conversation.messages[start],))

        return self._stream(begin)

    def continue_message(self) -> AsyncGenerator[Event, None]:
        """Go on with the last reply where it was cut, or stopped at the limit of its length.

        The deltas are those of the new part; the reply in the end is the whole. If nothing new
        comes, the old reply stays as it was. Yields and raises what `stream_message` does.

        Raises:
            UsageError: there is no such reply.
        """

        def begin() -> Start:
            history = self._conversation.messages
            reply = continuation.check(history)
            start = self._conversation.start_of_last_turn()
            return Start(start, history[start:-1], reply)

        return self._stream(begin)

    def undo(self) -> str | None:
        """Take back the last turn and return the user's text; `None` if there is no turn."""
        self._end_open_turn()
        if not len(self._conversation):
            return None
        start = self._conversation.start_of_last_turn()
        text = self._conversation.messages[start].content
        self._replace(start, ())
        return text

    def pin(self, number: int | None = None, *, pinned: bool = True) -> None:
        """Keep a turn from being left out of requests; `number` counts from 1, `None` is the last.

        Raises:
            UsageError: there is no such turn.
        """
        self._end_open_turn()
        turns = self._conversation.turns
        wanted = turns if number is None else number
        if not 1 <= wanted <= turns:
            known = f"{turns} so far" if turns else "none yet"
            raise UsageError(f"There is no turn {wanted}; there are {known}")
        self._conversation.pin(wanted, pinned)

    def clear_history(self) -> None:
        """Forget the conversation; system prompt and usage stay."""
        self._end_open_turn()
        self._replace(0, ())

    def inject_message(self, message: Message) -> None:
        """Add a message without sending anything.

        Raises:
            UsageError: it can't stand there: user and model take turns, the user begins, and a
                tool's result follows the call it answers.
        """
        self._end_open_turn()
        check_next(self._conversation.messages, message)
        self._unanswered = None
        self._conversation.append(message)

    def wait_on(self) -> None:
        """Wait for the reply under way whatever the deadlines say; call it in its event loop."""
        if self._open is not None:
            self._open.patience.wait_on()
            self._open.relay.wait_on()

    def consent(self, error: BudgetExceeded) -> None:
        """Let the next turn cost what `error` says it may, at that model, whatever the budgets say.

        Raises:
            UsageError: its cost is unknown, so that nobody can agree to it.
        """
        if error.projected_nano is None:
            raise UsageError(f"Nobody knows what {error.model} costs")
        self._consents[error.model] = error.projected_nano

    async def limit(self) -> int | None:
        """The context limit in tokens: `max_tokens`, or else the model's, or what it refused at."""
        if self.max_tokens is None:
            return (await self._planner(self._terms())).limit
        return min(self.max_tokens, self._means.limits.get(self.client.id, self.max_tokens))

    async def plan(self, content: str = "") -> context.Plan:
        """What would go out if `content` were sent now; nothing is sent or asked for it.

        Raises:
            ContextTooLong: it can't be sent.
            CloudLLMError: there is no such strategy.
        """
        planner = await self._planner(self._terms())
        start = Start(len(self._conversation), (Message(Role.USER, content),))
        return await planner.plan(start, planner.limit)

    async def _planner(self, terms: Terms) -> Planner:
        info = await self._means.road.model_info(self.client)
        return Planner(self._means, terms, self.client, info)

    def _terms(self) -> Terms:
        return Terms(
            conversation=self._conversation,
            system_prompt=self.system_prompt,
            limit=self.max_tokens,
            reserve=self.reserve,
            strategy=self.strategy,
            request=Request(
                messages=(),
                max_output_tokens=self.max_output_tokens,
                temperature=self.temperature,
                params=MappingProxyType({**self.params}),  # hooks see it, and it is not theirs
                max_reply_bytes=self.max_reply_bytes,
            ),
            deadlines=self.deadlines,
            retry=self.retry,
            fallback=self.fallback,
            consents=self._consents,
        )

    def _stream(self, begin: Callable[[], Start]) -> AsyncGenerator[Event, None]:
        turn = Turn(begin)
        stream = self._run(turn)
        turn.stream = weakref.ref(stream)
        return stream

    async def _run(self, turn: Turn) -> AsyncGenerator[Event, None]:
        """Run a turn and settle it, however it ends."""
        await self._enter(turn)
        try:
            turn.start = turn.begin()
            turn.client = self.client
            turn.info = self._next_turn(turn.client)
            sender = Sender(self._means, self._terms(), turn)
            self._consents = {}
            turn.relay = Relay(sender.run, Stalled)
            try:
                while (event := await turn.relay.next()) is not None:
                    yield event
                    turn.reader = asyncio.current_task()
                    if self._open is not turn:
                        return
            finally:
                await turn.relay.close()
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
            yield TurnFinished(reply, self._attempts)

    def _next_turn(self, client: Client) -> TurnInfo:
        self._turns += 1
        return TurnInfo(session=self._means.session, number=self._turns, model=client.id)

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
            self._give_up(turn, status)
            return None
        if turn.complete:
            status, error = Status.COMPLETE, None
        reply = turn.reply(status, error)
        turn.end_attempt(_OUTCOMES[status])
        self._attempts = tuple(turn.attempts)
        self._means.usage += reply.usage or Usage()
        if turn.start.continued is not None:
            reply = continuation.joined(turn.start.continued, reply)
        self._replace(turn.start.keep, (*turn.start.head, reply))
        hooks = self._means.hooks
        if hooks is not None:
            hooks.event(TurnFinished(reply, self._attempts), turn.info)
            hooks.reply(reply, turn.info)
        return reply

    def _give_up(self, turn: Turn, status: Status) -> None:
        """Nothing came of the turn: the history stays, and its message can be sent again."""
        if status is Status.CANCELLED:
            turn.end_attempt(Outcome.CANCELLED)
        self._attempts = tuple(turn.attempts)
        if turn.start.head and turn.start.keep == len(self._conversation):
            self._unanswered = turn.start.head[0]

    def _replace(self, start: int, messages: Sequence[Message]) -> None:
        """Put these messages in the place of all from `start` on."""
        self._conversation.replace_from(start, messages)
        self._unanswered = None

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


def _user_message(role: Role | str, content: str) -> Message:
    if role != Role.USER:
        raise UsageError(
            f"Only a user message can be sent, not one with the role {str(role)!r}",
            advice="Add it with inject_message",
        )
    if not content.strip():
        raise UsageError("There is nothing to send: the message is blank")
    return Message(Role.USER, content)


def _one_line(text: str) -> str:
    return " ".join(text.split())
