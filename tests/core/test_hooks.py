"""`cloudllm_request`: plugins see, change and veto what goes out, and cannot harm the program."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm import (
    CloudLLMError,
    ContextTooLong,
    LLMSession,
    Message,
    PluginError,
    PluginHooks,
    Plugins,
    RateLimited,
    Refused,
    Request,
    Role,
    StreamEnded,
    TextDelta,
    Trimmed,
    TurnInfo,
    UsageError,
)
from cloudllm.sync import LLMSession as BlockingSession
from tests.chatplugins import write_plugin
from tests.core.test_session import ACME, Script, events_of, texts

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Installs a plugin of the chat: its name, then its source."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))
    return lambda name, source: write_plugin(site, name, source)


def hooks(deadline: float = 20) -> PluginHooks:
    """Hooks of the plugins of this test alone."""
    return PluginHooks(Plugins(deny=["guard", "speed"], deadline=deadline))


def request_hook(body: str) -> str:
    return f"@hookimpl\ndef cloudllm_request(request, turn):\n    {body}\n"


APPEND = (
    "last = request.messages[-1]\n"
    "    return replace(request, messages=(*request.messages[:-1],"
    " replace(last, content=last.content + {text!r})))"
)


async def test_each_plugin_sees_the_request_as_the_one_before_it_left_it(write: Write) -> None:
    for name, text in (("b", "-b"), ("a", "-a"), ("first", "-first"), ("last", "-last")):
        write(name, request_hook(APPEND.format(text=text)))
    write("late", request_hook(APPEND.format(text="!")).replace("impl", "impl(trylast=True)", 1))
    write("early", request_hook(APPEND.format(text="?")).replace("impl", "impl(tryfirst=True)", 1))
    session = LLMSession(ACME, gateway=(script := Script()), hooks=hooks())
    await session.send_message(Role.USER, "Hi")
    assert texts(script.sent) == ["Hi?-a-b-first-last!"]
    assert texts(session.history) == ["Hi", "Hello there"]


async def test_G3_a_plugin_cannot_change_the_parameters_of_the_session_itself(
    write: Write,
) -> None:
    write("sly", request_hook("request.params['stop'] = 'x'"))
    session = LLMSession(ACME, params={"top_p": 1}, gateway=Script(), hooks=hooks())
    with pytest.raises(PluginError, match=r"plugin sly .*cloudllm_request failed: TypeError"):
        await session.send_message(Role.USER, "Hi")
    assert (session.params, session.history) == ({"top_p": 1}, ())


async def test_a_plugin_may_add_messages_and_change_parameters(write: Write) -> None:
    write(
        "adds",
        """
        @hookimpl
        def cloudllm_request(request):
            note = Message(Role.SYSTEM, "It is Friday.")
            return replace(request, messages=(note, *request.messages), temperature=0.0)
        """,
    )
    session = LLMSession(ACME, gateway=(script := Script()), hooks=hooks())
    reply = await session.send_message(Role.USER, "Hi")
    assert texts(script.sent) == ["It is Friday.", "Hi"]
    assert script.calls[0][1].temperature == 0.0
    assert reply.content == "Hello there"


async def test_a_request_that_ends_with_the_beginning_of_an_answer_may_be_changed(
    write: Write,
) -> None:
    write("adds", request_hook("return replace(request, temperature=0.5)"))
    begun = (Message(Role.USER, "Go on"), Message(Role.ASSISTANT, "And so"))
    turn = TurnInfo(session="s", number=1, model="acme/one")
    given = await hooks().request(Request(messages=begun), turn, lambda _: None)
    assert (given.messages, given.temperature) == (begun, 0.5)


async def test_an_estimate_counts_what_was_really_sent(write: Write) -> None:
    write("pads", request_hook(APPEND.format(text=" word" * 1000)))
    script = Script([TextDelta("Hello"), StreamEnded("stop")])
    session = LLMSession(ACME, gateway=script, hooks=hooks())
    reply = await session.send_message(Role.USER, "Hi")
    assert reply.usage is not None
    assert reply.usage.estimated
    assert reply.usage.input_tokens > 1000


async def test_the_turn_is_named_and_counted(write: Write, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    body = f"log({str(seen)!r}, f'{{turn.session}} {{turn.number}} {{turn.model}}')"
    write("logs", request_hook(body))
    shared = hooks()
    one, two = (LLMSession(ACME, gateway=Script(), hooks=shared) for _ in "12")
    for session in (one, one, two):
        await session.send_message(Role.USER, "Hi")
    await events_of(one.retry_message())
    rows = [line.split() for line in seen.read_text().splitlines()]
    assert [row[1:] for row in rows] == [[n, "acme/one"] for n in ("1", "2", "1", "3")]
    assert rows[0][0] == rows[1][0] == rows[3][0] != rows[2][0]


async def test_G3_a_veto_stops_the_turn_before_anything_is_sent(write: Write) -> None:
    write("no", request_hook("raise Refused('Not on a Friday', advice='Wait until Monday')"))
    session = LLMSession(ACME, gateway=(script := Script()), hooks=hooks())
    with pytest.raises(Refused) as caught:
        await session.send_message(Role.USER, "Hi")
    assert str(caught.value) == "plugin no (cloudllm-no 1.2): Not on a Friday. Wait until Monday"
    assert caught.value.exit_code == 7
    assert (session.history, script.calls) == ((), [])


@pytest.mark.parametrize(
    ("raised", "expected", "words"),
    [
        ("Refused('no: never')", Refused, "no: never"),
        ("RateLimited('slow down')", RateLimited, "plugin no (cloudllm-no 1.2): slow down. Wait"),
        ("UsageError('two\\nlines\\x1b[2J')", UsageError, "plugin no (…): two lines␛[2J"),
        ("PluginError('broken')", PluginError, "plugin no (…): broken"),
        ("Own('x')", Refused, "plugin no (…): Refused"),
    ],
)
async def test_any_error_of_ours_is_a_veto_in_the_plugins_own_words(
    raised: str, expected: type[CloudLLMError], words: str, write: Write
) -> None:
    own = """
