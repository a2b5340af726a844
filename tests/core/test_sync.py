"""The blocking session: the same conversation, from threads, and with an interrupt in mind."""

from __future__ import annotations

import asyncio
import inspect
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

from cloudllm import (
    Client,
    Deadlines,
    Event,
    LLMSession,
    Message,
    ModelInfo,
    NetworkError,
    Request,
    RequestSent,
    Role,
    Status,
    StreamEnded,
    StreamEvent,
    TextDelta,
    TurnFinished,
    Usage,
    UsageError,
    sync,
)

ACME = Client(provider="acme", label="Acme AI", model="one")
END = StreamEnded("stop", Usage(input_tokens=10, output_tokens=2))


class Slow:
    """A gateway that answers word by word; a word `hang` or `fail` does what it says."""

    def __init__(self) -> None:
        self.hanging = threading.Event()
        self.closed = 0
        self.hook: Callable[[], None] = lambda: None

    async def stream(
        self, client: Client, request: Request, deadlines: Deadlines
    ) -> AsyncGenerator[StreamEvent, None]:
        try:
            for word in request.messages[-1].content.split():
                self.hook()
                if word == "hang":
                    self.hanging.set()
                    await asyncio.Event().wait()
                if word == "fail":
                    raise NetworkError("no route", tries=1)
                await asyncio.sleep(0.001)
                yield TextDelta(word)
            yield END
        finally:
            self.closed += 1

    async def model_info(self, client: Client) -> ModelInfo:
        return ModelInfo(name=client.model, context_limit=9000)


@pytest.fixture
def gateway() -> Slow:
    return Slow()


@pytest.fixture
def session(gateway: Slow) -> sync.LLMSession:
    return sync.LLMSession(ACME, gateway=gateway)


@pytest.fixture(scope="module", autouse=True)
def _loop() -> Iterator[None]:
    yield
    sync.shutdown()


def contents(session: sync.LLMSession) -> list[str]:
    return [message.content for message in session.history]


def test_it_has_the_names_and_parameters_of_the_asynchronous_session() -> None:
    def shape(thing: type) -> dict[str, list[str]]:
        public = {name: getattr(thing, name) for name in dir(thing) if not name.startswith("_")}
        methods = {n: m for n, m in public.items() if callable(m)} | {"__init__": thing}
        return {name: list(inspect.signature(m).parameters) for name, m in methods.items()}

    assert shape(sync.LLMSession) == shape(LLMSession)
    asynchronous = LLMSession(ACME)
    for name in vars(asynchronous).keys() | dir(LLMSession):
        assert name.startswith("_") or hasattr(sync.LLMSession, name)


def test_a_conversation(session: sync.LLMSession) -> None:
    reply = session.send_message(Role.USER, "one")
    assert (reply.content, reply.usage) == ("one", END.usage)
    assert session.last_reply is reply
    events = list(session.stream_message(Role.USER, "two three"))
    assert events[:-1] == [RequestSent("acme/one"), TextDelta("two"), TextDelta("three")]
    assert isinstance(events[-1], TurnFinished)
    assert [type(event) for event in session.retry_message()][-1] is TurnFinished
    assert contents(session) == ["one", "one", "two three", "twothree"]
    assert session.usage.input_tokens == 30
    assert session.undo() == "two three"
    session.clear_history()
    session.inject_message(Message(Role.USER, "injected"))
    assert contents(session) == ["injected"]


def test_settings_pass_through(session: sync.LLMSession) -> None:
    session.system_prompt, session.max_tokens, session.reserve = "Be brief.", 500, 20
    assert (session.system_prompt, session.limit()) == ("Be brief.", 500)
    plan = session.plan("Hi")
    assert (plan.messages[0].content, plan.limit, plan.reserve) == ("Be brief.", 500, 20)


def test_errors_are_raised_where_the_call_is(session: sync.LLMSession) -> None:
    with pytest.raises(NetworkError):
        session.send_message(Role.USER, "fail")
    with pytest.raises(NetworkError):
        list(session.stream_message(Role.USER, "fail"))
    with pytest.raises(UsageError):
        session.send_message(Role.SYSTEM, "x")
    assert session.history == ()


