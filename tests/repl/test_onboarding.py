"""A first start without a key: what is offered, what comes of each choice, and what stays hidden."""

from __future__ import annotations

import asyncio
import stat
import sys
import termios
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudllm.cli.compose import Options
from cloudllm.errors import CloudLLMError, ConfigurationError, NetworkError, UsageError
from cloudllm.plugins import Plugins
from cloudllm.registry import Registry
from cloudllm.repl import onboarding
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import run
from cloudllm.repl.secrets import asks_secret, without_secret
from cloudllm.settings import Settings
from cloudllm.testing import Reply, WireServer
from tests.repl.person import Person, after, files

Start = Callable[..., Any]
SEND = "\r\\end\r"
SECRET = "canary-0123456789abcdef"
NO_KEY = {"key": "", "OPENAI_BASE_URL": "", "CLOUDLLM_PROVIDERS__OPENAI__API_KEY_ENV": "NOT_SET"}
OFFER = r"""No key for OpenAI: NOT_SET is not set\. Choose \(Enter: not now\):
  1  paste a key.*
  2  use a running Ollama.*
  3  use the local model.*
  4  try echo.*
"""


@pytest.fixture
def provider() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(plugins=Plugins())


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("sk-ant-api03-x", "anthropic"), ("sk-or-v1-x", "openrouter"), ("sk-proj-x", "openai"),
        ("AIzaSyX", "gemini"), ("gsk_x", "groq"), ("xai-x", "xai"), ("pplx-x", "perplexity"),
    ],
)  # fmt: skip
def test_a_key_is_recognised_by_how_it_begins(key: str, name: str, registry: Registry) -> None:
    found = onboarding.recognised(registry, key + SECRET)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("key", ["sk-", "sk-unknown-", "0123", "sk-an", "AIz"])
def test_a_key_that_could_be_of_several_is_not_recognised(key: str, registry: Registry) -> None:
    assert onboarding.recognised(registry, key + SECRET) is None


def test_a_pasted_key_is_kept_and_its_model_is_the_default(home: Path) -> None:
    chat, person = after("/setup key", f" xai-{SECRET}\n")
    assert person.secrets == [True]
    assert files(home)["keys.toml"].endswith(f'\nxai = "xai-{SECRET}"\n')
    assert Settings.load().model == chat.settings.model
    assert chat.settings.model.startswith("xai/")
    assert SECRET not in "\n".join(person.said)


def test_whose_key_it_is_is_asked_where_it_does_not_show(home: Path) -> None:
    key = "sk-"
    _, person = after("/setup 1", key + SECRET, "nobody", "Mistral")
    assert person.secrets == [True, False, False]
    assert any("unknown provider 'nobody'" in line for line in person.said)
    assert files(home)["keys.toml"].endswith(f'\nmistral = "{key}{SECRET}"\n')
    _, person = after("/setup key", key + SECRET, "")
    assert files(home)["keys.toml"].endswith(f'\nopenai = "{key}{SECRET}"\n')


def test_a_variable_that_counts_more_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "other")
    _, person = after("/setup key", f"sk-ant-{SECRET}")
    line = "ANTHROPIC_API_KEY set: this counts more than a key that is kept."
    assert line in person.said


def test_no_key_changes_nothing(home: Path) -> None:
    _, person = after("/setup key", " \n")
    assert person.said[-1] == "Nothing is changed."
    assert files(home) == {}


@pytest.mark.parametrize("line", ["/setup sk-ant-" + SECRET, "/setup key sk-" + SECRET])
def test_G7_a_key_in_the_wrong_place_is_not_repeated(line: str, home: Path) -> None:
    with pytest.raises(UsageError, match=r"one of key, ollama, local|is a secret") as caught:
        after(line)
    assert SECRET not in str(caught.value)
    assert SECRET not in without_secret(line)
    assert files(home) == {}


def test_G7_what_cannot_be_a_key_is_not_kept(home: Path) -> None:
    with pytest.raises(CloudLLMError, match="what you have pasted: this is no key") as broken:
        after("/setup key", f"{SECRET} {SECRET}")
    assert SECRET not in str(broken.value)
    assert files(home) == {}


def test_which_commands_a_secret_follows() -> None:
    assert all(map(asks_secret, ("/setup key", "/setup 1", " /setup  key ")))
    assert not any(map(asks_secret, ("/setup", "/setup 2", "/setup echo", "text /setup 1")))
    assert all(without_secret(line) == line for line in ("/setup", "/setup echo", "/setup 2"))


