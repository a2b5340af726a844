"""The session for programs without an event loop: the same names, blocking.

All sessions share one event loop, which runs in a daemon thread from their first use on.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
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
from contextlib import aclosing
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from cloudllm import context, session
from cloudllm.accounts import Accounts
from cloudllm.calibration import Calibration
from cloudllm.errors import BudgetExceeded, UsageError
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

_EXIT_PATIENCE = 2.0  # seconds a program's exit may wait for connections to close


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
        self._pumps: list[_Pump] = []

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
        _shared.loop().call_soon_threadsafe(self._session.wait_on)

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
        return _Job(work).result()

    def _stream(
        self, start: Callable[[], AsyncGenerator[Event, None]]
    ) -> Generator[Event, None, None]:
        self._stop_abandoned()
        pump = _Pump(start)
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


class _Job(Generic[T]):
    """A coroutine under way on the shared loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._loop = _shared.loop()
        self._done = threading.Event()
        self._loop.call_soon_threadsafe(self._start, work)

    def result(self) -> T:
        """Wait for the end of it; an interrupt cancels it and is raised when it is over."""
        try:
            self._done.wait()
        except BaseException:
            self.cancel()
            raise
        return self._task.result()

    def cancel(self) -> None:
        """Cancel it and wait until it is over."""
        if not self._done.is_set():
            self._loop.call_soon_threadsafe(self._cancel)
            if not _shared.is_here():
                self._done.wait()

    def _cancel(self) -> None:
        self._task.cancel()

    def _start(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._task = self._loop.create_task(work())
        self._task.add_done_callback(lambda _: self._done.set())


class _Pump:
    """One task that reads a stream of events, each when the thread that reads asks for it."""

    def __init__(self, start: Callable[[], AsyncGenerator[Event, None]]) -> None:
        self.reader = threading.current_thread()
        self._start = start
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._demand = asyncio.Semaphore(0)
        self._loop = _shared.loop()
        self._stopped = False
        self._job = _Job(self._run)

    def next(self) -> Event | None:
        """The next event, or `None` at the end; raises what the stream raised."""
        self._loop.call_soon_threadsafe(self._demand.release)
        event = self._events.get()
        if event is None and not self._stopped:
            self._job.result()
        return event

    def stop(self) -> None:
        """Cancel the turn if it is not over, and wait until what came of it is kept."""
        self._stopped = True
        self._job.cancel()

    async def _run(self) -> None:
        try:
            async with aclosing(self._start()) as events:
                await self._demand.acquire()
                async for event in events:
                    self._events.put(event)
                    await self._demand.acquire()
        finally:
            self._events.put(None)


class _LoopThread:
    """The event loop that all blocking sessions share, in a daemon thread."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop; raises `UsageError` if called from its own thread, which would hang."""
        if self.is_here():
            raise UsageError(
                "cloudllm.sync was called inside its own event loop",
                advice="Use cloudllm.LLMSession there, which does not block",
            )
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                started = threading.Event()
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._serve(started)),
                    name="cloudllm.sync",
                    daemon=True,
                )
                self._thread.start()
                started.wait()
        return self._loop

    def is_here(self) -> bool:
        """Does the calling code run on the loop's own thread?"""
        return threading.current_thread() is self._thread

    def stop(self) -> None:
        """Cancel what still runs and close the connections; a later call starts anew."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(_EXIT_PATIENCE)

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        started.set()
        await self._stopped.wait()
        gateway = sys.modules.get("cloudllm.gateway")
        if gateway is not None:
            await gateway.close()


async def _run(function: Callable[[], T]) -> T:
    return function()


def shutdown() -> None:
    """Cancel what still runs and close every connection; done by itself when the program ends."""
    _shared.stop()


_shared = _LoopThread()
atexit.register(shutdown)


def __getattr__(name: str) -> object:
    """`client` as in `cloudllm`, loaded when it is used: it imports pydantic."""
    if name != "client":
        raise AttributeError(f"module 'cloudllm.sync' has no attribute {name!r}")
    from cloudllm.registry import client  # noqa: PLC0415 - see above

    return client
