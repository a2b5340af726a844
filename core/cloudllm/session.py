"""A conversation: its history, one turn at a time, and what it used.

A turn is atomic. Nothing enters the history before the first visible token (text or reasoning);
from then on, whatever happens, the user's message and what came of the reply are kept.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType

from cloudllm import context, continuation
from cloudllm.accounts import Accounts
from cloudllm.calibration import Calibration
from cloudllm.errors import BudgetExceeded, UsageError
from cloudllm.events import Event, TurnFinished
from cloudllm.messages import Attempt, Cost, Message, Role, Usage
from cloudllm.order import check_all, check_next
from cloudllm.planning import Planner
from cloudllm.provider import Client, Deadlines, LazyClient, Request
from cloudllm.recording import Record, Start
from cloudllm.retry import RetryPolicy
from cloudllm.strategies import Strategies
from cloudllm.strategy import ContextStrategy
from cloudllm.terms import Gateway, Hooks, Means, Terms
from cloudllm.turns import Turns

MOST_REPLY_BYTES = 16 * 2**20


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
    record             keeps the conversation as it happens: `Journal(path)` does so on disk; `None`:
                       nobody does; may be changed between turns

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
        record: Record | None = None,
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
        self.record = record
        self._means = Means(
            gateway=gateway,
            session=os.urandom(8).hex(),
            hooks=hooks,
            strategies=strategies,
            accounts=accounts,
        )
        self._conversation = context.Conversation()
        self._consents: dict[str, int] = {}
        self._turns = Turns(self._means, self._conversation, self._next_terms)

    @property
    def id(self) -> str:
        """Names the session, among all processes: in `TurnInfo` and in the ledger."""
        return self._means.session

    @property
    def history(self) -> tuple[Message, ...]:
        """Every message so far, the system prompt apart; a turn appears when it is over."""
        self._turns.settle_dropped()
        return self._conversation.messages

    @property
    def usage(self) -> Usage:
        """Tokens of all replies of this session, those undone, retried or cleared included.

        So are those of summaries that a context strategy had a model write.
        """
        self._turns.settle_dropped()
        return self._means.usage

    token_usage = usage  # the name it has in the Rust crate

    @property
    def cost(self) -> Cost:
        """The price of all that went out and was not refused, whether a reply came of it or not."""
        self._turns.settle_dropped()
        return self._means.cost

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What was tried for the last turn that is over, whatever came of it."""
        self._turns.settle_dropped()
        return self._turns.attempts

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

        return self._turns.stream(begin)

    def retry_message(self) -> AsyncGenerator[Event, None]:
        """Send the message again that failed last, or run the last turn again.

        Its old reply is replaced as soon as a new one begins; if none does, the old turn stays as
        it was. Yields and raises what `stream_message` does.
        """

        def begin() -> Start:
            if (unanswered := self._turns.unanswered) is not None:
                return Start(len(self._conversation), (unanswered,))
            if not len(self._conversation):
                raise UsageError("There is nothing to retry yet")
            start = self._conversation.start_of_last_turn()
            return Start(start, (self._conversation.messages[start],))

        return self._turns.stream(begin)

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

        return self._turns.stream(begin)

    def undo(self) -> str | None:
        """Take back the last turn and return the user's text; `None` if there is no turn."""
        self._turns.end_open()
        if not len(self._conversation):
            return None
        start = self._conversation.start_of_last_turn()
        text = self._conversation.messages[start].content
        self._turns.replace(start, ())
        if self.record is not None:
            self.record.cut(start)
        return text

    def pin(self, number: int | None = None, *, pinned: bool = True) -> None:
        """Keep a turn from being left out of requests; `number` counts from 1, `None` is the last.

        Raises:
            UsageError: there is no such turn.
        """
        self._turns.end_open()
        turns = self._conversation.turns
        wanted = turns if number is None else number
        if not 1 <= wanted <= turns:
            known = f"{turns} so far" if turns else "none yet"
            raise UsageError(f"There is no turn {wanted}; there are {known}")
        self._conversation.pin(wanted, pinned)
        if self.record is not None:
            self.record.pin(self._conversation.start_of_turn(wanted), pinned)

    def clear_history(self) -> None:
        """Forget the conversation; system prompt and usage stay."""
        self._turns.end_open()
        self._turns.replace(0, ())
        if self.record is not None:
            self.record.clear()

    def inject_message(self, message: Message) -> None:
        """Add a message without sending anything.

        Raises:
            UsageError: it can't stand there: user and model take turns, the user begins, and a
                tool's result follows the call it answers.
        """
        self._turns.end_open()
        check_next(self._conversation.messages, message)
        self._turns.replace(len(self._conversation), (message,))
        if self.record is not None:
            self.record.append(message)

    def load(self, messages: Iterable[Message], unanswered: str = "") -> None:
        """Take a conversation over in place of the present one, without sending anything.

        `unanswered` is a user message at its end that has no reply: `retry_message` sends it. What
        these messages used and cost is not counted as this session's. The record is not told, as
        it is where they are from: have a `Journal` resume them, afterwards.

        Raises:
            UsageError: one of them can't stand where it does; the history is as before.
        """
        self._turns.end_open()
        taken = tuple(messages)
        rest = (_user_message(Role.USER, unanswered),) if unanswered.strip() else ()
        check_all((*taken, *rest))
        self._turns.replace(0, taken)
        self._turns.unanswered = rest[0] if rest else None

    def wait_on(self) -> None:
        """Wait for the reply under way whatever the deadlines say; call it in its event loop."""
        self._turns.wait_on()

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

    def _next_terms(self) -> Terms:
        """The terms of a turn that begins; what was consented to holds for it alone."""
        terms, self._consents = self._terms(), {}
        return terms

    def _terms(self) -> Terms:
        return Terms(
            client=self.client,
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
            record=self.record,
        )


def _user_message(role: Role | str, content: str) -> Message:
    if role != Role.USER:
        raise UsageError(
            f"Only a user message can be sent, not one with the role {str(role)!r}",
            advice="Add it with inject_message",
        )
    if not content.strip():
        raise UsageError("There is nothing to send: the message is blank")
    return Message(Role.USER, content)