class Own(Refused):
    exit_code = "seven"
    def __init__(self, text): pass
    def __str__(self): raise ValueError
"""
    write("no", own + request_hook(f"raise {raised}"))
    session = LLMSession(ACME, gateway=(script := Script()), hooks=hooks())
    with pytest.raises(expected) as caught:
        await session.send_message(Role.USER, "Hi")
    assert str(caught.value).startswith(words.replace("(…)", "(cloudllm-no 1.2)"))
    assert isinstance(caught.value.exit_code, int)
    assert "\n" not in str(caught.value)
    assert not script.calls


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('boom')", "failed: ValueError: boom"),
        ("raise SystemExit(3)", "failed: SystemExit: 3"),
        ("raise KeyboardInterrupt", "failed: KeyboardInterrupt"),
        ("raise asyncio.CancelledError", "failed: CancelledError"),
        ("sys.exit('bye')", "failed: SystemExit: bye"),
        ("threading.Event().wait()", "did not end within 0.2 s"),
        ("while True: pass", "did not end within 0.2 s"),
        ("return 42", "gave int, not a Request or None"),
        ("return asyncio.sleep(0)", "gave coroutine, not a Request or None"),
        ("return replace(request, messages=())", "no tuple of at least one Message"),
        ("return replace(request, messages=list(request.messages))", "no tuple"),
        ("return replace(request, messages=('Hi',))", "message 1 is not sound"),
        ("return replace(request, params=None)", "params are no mapping"),
        ("return replace(request, params={'a': object()})", "params cannot be written as JSON"),
        ("return replace(request, temperature='hot')", "temperature is no number"),
        ("return replace(request, max_output_tokens=0)", "max_output_tokens is no number above 0"),
        (
            "return replace(request, messages=(Message(Role.USER, chr(0xd800)),))",
            "half a character",
        ),
        ("return replace(request, messages=(Message('user', 'Hi'),))", "message 1 is not sound"),
        ("return replace(request, messages=(Message(Role.USER, None),))", "message 1 is not sound"),
        (
            "return replace(request, messages=(Message(Role.USER, 'Hi', tool_calls=['x']),))",
            "message 1 is not sound",
        ),
        (
            "return replace(request, messages=(Message(Role.USER, 'Hi', error=[]),))",
            "message 1 is not sound",
        ),
        (
            "return replace(request, messages=(*request.messages, Message(Role.ASSISTANT, 'Yo')))",
            "ends with a message of the assistant, not the user's",
        ),
    ],
)
async def test_G8_a_request_hook_that_fails_stops_its_turn_alone_and_stays_on(
    body: str, words: str, write: Write
) -> None:
    write("bad", request_hook(body))
    hangs = "0.2 s" in words
    session = LLMSession(
        ACME, gateway=(script := Script()), hooks=hooks(deadline=0.2 if hangs else 20)
    )
    for _ in range(2 if hangs else 4):
        with pytest.raises(PluginError) as caught:
            await session.send_message(Role.USER, "Hi")
        message = str(caught.value)
        assert message.startswith("plugin bad (cloudllm-bad 1.2): cloudllm_request ")
        assert words in message
        assert "\n" not in message
    assert (session.history, script.calls) == ((), [])


async def test_G8_a_slow_plugin_is_waited_for_and_the_loop_goes_on(write: Write) -> None:
    write("slow", request_hook("time.sleep(0.3)"))
    session = LLMSession(ACME, gateway=Script(), hooks=hooks())
    turn = asyncio.ensure_future(session.send_message(Role.USER, "Hi"))
    beats = 0
    while not turn.done():
        await asyncio.sleep(0.01)
        beats += 1
    assert (await turn).content == "Hello there"
    assert beats > 10


async def test_G3_a_turn_cancelled_while_a_plugin_hangs_leaves_no_trace(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    monkeypatch.setattr(threading, "test_started", started, raising=False)
    write("hangs", request_hook("threading.test_started.set(); threading.Event().wait()"))
    session = LLMSession(ACME, gateway=(script := Script()), hooks=hooks())
    turn = asyncio.ensure_future(session.send_message(Role.USER, "Hi"))
    assert await asyncio.to_thread(started.wait, 20)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert (session.history, script.calls) == ((), [])


async def test_a_change_that_does_not_fit_is_refused_under_the_plugins_name(write: Write) -> None:
    write("pads", request_hook(APPEND.format(text=" word" * 1000)))
    session = LLMSession(ACME, gateway=(script := Script(limit=500)), hooks=hooks())
    with pytest.raises(ContextTooLong) as caught:
        await session.send_message(Role.USER, "Hi")
    assert str(caught.value).startswith(
        "plugin pads (cloudllm-pads 1.2): the changed request needs about 1,"
    )
    assert "more than the limit of 500" in str(caught.value)
    assert (session.history, script.calls) == ((), [])


async def test_a_change_gets_room_by_leaving_out_older_turns(write: Write) -> None:
    write("pads", request_hook(APPEND.format(text=" word" * 120)))
    session = LLMSession(ACME, gateway=(script := Script(limit=500)), hooks=hooks())
    session.inject_message(Message(Role.USER, "one " * 150))
    session.inject_message(Message(Role.ASSISTANT, "two " * 150))
    events = await events_of(session.stream_message(Role.USER, "Hi"))
    assert isinstance(events[0], Trimmed)
    assert len(script.sent) == 1
    assert await session.limit() == 500


async def test_plugins_are_loaded_before_the_first_request_and_not_earlier(
    write: Write, tmp_path: Path
) -> None:
    write("marks", f"log({str(tmp_path / 'loaded')!r}, 'once')")
    session = LLMSession(ACME, gateway=Script(), hooks=hooks())
    assert not (tmp_path / "loaded").exists()
    await session.send_message(Role.USER, "Hi")
    await session.send_message(Role.USER, "Hi")
    assert (tmp_path / "loaded").read_text() == "once\n"


async def test_G8_a_plugin_that_cannot_be_loaded_costs_one_line_and_no_turn(write: Write) -> None:
    write("broken", "raise SystemExit('at import')")
    plugins = Plugins(deny=["guard", "speed"])
    lines: list[str] = []
    plugins.listen(lines.append)
    session = LLMSession(ACME, gateway=Script(), hooks=PluginHooks(plugins))
    assert (await session.send_message(Role.USER, "Hi")).content == "Hello there"
    (line,) = lines
    assert "plugin broken (cloudllm-broken 1.2)" in line
    assert "SystemExit: at import" in line


def test_the_blocking_session_takes_hooks_too(write: Write) -> None:
    write("shouts", request_hook(APPEND.format(text="!")))
    script = Script()
    session = BlockingSession(ACME, gateway=script, hooks=hooks())
    session.send_message(Role.USER, "Hi")
    assert texts(script.sent) == ["Hi!"]


def test_a_session_without_hooks_loads_no_plugin() -> None:
    program = (
        "import asyncio, sys\n"
        "from cloudllm import Client, LLMSession, ModelInfo, StreamEnded, TextDelta\n"
        "async def stream(client, request, deadlines):\n"
        "    yield TextDelta('a')\n"
        "    yield StreamEnded('stop')\n"
        "async def model_info(client): return ModelInfo(name='x')\n"
        "gateway = type('G', (), dict(stream=staticmethod(stream),"
        " model_info=staticmethod(model_info)))\n"
        "acme = Client(provider='acme', label='Acme', model='one')\n"
        "asyncio.run(LLMSession(acme, gateway=gateway).send_message('user', 'Hi'))\n"
        "print([m for m in sys.modules if m.startswith(('cloudllm_plugins', 'cloudllm.hooks'))])\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_G1_the_chat_brings_no_plugin_along_to_its_first_prompt() -> None:
    program = (
        "import sys, cloudllm.cli.chat, cloudllm.cli.compose, cloudllm.repl.loop\n"
        "print([m for m in sys.modules if m.startswith(('cloudllm_plugins', 'cloudllm.plugins',"
        " 'cloudllm.hooks', 'pluggy'))])\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Telltale:
    """Hooks of an embedder's own: the protocol, no plugin."""

    listening = True

    def __init__(self) -> None:
        self.heard: list[object] = []

    async def request(self, request: Request, turn: object, check: object) -> Request:
        self.heard.append("request")
        return request

    def event(self, event: object, turn: object) -> None:
        self.heard.append(type(event).__name__)

    def reply(self, reply: Message, turn: object) -> None:
        self.heard.append(reply)


async def test_an_embedder_may_bring_hooks_of_its_own() -> None:
    telltale = Telltale()
    session = LLMSession(ACME, gateway=Script(), hooks=telltale)
    await session.send_message(Role.USER, "Hi")
    assert telltale.heard == [
        "request", "RequestSent", "TextDelta", "TextDelta", "TurnFinished", session.last_reply,
    ]  # fmt: skip


async def test_hooks_learn_of_a_reply_that_was_stopped() -> None:
    telltale = Telltale()
    session = LLMSession(ACME, gateway=Script(), hooks=telltale)
    stream = session.stream_message(Role.USER, "Hi")
    await anext(stream)
    await anext(stream)
    await stream.aclose()
    assert telltale.heard == [
        "request", "RequestSent", "TextDelta", "TurnFinished", session.last_reply,
    ]  # fmt: skip
    assert session.last_reply is not None
    assert session.last_reply.status == "cancelled"
