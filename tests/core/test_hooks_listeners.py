"""`cloudllm_event` and `cloudllm_reply`: told in a thread of their own, bounded, held harmless."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudllm import (
    LLMSession,
    Message,
    PluginHooks,
    Plugins,
    Role,
    TextDelta,
    TurnInfo,
    listeners,
    sync,
)
from cloudllm.listeners import MOST_WAITING
from tests.chatplugins import write_plugin
from tests.core.test_session import ACME, END, Script

REPLY = Message(Role.ASSISTANT, "Hello")
TURN = TurnInfo(session="s", number=1, model="acme/one")


@dataclass
class Bench:
    """A place to install plugins, and what they were heard to say."""

    site: Path
    log: Path
    lines: list[str] = field(default_factory=list)

    def write(self, name: str, source: str) -> None:
        write_plugin(self.site, name, source.replace("LOG", repr(str(self.log))))

    def hooks(self, deadline: float | None = 10.0) -> PluginHooks:
        plugins = Plugins(deny=["guard", "speed"], deadline=deadline)
        plugins.listen(self.lines.append)
        return PluginHooks(plugins)

    @property
    def logged(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def has_said(self, *words: str) -> bool:
        """Wait until a line with these words was said."""
        end = time.monotonic() + 20
        while not any(all(word in line for word in words) for line in self.lines):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return Bench(tmp_path / "site", tmp_path / "log")


LOGS = """
@hookimpl
def cloudllm_event(event, turn):
    log(LOG, f"{type(event).__name__} {turn.number}")

@hookimpl
def cloudllm_reply(reply, turn):
    log(LOG, f"reply {turn.number} {reply.content}")