def test_a_model_of_a_running_server_is_picked(
    provider: WireServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", provider.origin)
    provider.models = ["one:1b", "nomic-embed-text", "two:2b"]
    for answers, model in (
        (("3", "three", "2"), "two:2b"), (("two:2b",), "two:2b"), (("",), "one:1b")
    ):  # fmt: skip
        chat, person = after("/setup ollama", *answers)
        assert person.answers == []
        assert chat.settings.model == Settings.load().model == f"ollama/{model}"
    provider.models = ["one:1b"]
    _, person = after("/setup 2")
    assert files(home) == {"config.toml": 'model = "ollama/one:1b"\n'}
    provider.models = []
    with pytest.raises(ConfigurationError, match="Ollama has no model yet"):
        after("/setup ollama")


def test_what_leads_nowhere_says_why_and_changes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_BASE", "http://127.0.0.1:9")
    with pytest.raises(NetworkError, match=r"nothing answers at 127\.0\.0\.1:9.*ollama serve"):
        after("/setup ollama")
    assert files(home) == {}


def test_all_that_the_local_model_lacks_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # as if it were not installed
    person = Person()

    async def hold() -> None:
        chat = Chat(Options(plugins=False).compose, {}, person)
        await chat.start()
        await run(chat, "/setup local")

    with pytest.raises(ConfigurationError, match=r'pip install "cloudllm\[local\]"'):
        asyncio.run(hold())
    assert person.said == ["Local model: its weights have to be here: cloudllm local pull smollm2"]
    assert files(home) == {}


def test_the_rest_of_the_configuration_stays(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("# mine\n[timeout]\ngap = 7\n")
    chat, person = after("/setup echo")
    assert chat.settings.model == "echo/echo"
    text = files(home)["config.toml"]
    assert tomllib.loads(text) == {"model": "echo/echo", "timeout": {"gap": 7}}
    assert "# mine" in text
    path = home / "config.toml"
    assert person.said[-1] == f"echo/echo answers from now on: model in {path} says so."


@pytest.mark.parametrize("chosen", [{"model": "openai/x"}, {}])
def test_it_is_a_first_start_as_long_as_no_model_is_chosen(
    chosen: dict[str, object], home: Path
) -> None:
    async def start() -> bool:
        chat = Chat(Options(plugins=False).compose, chosen, Person())
        await chat.start()
        return onboarding.is_first_start(chat)

    assert asyncio.run(start()) is not bool(chosen)
    after("/setup echo")
    assert not asyncio.run(start())


def test_in_a_pipe_nobody_is_asked(home: Path) -> None:
    from cloudllm.repl.plainscreen import PlainScreen  # noqa: PLC0415 - only here

    async def hold(line: str) -> None:
        chat = Chat(Options(plugins=False).compose, {}, PlainScreen(talkative=False))
        await chat.start()
        await run(chat, line)

    with pytest.raises(UsageError, match="nobody is there who could answer"):
        asyncio.run(hold("/setup key"))
    asyncio.run(hold("/setup"))
    assert files(home) == {}
    asyncio.run(hold("/setup echo"))
    assert files(home) == {"config.toml": 'model = "echo/echo"\n'}


@pytest.mark.slow
def test_G7_a_pasted_key_is_seen_nowhere(
    terminal: Start, server: WireServer, home: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "environment"
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\nenv > {seen}\n")
    editor.chmod(0o700)
    address = {"ANTHROPIC_BASE_URL": server.origin, "EDITOR": str(editor)}
    t = terminal(**NO_KEY, **address)
    t.wait(OFFER)
    t.send(f"1\rsk-ant-{SECRET}")  # without a pause
    t.wait(r"not shown")
    t.wait(r"^> \*{10,}$")
    t.send("\x18\x05")  # no editor outside opens for it
    t.paste("-end\n")
    t.send("\r")
    t.wait(r"^anthropic/\S+ answers from now on")
    t.send("hello" + SEND)
    t.wait(r"Hello from the wire(.|\n)*tokens")
    assert server.requests[0].headers["x-api-key"] == f"sk-ant-{SECRET}-end"
    assert not seen.exists()
    t.send("\x18\x05")
    while not seen.exists():
        t.settle(0.02)
    t.send("\x04\x03\x1b[A\x1b[A")
    t.settle()
    t.send("\x03\x04")
    assert t.leave() == 0
    kept = home / "keys.toml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert SECRET.encode() in kept.read_bytes()
    others = [each for each in home.rglob("*") if each.is_file() and each != kept]
    assert others
    assert not any(SECRET.encode() in each.read_bytes() for each in (*others, seen))
    assert SECRET.encode() not in t.raw

    t = terminal(**NO_KEY, **address)
    t.wait(r"^anthropic/")
    t.send("/setup 9\r")  # what is missing is said before that
    t.wait("^Error: /setup takes")
    assert "Choose" not in t.text()
    assert "No key" not in t.text()


@pytest.mark.slow
def test_G7_ctrl_c_withdraws_the_question_and_forgets_what_was_typed(
    terminal: Start, home: Path
) -> None:
    t = terminal(**NO_KEY)
    t.wait(OFFER)
    t.send("1\r")
    t.wait("not shown")
    t.send(SECRET)
    t.wait(r"^> \*{10,}$")
    t.send("\x03")
    t.wait("Stopped")
    t.wait_gone(r"\*{5}")
    assert t.editor() == ""
    t.send("a draft")
    t.wait("^> a draft")
    t.send("\x03/setup key\r")
    t.wait(r"(?s)Stopped.*not shown")
    t.send(f"sk-{SECRET}\r")
    t.wait("Whose key is it")
    t.send("\r")
    t.wait("answers from now on")
    assert files(home)["keys.toml"].endswith(f'\nopenai = "sk-{SECRET}"\n')
    t.send("/quit\r")
    assert t.leave() == 0
    assert SECRET.encode() not in t.raw
    assert SECRET not in (home / "input-history").read_text()


@pytest.mark.slow
def test_without_a_running_ollama_one_line_says_so_and_another_way_is_open(
    terminal: Start, home: Path
) -> None:
    t = terminal(**NO_KEY, OLLAMA_HOST="127.0.0.1:9")
    t.wait(OFFER)
    t.send("2\r")
    t.wait(r"^Error: Ollama: nothing answers at 127\.0\.0\.1:9")
    t.send("/setup 3\r")
    t.wait(r"cloudllm local pull smollm2 · Run it now\?")
    t.send("\r")
    t.wait("^Nothing is changed")
    assert files(home) == {}
    t.send("/setup\r")
    t.wait(r"^Ways to begin\.")
    t.wait(r"(?s)Ways to begin.*try echo")
    t.send("4\r")
    t.wait("echo/echo answers from now on")
    assert files(home) == {"config.toml": 'model = "echo/echo"\n'}


@pytest.mark.slow
def test_a_model_of_a_running_ollama_answers(terminal: Start, home: Path) -> None:
    with WireServer() as ollama:
        ollama.models = ["one:1b", "two:2b"]
        ollama.default = Reply(text="A model of your own.")
        t = terminal(**NO_KEY, OLLAMA_HOST=ollama.origin)
        t.wait(OFFER)
        assert ollama.listings == []
        t.send("2\r")
        t.wait(r"Which one\?")
        t.send("2\r")
        t.wait(r"^ollama/two:2b answers from now on")
        t.send("hello" + SEND)
        t.wait(r"A model of your own")
        assert ollama.requests[0].body["model"] == "two:2b"
    assert files(home) == {"config.toml": 'model = "ollama/two:2b"\n'}


@pytest.mark.slow
@pytest.mark.parametrize("decline", ["\r", "5\r"])
def test_not_now_leaves_the_usual_line_and_is_not_asked_again(
    decline: str, terminal: Start, home: Path
) -> None:
    t = terminal(**NO_KEY)
    t.wait(OFFER)
    t.send(decline)
    t.wait(r"^Error: No key for OpenAI: NOT_SET is not set.*\n(.*\n)*/setup helps")
    t.send("1" + SEND)
    t.wait("It is back in the editor")
    t.settle()
    assert t.editor() == "1"
    assert t.text().count("try echo:") == 1
    assert files(home) == {}


@pytest.mark.slow
def test_a_message_in_place_of_a_choice_goes_its_usual_way(terminal: Start) -> None:
    t = terminal(**NO_KEY)
    t.wait(OFFER)
    t.send("1. first\rsecond" + SEND)
    t.wait("It is back in the editor")
    t.settle()
    assert t.editor() == "1. first\nsecond"
    assert "/setup helps" in t.text()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("-m", "openai/gpt-6-luna"), ("--plain",)])
def test_it_is_not_offered_where_a_model_is_chosen_or_in_plain_mode(
    arguments: tuple[str, ...], terminal: Start
) -> None:
    t = terminal(*arguments, **NO_KEY)
    t.wait(r"^Error: No key|^\\end on a line")
    t.send("hello" + SEND)
    t.wait(r"(?s)hello.*No key for OpenAI")
    assert "Choose" not in t.text()


@pytest.mark.slow
def test_the_offer_stands_until_there_is_a_model(terminal: Start) -> None:
    t = terminal(**NO_KEY)
    t.wait(OFFER)
    t.send("hello" + SEND)
    t.wait("It is back in the editor")
    t.send("\x034\r")
    t.wait(r"^echo/echo answers from now on")


@pytest.mark.slow
def test_G7_in_plain_mode_a_key_is_typed_unseen(terminal: Start, home: Path) -> None:
    t = terminal("--plain", **NO_KEY)
    t.wait(r"^\\end on a line")
    t.send("/setup\r")
    t.wait(r"Choose, as with /setup 1:\n  1  paste a key")
    for answer in ("\x03", f"sk-ant-{SECRET}\r"):
        before = t.text().count("not shown")
        t.send("/setup 1\r")
        t.wait("(?s)" + "not shown.*" * (before + 1))
        while termios.tcgetattr(t.slave)[3] & termios.ECHO:
            t.settle(0.02)
        t.send(answer)
        t.wait("Stopped" if answer == "\x03" else "answers from now on")
        assert termios.tcgetattr(t.slave)[3] & termios.ECHO
    assert files(home)["keys.toml"].endswith(f'\nanthropic = "sk-ant-{SECRET}"\n')
    assert SECRET.encode() not in t.raw
