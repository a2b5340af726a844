"""The session for programs without an event loop: the same names, blocking.

All sessions share one event loop, which runs in a daemon thread from their first use on.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from cloudllm import context, session
from cloudllm.accounts import Accounts
from cloudllm.blocking import Job, Pump, shared
from cloudllm.calibration import Calibration
from cloudllm.errors import BudgetExceeded
from cloudllm.events import Event
from cloudllm.messages import Attempt, Cost, Message, Role, Usage
from cloudllm.provider import Client, Deadlines, LazyClient
from cloudllm.recording import Record
from cloudllm.retry import RetryPolicy
from cloudllm.strategies import Strategies
from cloudllm.strategy import ContextStrategy
from cloudllm.terms import Gateway, Hooks

if TYPE_CHECKING:
    from cloudllm.registry import client

__all__ = ("LLMSession", "client", "shutdown")

T = TypeVar("T")


class _Shared(Generic[T]):
    """An attribute that lives on the asynchronous session."""

    def __set_name__(self, owner: type[LLMSession], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type[LLMSession]) -> _Shared[T]: ...

    @overload
    def __get__(self, instance: LLMSession, owner: type[LLMSession]) -> T: ...

    def __get__(self, instance: LLMSession | None, owner: type[LLMSession]) -> _Shared[T] | T:
        if instance is None:
            return self
        value: T = getattr(instance._session, self._name)  # noqa: SLF001 - its own owner
        return value

    def __set__(self, instance: LLMSession, value: T) -> None:
        setattr(instance._session, self._name, value)  # noqa: SLF001 - its own owner


class LLMSession:
    """`cloudllm.LLMSession`, blocking; parameters, results and errors are the same.

    An interrupt (Ctrl-C) during a call cancels the turn and is raised again; what came of the
    reply is kept. Threads that share a session take turns.
    """

    client = _Shared[Client]()
    system_prompt = _Shared[str]()
    max_tokens = _Shared[int | None]()
    max_output_tokens = _Shared[int | None]()
    reserve = _Shared[int | None]()
    temperature = _Shared[float | None]()
    params = _Shared[Mapping[str, object]]()
    deadlines = _Shared[Deadlines]()
    strategy = _Shared[str | ContextStrategy]()
    fallback = _Shared[Sequence[Client | LazyClient]]()
    retry = _Shared[RetryPolicy]()
    max_reply_bytes = _Shared[int]()
    record = _Shared[Record | None]()

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
        max_reply_bytes: int = session.MOST_REPLY_BYTES,
        gateway: Gateway | None = None,
        hooks: Hooks | None = None,
        strategies: Strategies | None = None,
        accounts: Accounts | None = None,
        record: Record | None = None,
    ) -> None:
        self._session = session.LLMSession(
            client,
            system_prompt=system_prompt,
            max_tokens=max_tokens,
            max_output_tokens=max_output_tokens,
            reserve=reserve,
            temperature=temperature,
            params=params,
            deadlines=deadlines,
            strategy=strategy,
            fallback=fallback,
            retry=retry,
            max_reply_bytes=max_reply_bytes,
            gateway=gateway,
            hooks=hooks,
            strategies=strategies,
            accounts=accounts,
            record=record,
        )
        self._pumps: list[Pump] = []

    @property
    def id(self) -> str:
        """Names the session, among all processes: in `TurnInfo` and in the ledger."""
        return self._session.id

    @property
    def history(self) -> tuple[Message, ...]:
        """Every message so far, the system prompt apart; a turn appears when it is over."""
        return self._session.history

    @property
    def usage(self) -> Usage:
        """Tokens of all replies of this session, those undone, retried or cleared included."""
        return self._session.usage

    token_usage = usage  # the name it has in the Rust crate

    @property
    def cost(self) -> Cost:
        """The price of all that went out and was not refused, whether a reply came of it or not."""
        return self._session.cost

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What was tried for the last turn that is over, whatever came of it."""
        return self._session.attempts

    @property
    def calibration(self) -> Calibration:
        """What is known of the current model's way to count tokens."""
        return self._session.calibration

    @property
    def last_reply(self) -> Message | None:
        """The newest message of the model, with its own usage, status and finish reason."""
        return self._session.last_reply

    def send_message(self, role: Role | str, content: str) -> Message:
        """Send a user message and return the whole reply."""
        return self._call(lambda: self._session.send_message(role, content))

    def stream_message(self, role: Role | str, content: str) -> Generator[Event, None, None]:
        """Send a user message and yield the events of its turn; close it to stop the reply."""
        return self._stream(lambda: self._session.stream_message(role, content))

    def retry_message(self) -> Generator[Event, None, None]:
        """Run the last turn again; its old reply is replaced as soon as a new one begins."""
        return self._stream(self._session.retry_message)

    def continue_message(self) -> Generator[Event, None, None]:
        """Go on with the last reply where it was cut, or stopped at the limit of its length."""
        return self._stream(self._session.continue_message)

    def pin(self, number: int | None = None, *, pinned: bool = True) -> None:
        """Keep a turn from being left out of requests; `number` counts from 1, `None` is the last."""
        self._call(lambda: _run(lambda: self._session.pin(number, pinned=pinned)))

    def wait_on(self) -> None:
        """Wait for the reply under way whatever the deadlines say; for another thread than its own."""
        shared.loop().call_soon_threadsafe(self._session.wait_on)

    def consent(self, error: BudgetExceeded) -> None:
        """Let the next turn cost what `error` says it may, at that model, whatever the budgets say."""
        self._session.consent(error)

    def undo(self) -> str | None:
        """Take back the last turn and return the user's text; `None` if there is no turn."""
        return self._call(lambda: _run(self._session.undo))

    def clear_history(self) -> None:
        """Forget the conversation; system prompt and usage stay."""
        self._call(lambda: _run(self._session.clear_history))

    def inject_message(self, message: Message) -> None:
        """Add a message without sending anything."""
        self._call(lambda: _run(lambda: self._session.inject_message(message)))

    def load(self, messages: Iterable[Message], unanswered: str = "") -> None:
        """Take a conversation over in place of the present one, without sending anything."""
        self._call(lambda: _run(lambda: self._session.load(messages, unanswered)))

    def limit(self) -> int | None:
        """The context limit in tokens: `max_tokens`, or else the model's, or what it refused at."""
        return self._call(self._session.limit)

    def plan(self, content: str = "") -> context.Plan:
        """What would go out if `content` were sent now; raises `ContextTooLong` if it can't."""
        return self._call(lambda: self._session.plan(content))

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._stop_abandoned()
        return Job(work).result()

    def _stream(
        self, start: Callable[[], AsyncGenerator[Event, None]]
    ) -> Generator[Event, None, None]:
        self._stop_abandoned()
        pump = Pump(start)
        self._pumps.append(pump)
        try:
            while (event := pump.next()) is not None:
                yield event
        finally:
            self._pumps.remove(pump)
            pump.stop()

    def _stop_abandoned(self) -> None:
        """Stop what this thread, or one that has ended, streamed and left unfinished."""
        for pump in list(self._pumps):
            if pump.reader is threading.current_thread() or not pump.reader.is_alive():
                pump.stop()


async def _run(function: Callable[[], T]) -> T:
    return function()


def shutdown() -> None:
    """Cancel what still runs and close every connection; done by itself when the program ends."""
    shared.stop()


atexit.register(shutdown)


def __getattr__(name: str) -> object:
    """`client` as in `cloudllm`, loaded when it is used: it imports pydantic."""
    if name != "client":
        raise AttributeError(f"module 'cloudllm.sync' has no attribute {name!r}")
    from cloudllm.registry import client  # noqa: PLC0415 - see above

    return client