"""


async def test_a_plugin_hears_each_event_in_order_then_the_reply(bench: Bench) -> None:
    bench.write("logs", LOGS)
    hooks = bench.hooks()
    session = LLMSession(ACME, gateway=Script(), hooks=hooks)
    assert not hooks.listening
    for _ in range(2):
        await session.send_message(Role.USER, "Hi")
    assert hooks.listening
    await asyncio.to_thread(hooks.finish, 20)
    assert bench.logged == [
        line
        for number in (1, 2)
        for line in (
            f"RequestSent {number}",
            f"TextDelta {number}",
            f"TextDelta {number}",
            f"TurnFinished {number}",
            f"reply {number} Hello there",
        )
    ]
    assert bench.lines == []


async def test_a_failed_turn_has_no_reply_to_tell(bench: Bench) -> None:
    bench.write("logs", LOGS)
    hooks = bench.hooks()
    session = LLMSession(ACME, gateway=Script([ValueError()], [END]), hooks=hooks)
    with pytest.raises(ValueError, match=r"^$"):
        await session.send_message(Role.USER, "Hi")
    await session.send_message(Role.USER, "Hi")
    await asyncio.to_thread(hooks.finish, 20)
    assert bench.logged == ["RequestSent 1", "RequestSent 2", "TurnFinished 2", "reply 2 "]


async def test_nobody_listens_where_only_replies_are_wanted(bench: Bench) -> None:
    bench.write("replies", LOGS.replace("def cloudllm_event", "def _unused"))
    hooks = bench.hooks()
    await LLMSession(ACME, gateway=Script(), hooks=hooks).send_message(Role.USER, "Hi")
    assert not hooks.listening
    await asyncio.to_thread(hooks.finish, 20)
    assert bench.logged == ["reply 1 Hello there"]


@pytest.mark.parametrize("hook", ["cloudllm_event(event)", "cloudllm_reply(reply)"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('boom')", "failed: ValueError: boom"),
        ("raise SystemExit(3)", "failed: SystemExit: 3"),
        ("raise KeyboardInterrupt", "failed: KeyboardInterrupt"),
        ("class E(Exception):\n        __str__ = None\n    raise E", "failed: E"),
    ],
)
async def test_G8_a_hook_that_raises_is_told_and_off_after_three_times(
    hook: str, body: str, words: str, bench: Bench
) -> None:
    bench.write("bad", f"@hookimpl\ndef {hook}:\n    log(LOG, 'called')\n    {body}\n")
    bench.write("fine", LOGS)
    hooks = bench.hooks()
    session = LLMSession(ACME, gateway=Script([END]), hooks=hooks)
    for _ in range(4):
        reply = await session.send_message(Role.USER, "Hi")
        assert reply.status == "complete"
    await asyncio.to_thread(hooks.finish, 20)
    assert await asyncio.to_thread(bench.has_said, "off for the rest of this session")
    name = hook.partition("(")[0]
    start = f"plugin bad (cloudllm-bad 1.2): {name} {words}"
    assert len(bench.lines) == 3
    assert all(line.startswith(start) and "\n" not in line for line in bench.lines)
    assert bench.logged.count("called") == 3
    assert bench.logged.count("reply 4 ") == 1


async def test_G8_one_hook_may_be_off_and_the_other_on(bench: Bench) -> None:
    bench.write("half", LOGS.replace('log(LOG, f"{type', 'raise ValueError; (f"{type'))
    hooks = bench.hooks()
    session = LLMSession(ACME, gateway=Script(), hooks=hooks)
    for _ in range(2):
        await session.send_message(Role.USER, "Hi")
    await asyncio.to_thread(hooks.finish, 20)
    assert bench.logged == ["reply 1 Hello there", "reply 2 Hello there"]
    assert not hooks.listening


@pytest.mark.parametrize("hook", ["cloudllm_event(event)", "cloudllm_reply(reply)"])
@pytest.mark.parametrize("body", ["threading.Event().wait()", "while True: pass"])
async def test_G8_a_hook_that_hangs_is_off_and_holds_nobody_up(
    hook: str, body: str, bench: Bench
) -> None:
    bench.write("hangs", f"@hookimpl\ndef {hook}:\n    log(LOG, 'called')\n    {body}\n")
    bench.write("fine", LOGS)
    hooks = bench.hooks(deadline=0.3)
    session = LLMSession(ACME, gateway=Script(), hooks=hooks)
    for number in (1, 2):
        assert (await session.send_message(Role.USER, "Hi")).content == "Hello there"
        await asyncio.to_thread(hooks.finish, 20)
        assert f"reply {number} Hello there" in bench.logged
        assert await asyncio.to_thread(bench.has_said, "did not end within 0.3 s", "no more turns")
    assert len(bench.lines) == 1
    assert bench.logged.count("called") == 1


@pytest.mark.parametrize("hook", ["cloudllm_event(event)", "cloudllm_reply(reply)"])
@pytest.mark.parametrize("body", ["return 42", "return asyncio.sleep", "time.sleep(0.1)"])
async def test_G8_a_slow_hook_and_one_that_returns_something_are_left_alone(
    hook: str, body: str, bench: Bench
) -> None:
    bench.write("slow", f"@hookimpl\ndef {hook}:\n    log(LOG, 'called')\n    {body}\n")
    hooks = bench.hooks(deadline=5)
    session = LLMSession(ACME, gateway=Script(), hooks=hooks)
    for _ in range(3):
        await session.send_message(Role.USER, "Hi")
    await asyncio.to_thread(hooks.finish, 20)
    assert bench.lines == []


async def test_G8_a_plugin_that_is_too_slow_misses_events_but_no_reply(bench: Bench) -> None:
    source = """
    import threading
    threading.test_gate = threading.Event()

    @hookimpl
    def cloudllm_event(event):
        threading.test_gate.wait()
        log(LOG, "event")

    @hookimpl
    def cloudllm_reply(turn):
        log(LOG, f"reply {turn.number}")
    """
    bench.write("slow", source)
    hooks = bench.hooks(deadline=None)
    session = LLMSession(ACME, gateway=Script([END]), hooks=hooks)
    await session.send_message(Role.USER, "Hi")
    for _ in range(MOST_WAITING + 50):
        hooks.event(TextDelta("x"), TURN)
    hooks.reply(REPLY, TurnInfo(session="s", number=2, model="acme/one"))
    threading.test_gate.set()  # type: ignore[attr-defined]
    await asyncio.to_thread(hooks.finish, 60)
    assert [line for line in bench.logged if line != "event"] == ["reply 1", "reply 2"]
    assert MOST_WAITING - 50 < bench.logged.count("event") <= MOST_WAITING + 3
    (line,) = bench.lines
    assert "plugin slow (cloudllm-slow 1.2): cloudllm_event is too slow for this turn" in line


async def test_G8_the_end_waits_for_a_reply_hook_and_says_what_it_cut(bench: Bench) -> None:
    bench.write("slow", "@hookimpl\ndef cloudllm_reply(reply):\n    threading.Event().wait()\n")
    hooks = bench.hooks(deadline=60)
    await LLMSession(ACME, gateway=Script(), hooks=hooks).send_message(Role.USER, "Hi")
    await asyncio.to_thread(hooks.finish, 0.1)
    (line,) = bench.lines
    assert line.startswith("plugin slow (cloudllm-slow 1.2): cloudllm_reply was still at work")


def test_the_blocking_session_tells_plugins_too(bench: Bench) -> None:
    bench.write("logs", LOGS)
    hooks = bench.hooks()
    session = sync.LLMSession(ACME, gateway=Script(), hooks=hooks)
    session.send_message(Role.USER, "Hi")
    hooks.finish(20)
    assert bench.logged[-1] == "reply 1 Hello there"


async def test_a_listener_with_nothing_to_tell_leaves_no_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "_IDLE", 0.01)
    bench.write("idle", "@hookimpl\ndef cloudllm_reply(reply, turn):\n    log(LOG, 'told')\n")
    hooks = bench.hooks()
    session = LLMSession(ACME, gateway=Script(), hooks=hooks)
    for _ in range(2):  # it begins again
        await session.send_message(Role.USER, "Hi")
        await asyncio.to_thread(hooks.finish, 20)
        for thread in threading.enumerate():
            if thread.name == "cloudllm-listener-idle":
                await asyncio.to_thread(thread.join, 20)
                assert not thread.is_alive()
    assert bench.logged == ["told", "told"]