@pytest.mark.parametrize("how", ["close", "break", "abandon"])
def test_a_stream_that_is_left_is_cancelled_and_kept(
    session: sync.LLMSession, gateway: Slow, how: str
) -> None:
    stream = session.stream_message(Role.USER, "one two three")
    for event in stream:
        if isinstance(event, TextDelta):
            break
    if how == "close":
        stream.close()
    elif how == "break":
        del stream
    else:
        session.send_message(Role.USER, "next")
        assert list(stream) == []
        assert session.undo() == "next"
    assert contents(session) == ["one two three", "one"]
    assert session.history[-1].status is Status.CANCELLED
    assert gateway.closed == (2 if how == "abandon" else 1)


def test_a_stream_that_was_never_read_sends_nothing(
    session: sync.LLMSession, gateway: Slow
) -> None:
    session.stream_message(Role.USER, "one").close()
    assert gateway.closed == 0


@pytest.mark.parametrize("streaming", [False, True])
def test_G12_an_interrupt_cancels_the_turn_within_200_ms(
    session: sync.LLMSession, gateway: Slow, streaming: bool
) -> None:
    pressed = 0.0

    def press() -> None:
        nonlocal pressed
        gateway.hanging.wait(5)
        time.sleep(0.02)
        pressed = time.perf_counter()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def act() -> None:
        if streaming:
            list(session.stream_message(Role.USER, "one hang"))
        else:
            session.send_message(Role.USER, "one hang")

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        act()
    assert time.perf_counter() - pressed < 0.2
    assert contents(session) == ["one hang", "one"]
    assert session.history[-1].status is Status.CANCELLED
    assert gateway.closed == 1


def test_threads_on_one_session_take_turns(session: sync.LLMSession) -> None:
    threads = [
        threading.Thread(target=lambda n=n: list(session.stream_message("user", f"a b {n}")))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    got = contents(session)
    assert sorted(got[::2]) == [f"a b {n}" for n in range(8)]
    assert [text.replace(" ", "") for text in got[::2]] == got[1::2]


def test_what_a_thread_left_open_when_it_ended_stands_in_nobodys_way(
    session: sync.LLMSession,
) -> None:
    held: list[Iterator[Event]] = []

    def leave() -> None:
        stream = session.stream_message(Role.USER, "one hang")
        held.append(stream)
        for _ in range(2):
            next(stream)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    session.send_message(Role.USER, "next")
    assert contents(session) == ["one hang", "one", "next", "next"]


async def test_it_works_in_a_program_that_runs_a_loop_of_its_own(session: sync.LLMSession) -> None:
    reply = await asyncio.to_thread(session.send_message, Role.USER, "from a thread")
    assert reply.status is Status.COMPLETE
    assert session.send_message(Role.USER, "from the loop").status is Status.COMPLETE


def test_inside_its_own_loop_it_is_refused_in_one_line(
    session: sync.LLMSession, gateway: Slow
) -> None:
    caught: list[UsageError] = []
    other = sync.LLMSession(ACME, gateway=Slow())

    def hook() -> None:
        for call in (lambda: other.send_message("user", "x"), lambda: list(other.retry_message())):
            with pytest.raises(UsageError, match="inside its own event loop") as info:
                call()
            caught.append(info.value)

    gateway.hook = hook
    session.send_message(Role.USER, "one")
    assert len(caught) == 2


def test_the_loop_starts_anew_after_a_shutdown(session: sync.LLMSession) -> None:
    session.send_message(Role.USER, "one")
    sync.shutdown()
    session.send_message(Role.USER, "two")
    assert len(session.history) == 4


def test_a_program_may_end_in_the_middle_of_a_reply() -> None:
    code = (
        "import asyncio\n"
        "from cloudllm import Client, ModelInfo, TextDelta, sync\n"
        "class Gateway:\n"
        "    async def stream(self, client, request, deadlines):\n"
        "        while True:\n"
        "            yield TextDelta('x')\n"
        "            await asyncio.sleep(0.001)\n"
        "    async def model_info(self, client):\n"
        "        return ModelInfo(name='m')\n"
        "session = sync.LLMSession(Client(provider='a', label='A', model='m'), gateway=Gateway())\n"
        "stream = session.stream_message('user', 'Hi')\n"
        "print([type(next(stream)).__name__ for _ in range(2)])\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['RequestSent', 'TextDelta']\n"
