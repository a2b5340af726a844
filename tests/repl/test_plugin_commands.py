"""Slash commands of plugins: found, run and completed like the chat's own, and held harmless."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from cloudllm import CloudLLMError, RequestSent, TurnFinished, UsageError
from cloudllm.cli.compose import Options
from cloudllm.events import Event
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import known, run
from cloudllm.repl.completion import ChatCompleter
from tests.chatplugins import write_plugin
from tests.repl.screens import FakeScreen


class Screen(FakeScreen):
    """Counts the turns among what is shown, and has begun with any of it."""

    def event(self, event: Event) -> None:
        super().event(event)
        if isinstance(event, RequestSent | TurnFinished):
            self.shown.append(type(event).__name__)

    def output(self, text: str) -> None:
        super().output(text)
        self.begun.set()


@dataclass
class Bench:
    """A chat in this process, and a place to install plugins for it."""

    site: Path
    screen: Screen = field(default_factory=Screen)
    started: bool = False

    def __post_init__(self) -> None:
        self.chat = Chat(Options().compose, {"model": "echo/echo"}, self.screen)

    def write(self, name: str, source: str) -> None:
        write_plugin(self.site, name, source)

    def command(
        self, body: str, *, name: str = "/try", plugin: str = "trial", more: str = ""
    ) -> None:
        source = (
            f"def run(chat, argument):\n    {body}\n"
            "@hookimpl\ndef cloudllm_commands():\n"
            f"    return [Command(name={name!r}, summary='try it', run=run, {more})]\n"
        )
        self.write(plugin, source)

    async def run(self, line: str) -> list[str]:
        """Run a command; gives what was shown."""
        await self.start()
        await run(self.chat, line)
        return self.screen.shown

    async def start(self) -> None:
        """Start the chat, unless that is done."""
        if not self.started:
            self.started = True
            await self.chat.start()
            await asyncio.sleep(0)
            self.screen.notices.clear()  # that the plugins are new


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return Bench(tmp_path / "site")


async def test_a_command_gets_its_argument_and_its_answer_is_shown(bench: Bench) -> None:
    bench.command("chat.say('first'); return f'{argument!r} to {chat.model}'")
    assert await bench.run("/try  some thing ") == ["first", "'some thing' to echo/echo"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('boom')", "failed: ValueError: boom"),
        ("raise SystemExit(3)", "failed: SystemExit: 3"),
        ("raise KeyboardInterrupt", "failed: KeyboardInterrupt"),
        ("raise asyncio.CancelledError", "failed: CancelledError"),
        ("chat.say(42)", "failed: TypeError: text must be str, not int"),
        ("chat.send(None)", "failed: TypeError: text must be str, not NoneType"),
        ("return 42", "gave int, no text"),
        ("return b'bytes'", "gave bytes, no text"),
        ("return (n for n in 'abc')", "gave generator, no text"),
        (
            "async def late():\n        raise ValueError('late')\n    return late()",
            "ValueError: late",
        ),
        ("async def late():\n        return 42\n    return late()", "gave int, no text"),
        ("raise UsageError('try harder')", "try harder"),
    ],
)
async def test_G8_a_command_that_fails_is_one_line_and_works_the_next_time(
    body: str, words: str, bench: Bench
) -> None:
    bench.command(body)
    for _ in range(4):
        with pytest.raises(CloudLLMError) as caught:
            await bench.run("/try")
        message = str(caught.value)
        assert "plugin trial (cloudllm-trial 1.2)" in message
        assert words in message
        assert "\n" not in message
    assert bench.screen.shown == []


async def test_a_command_may_be_a_coroutine_and_may_take_its_time(bench: Bench) -> None:
    bench.command(
        "async def late():\n        await asyncio.sleep(0.2)\n        return 'late'\n    return late()"
    )
    bench.chat.flags["plugins.deadline"] = "0.1"
    assert await bench.run("/try") == ["late"]


async def test_a_command_sends_reads_and_edits(bench: Bench) -> None:
    bench.command(
        "one = chat.send('one'); two = chat.send('two'); chat.edit('draft');"
        " return f'{two.content} {len(chat.history)} {chat.usage.total_tokens > 0}'"
    )
    shown = await bench.run("/try")
    assert shown == [
        "RequestSent", "TurnFinished", "RequestSent", "TurnFinished", "You said: two 4 True",
    ]  # fmt: skip
    assert bench.screen.text.startswith("You said: one")
    assert bench.screen.editor == "draft"


async def test_before_the_first_turn_there_is_a_model_and_nothing_else(bench: Bench) -> None:
    bench.command("return f'{chat.model} {chat.history} {chat.usage.total_tokens}'")
    assert await bench.run("/try") == ["echo/echo () 0"]


async def test_an_error_of_a_turn_reaches_the_command(bench: Bench) -> None:
    bench.chat.flags["model"] = "nobody/one"
    bench.command(
        "try:\n        chat.send('x')\n    except CloudLLMError as e:\n        return type(e).__name__"
    )
    assert await bench.run("/try") == ["UnknownProvider"]


async def test_G12_stopping_a_command_ends_the_wait_and_what_it_can_do(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = {name: threading.Event() for name in ("in", "go", "out")}
    monkeypatch.setattr(threading, "test_signals", signals, raising=False)
    bench.command(
        "signals = threading.test_signals\n"
        "    while not signals['out'].is_set():\n"
        "        try:\n"
        "            signals['in'].set(); signals['go'].wait()\n"
        "            errors = []\n"
        "            for act in (chat.say, chat.edit, chat.send):\n"
        "                try: act('x')\n"
        "                except UsageError as error: errors.append(str(error))\n"
        "            threading.test_errors = errors, chat.model\n"
        "            signals['out'].set()\n"
        "        except BaseException: pass"  # what ends its thread may come late: it goes on anyway
    )
    await bench.start()
    task = asyncio.ensure_future(run(bench.chat, "/try"))
    await asyncio.to_thread(signals["in"].wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    signals["go"].set()
    assert await asyncio.to_thread(signals["out"].wait, 20)
    assert threading.test_errors == (["/try was stopped"] * 3, "echo/echo")  # type: ignore[attr-defined]
    assert bench.screen.shown == []


async def test_G12_a_stopped_command_that_computes_for_ever_is_ended(bench: Bench) -> None:
    bench.command("chat.say('begun')\n    while True: pass")
    await bench.start()
    task = asyncio.ensure_future(run(bench.chat, "/try"))
    await bench.screen.begun.wait()
    (thread,) = (each for each in threading.enumerate() if each.name == "cloudllm-command-/try")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(thread.join, 20)
    assert not thread.is_alive()
    assert bench.screen.notices == []


async def test_G3_stopping_a_command_stops_what_it_sends_and_keeps_what_came(bench: Bench) -> None:
    bench.chat.flags["providers.echo.delay"] = "0.05"
    bench.command("chat.send('word ' * 500)")
    await bench.start()
    task = asyncio.ensure_future(run(bench.chat, "/try"))
    await bench.screen.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    session = bench.chat.session
    assert session is not None
    assert [message.status for message in session.history] == ["complete", "cancelled"]


async def test_a_command_that_is_over_sends_nothing_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.command("threading.test_chat = chat")
    await bench.run("/try")
    chat: Any = threading.test_chat  # type: ignore[attr-defined]
    await asyncio.to_thread(chat.say, "later")
    with pytest.raises(UsageError, match="/try is over"):
        await asyncio.to_thread(chat.send, "x")
    assert bench.screen.shown == ["later"]


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        ("'try'", "'try' is no slash followed by"),
        ("'/Try'", "'/Try' is no slash"),
        ("'/two words'", "'/two words' is no slash"),
        ("'/tr\\x1b[2Jy'", r"'/tr\x1b[2Jy' is no slash"),
        ("'/'", "'/' is no slash"),
        ("'//try'", "'//try' is no slash"),
        ("'/' + 'x' * 40", "is no slash"),
        ("'/try\\n'", "is no slash"),
        ("7", "7 is no slash"),
        ("'/model'", "/model is a command of the chat itself"),
        ("'/q'", "/q is short for /quit"),
    ],
)
async def test_G8_a_name_that_is_none_is_refused_in_one_line(
    offered: str, words: str, bench: Bench
) -> None:
    bench.write(
        "names",
        f"""
        def run(chat, argument): return "fine"
        @hookimpl
        def cloudllm_commands():
            return [Command(name=name, summary="s", run=run) for name in ({offered}, "/fine")]
        """,
    )
    assert await bench.run("/fine") == ["fine"]
    (line,) = bench.screen.notices
    assert line.startswith("plugin names (cloudllm-names 1.2): ")
    assert words in line
    assert "\n" not in line
    assert "/model" in known(bench.chat)
    assert bench.chat.plugin_commands.keys() == {"/fine", "/speed"}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("raise ValueError('boom')", "cloudllm_commands failed: ValueError: boom"),
        ("raise SystemExit(3)", "cloudllm_commands failed: SystemExit: 3"),
        pytest.param(
            "threading.Event().wait()",
            "cloudllm_commands did not end within 0.5 s",
            marks=pytest.mark.slow,
        ),
        ("return None", "gave None, no list of commands"),
        ("return 'abc'", "gave str, no list of commands"),
        ("return {'/a': 1}", "gave dict, no list of commands"),
        ("return [run]", "function is no Command"),
        ("return iter(int, 1)", "gave more than 100 commands"),
        ("return [Command(name='/a', summary=1, run=run)]", "summary and the argument of /a"),
        ("return [Command(name='/a', summary='', run='run')]", "what runs or completes /a"),
        ("return [Command(name='/a', summary='', run=run, complete=1)]", "what runs or completes"),
    ],
)
async def test_G8_a_hook_that_offers_no_commands_costs_one_line_and_no_others(
    result: str, words: str, bench: Bench
) -> None:
    bench.chat.flags["plugins.deadline"] = "0.5"
    bench.write(
        "bad",
        f"def run(chat, argument): pass\n@hookimpl\ndef cloudllm_commands():\n    {result}\n",
    )
    bench.command("return 'fine'")
    assert await bench.run("/try") == ["fine"]
    (line,) = bench.screen.notices
    assert line.startswith("plugin bad (cloudllm-bad 1.2): ")
    assert words in line


async def test_a_name_that_two_plugins_offer_is_left_out_for_both(bench: Bench) -> None:
    for plugin in ("one", "two"):
        bench.command("return 'x'", plugin=plugin)
    with pytest.raises(UsageError, match="unknown command /try"):
        await bench.run("/try")
    (line,) = bench.screen.notices
    assert "/try is offered more than once, by one (cloudllm-one 1.2) and two (cloudllm-two" in line


async def test_help_and_suggestions_know_them(bench: Bench) -> None:
    bench.command("return 'x'", more="argument='[A\\x1bB]\\n'")
    (text,) = await bench.run("/help")
    assert "/try [A␛B]" in text
    (_, text) = await bench.run("/help try")
    assert text == "/try [A␛B]  try it"
    with pytest.raises(UsageError, match=r"unknown command /tri\. Did you mean /try"):
        await bench.run("/tri")


async def test_own_commands_do_not_wait_for_plugins(bench: Bench) -> None:
    bench.write("slow", "threading.Event().wait(60)")
    bench.chat.flags["plugins.deadline"] = "none"
    await bench.run("/model")
    assert "echo/echo" in bench.screen.shown[0]


async def offers(completer: ChatCompleter, text: str) -> list[str]:
    document = Document(text, len(text))
    found = completer.get_completions_async(document, CompleteEvent())
    return [completion.text async for completion in found]


async def test_names_and_values_are_completed(bench: Bench) -> None:
    bench.command("return 'x'", more="complete=lambda: ['alpha', 'beta', 'alps']")
    await bench.run("/try")
    completer = ChatCompleter(bench.chat)
    assert await offers(completer, "/t") == ["/tokens", "/tree ", "/try"]
    assert await offers(completer, "/try al") == ["alpha", "alps"]
    assert await offers(completer, "/try\n") == []


@pytest.mark.parametrize(
    ("complete", "words"),
    [
        ("1 / 0", "completion of /try failed: ZeroDivisionError"),
        ("sys.exit(3)", "completion of /try failed: SystemExit: 3"),
        pytest.param(
            "threading.Event().wait()",
            "completion of /try did not end within 1 s",
            marks=pytest.mark.slow,
        ),
        ("7", "gave int, no list of values"),
        ("'abc'", "gave str, no list of values"),
        ("asyncio.sleep(0)", "gave coroutine, no list of values"),
        ("['fine', 7]", "gave a value that can't be typed"),
        ("['two\\nlines']", "gave a value that can't be typed"),
    ],
)
async def test_G8_a_completion_that_fails_is_dropped_and_said_once(
    complete: str, words: str, bench: Bench
) -> None:
    bench.command("return 'x'", more=f"complete=lambda: {complete}")
    await bench.run("/try")
    completer = ChatCompleter(bench.chat)
    for _ in range(3):
        assert await offers(completer, "/try ") == []
    await asyncio.sleep(0)
    (line,) = bench.screen.notices
    assert line.startswith("plugin trial (cloudllm-trial 1.2): ")
    assert words in line
    assert await bench.run("/try") == ["x", "x"]


def test_G8_what_a_plugin_says_after_the_chat_has_ended_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    bench = Bench(tmp_path / "site")
    bench.command("return 'x'")
    asyncio.run(bench.run("/try"))
    plugins = bench.chat.registry.plugins
    plugins.notify(next(each for each in plugins.installed if each.name == "trial"), "too late")
    assert bench.screen.notices == []
