"""What a person does about a turn: /continue, /retry, /why, /context, /pin, /usage, consent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cloudllm import (
    BudgetExceeded,
    CloudLLMError,
    ConfigurationError,
    MissingKey,
    Status,
    UnknownProvider,
    UsageError,
    gateway,
)
from cloudllm.cli.compose import Options
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import COMMANDS, submit
from cloudllm.repl.commands.base import Value
from cloudllm.repl.sentinel import Command, UserText
from cloudllm.testing import Reply, WireServer
from tests.repl.acme import write_acme
from tests.repl.screens import FakeScreen


async def _awaited(values: Awaitable[Iterable[Value]]) -> Iterable[Value]:
    return await values


class Bench:
    """A chat in this process with the provider acme, whose model has a price."""

    def __init__(self, server: WireServer) -> None:
        self.server = server
        self.screen = FakeScreen()
        self.chat = Chat(Options().compose, {"model": "acme/one"}, self.screen)
        self.loop = asyncio.new_event_loop()
        self.do(self.chat.start())

    def do(self, awaitable: object) -> None:
        self.loop.run_until_complete(awaitable)  # type: ignore[arg-type]

    def submit(self, text: str) -> str:
        """Send a text, or run a command; gives what came of the answer, or what was shown."""
        self.screen.events.clear()
        self.screen.shown.clear()
        means = Command(text) if text.startswith("/") else UserText(text)
        self.do(submit(self.chat, means, asks=True))
        return self.screen.text or "\n".join(self.screen.shown)

    def offers(self, name: str, typed: str = "") -> list[str]:
        """What is offered for the argument of a command."""
        complete = COMMANDS[name].complete
        assert complete is not None
        values = self.loop.run_until_complete(_awaited(complete(self.chat, typed)))
        return [each if isinstance(each, str) else each[0] for each in values]

    @property
    def contents(self) -> list[str]:
        """What the last request said, the system prompt apart."""
        return [each["content"] for each in self.server.requests[-1].body["messages"][1:]]


@pytest.fixture
def bench(server: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    site = tmp_path / "site"
    write_acme(site, server.url)
    monkeypatch.syspath_prepend(str(site))
    bench = Bench(server)
    yield bench
    bench.do(bench.chat.close())
    bench.do(gateway.close())
    bench.loop.close()


def test_G11_a_cut_reply_is_continued_into_one(bench: Bench) -> None:
    bench.server.replies(Reply(text=["half ", "of "], cut_after=2), Reply(text="it all"))
    assert bench.submit("go") == "half of "
    assert bench.submit("/continue") == "it all"
    assert bench.chat.session is not None
    assert [each.content for each in bench.chat.session.history] == ["go", "half of it all"]
    with pytest.raises(UsageError, match="complete"):
        bench.submit("/continue")


def test_retry_sends_again_what_failed(bench: Bench) -> None:
    bench.server.replies(Reply.error(400, "not now"))
    with pytest.raises(CloudLLMError, match="not now"):
        bench.submit("my question")
    assert bench.submit("/retry") == "Hello from the wire."
    assert bench.contents == ["my question"]
    assert bench.submit("/retry") == "Hello from the wire."
    assert bench.contents == ["my question"]


def test_retry_sends_what_had_no_client_yet(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.do(bench.chat.set("model", "openai/gpt-4.1-nano"))
    with pytest.raises(MissingKey):
        bench.submit("my question")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-1234")
    monkeypatch.setenv("OPENAI_BASE_URL", bench.server.url)
    bench.do(bench.chat.set("temperature", "1"))  # the settings are read again
    assert bench.submit("/retry") == "Hello from the wire."
    assert bench.contents == ["my question"]


def test_context_strategies_are_offered_where_one_is_set(bench: Bench) -> None:
    bench.submit("hello")
    assert "context.strategy drop-oldest" in bench.offers("/set", "context.strategy d")
    assert "context.strategy drop-oldest" not in bench.offers("/set", "context.str")
    with pytest.raises(ConfigurationError, match="Did you mean drop-oldest"):
        bench.submit("/set context.strategy drop-odlest")
    assert bench.chat.settings.context.strategy == "drop-oldest"
    with pytest.raises(UnknownProvider, match="nosuch"):
        bench.submit("/set fallback nosuch/model")


def test_what_is_named_but_not_there_is_said_before_anything_is_sent(bench: Bench) -> None:
    bench.submit("/set context.strategy sumarize")
    with pytest.raises(ConfigurationError, match="Did you mean summarize"):
        bench.submit("hello")
    assert not bench.server.requests


@pytest.mark.parametrize("command", ["/retry", "/continue", "/undo", "/pin", "/unpin"])
def test_there_is_nothing_to_do_about_a_turn_before_the_first(command: str, bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"(?i)nothing to|no turn yet|no reply to"):
        bench.submit(command)


def test_why_lists_what_was_tried_without_secrets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_SECRET", "hunter2-canary")
    assert bench.submit("/why") == "No model has been asked yet."
    bench.submit("/set retry.attempts 2")
    bench.submit("/set fallback openai/x, echo/echo")
    bench.server.default = Reply.error(503, "down with hunter2-canary")
    assert bench.submit("hello").startswith("You said: hello")
    lines = bench.submit("/why").split("\n")
    assert [line.split()[:4] for line in lines if line[0] != " "] == [
        ["1", "acme/one", "failed", "-"],
        ["2", "acme/one", "failed", lines[3].split()[3]],
        ["3", "openai/x", "not", "sent"],
        ["4", "echo/echo", "complete", "-"],
    ]
    assert "Acme failed (503): down with ***" in lines[2]
    assert any("OPENAI_API_KEY" in line for line in lines)
    assert "hunter2" not in "\n".join(lines)


def test_G10_tokens_and_usage_show_what_a_reply_cost(bench: Bench) -> None:
    bench.submit("hello")
    assert bench.submit("/tokens").split("\n")[0].endswith("12 tokens · $0.00017")
    shown = bench.submit("/usage model")
    assert shown.split("\n")[1].startswith("acme/one")
    assert "$0.00017" in shown
    assert bench.offers("/usage") == ["day", "model", "provider"]
    with pytest.raises(UsageError):
        bench.submit("/usage weekly")


def test_G4_a_pinned_turn_goes_out_and_context_says_so_before_the_call(bench: Bench) -> None:
    bench.server.default = Reply(usage=None)  # so that nothing is learned of
    for text in ("keep me", "drop me " * 9, "last"):
        bench.submit(text)
    assert bench.offers("/pin") == ["1", "2", "3"]
    bench.submit("/pin 1")
    assert bench.offers("/pin") == ["2", "3"]
    assert bench.offers("/unpin") == ["1"]
    sent = len(bench.server.requests)
    bench.submit("/set context.reserve 10")
    bench.submit("/set context.limit 100")
    shown = bench.submit("/context and now?")
    assert len(bench.server.requests) == sent
    bench.submit("and now?")
    assert [row[25:34].strip() for row in shown.split("\n")[2:9]] == [
        "pinned", "pinned", "left out", "left out", "sent", "sent", "sent",
    ]  # fmt: skip
    assert bench.contents[::2] == ["keep me", "last", "and now?"]
    bench.submit("/unpin 1")
    assert "no longer pinned" in bench.screen.notices[-1]
    for wrong in ("/pin 9", "/pin one", "/pin -1"):
        with pytest.raises(UsageError, match="turn"):
            bench.submit(wrong)


def test_G10_to_send_the_same_again_lets_a_turn_go_over_the_budget_once(bench: Bench) -> None:
    bench.submit("/set budget.session 0.005")
    with pytest.raises(BudgetExceeded, match=r"could cost \$0\.02\d*\. Send the same again"):
        bench.submit("my question")
    assert not bench.server.requests
    assert bench.submit("my question") == "Hello from the wire."
    with pytest.raises(BudgetExceeded):  # it was for that once
        bench.submit("my question")
    assert bench.submit("/retry") == "Hello from the wire."  # which sends the same again
    with pytest.raises(BudgetExceeded):
        bench.submit("/retry")
    assert len(bench.server.requests) == 2


@pytest.mark.parametrize("between", ["another question", "/tokens", "my question "])
def test_G10_anything_else_withdraws_the_consent(between: str, bench: Bench) -> None:
    bench.submit("/set budget.session 0.005")
    with pytest.raises(BudgetExceeded):
        bench.submit("my question")
    with suppress(BudgetExceeded):
        bench.submit(between)
    with pytest.raises(BudgetExceeded):
        bench.submit("my question")
    assert not bench.server.requests


def test_G10_consent_is_for_that_model_alone(bench: Bench) -> None:
    bench.submit("/set budget.session 0.005")
    with pytest.raises(BudgetExceeded):
        bench.submit("my question")
    bench.do(bench.chat.use_model("acme/other"))
    with pytest.raises(BudgetExceeded, match="nobody knows the price") as caught:
        bench.submit("my question")
    assert "Send the same" not in caught.value.advice
    assert not bench.server.requests


def test_G3_what_came_of_a_stopped_reply_is_known(bench: Bench) -> None:
    bench.server.replies(Reply(text=["begun "] * 100, delay=0.05))

    async def stopped() -> None:
        turn = asyncio.ensure_future(submit(bench.chat, UserText("go"), asks=True))
        await bench.screen.begun.wait()
        turn.cancel()
        await asyncio.wait([turn])

    bench.do(stopped())
    assert bench.chat.kept is not None
    assert bench.chat.kept.status is Status.CANCELLED
    bench.submit("and on")
    assert bench.chat.kept is None
