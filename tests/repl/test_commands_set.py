"""/set and /info: what is in force and why, changed for now or for good, and no secret in it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudllm import CloudLLMError, ConfigurationError, UsageError
from cloudllm.repl.commands.settings import parsed
from cloudllm.repl.secrets import without_secret
from cloudllm.store.database import Store, default_path
from tests.repl.screens import Talk


@pytest.fixture
def talk() -> Talk:
    return Talk(temperature="0.5")


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("", ("", None, False)),
        ("key", ("key", None, False)),
        ("key value", ("key", "value", False)),
        ("key = value", ("key", "value", False)),
        ("key=a=b", ("key", "a=b", False)),
        ("key a value --save", ("key", "a value", True)),
        ("--save key value", ("key", "value", True)),
        ("key --saved", ("key", "--saved", False)),
        ("key --save", ("key", None, True)),
        ("--save", ("", None, True)),
        ('key "a \\"b\\" \\u00fc"', ("key", 'a "b" ü', False)),
        ('key ""', ("key", "", False)),
        ('key "a" or "b"', ("key", '"a" or "b"', False)),
        ("key two\nlines", ("key", "two\nlines", False)),
    ],
)
def test_key_value_and_save_are_told_apart(
    argument: str, wanted: tuple[str, str | None, bool]
) -> None:
    assert parsed(argument) == wanted


async def test_set_alone_lists_what_differs_and_where_that_is_from(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDLLM_RETRY__ATTEMPTS", "2")
    await talk.say("/set repl.reasoning false")
    assert (await talk.say("/set")).split("\n")[:-1] == [
        'model = "echo/echo"  # --model',
        "temperature = 0.5  # -o temperature",
        "repl.reasoning = false  # /set",
        "retry.attempts = 2  # CLOUDLLM_RETRY__ATTEMPTS",
    ]
    assert await talk.say("/set timeout.gap") == "timeout.gap = 30.0  # default"
    assert "timeout.connect = 5.0  # default" in await talk.say("/set timeout")
    with pytest.raises(UsageError, match=r"temp: unknown setting; did you mean temperature\?"):
        await talk.say("/set temp")


async def test_a_value_is_shown_as_it_is_written_in_the_file(talk: Talk) -> None:
    assert await talk.say("/set repl.reasoning false") == "repl.reasoning = false  # /set"
    assert await talk.say("/set temperature none") == 'temperature = "none"  # /set'
    assert await talk.say("/set fallback echo/a, echo/b") == (
        'fallback = ["echo/a", "echo/b"]  # /set'
    )
    assert await talk.say('/set system_prompt ""') == 'system_prompt = ""  # /set'
    assert talk.chat.settings.system_prompt == ""


async def test_save_writes_the_users_file_and_says_so(
    talk: Talk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "config.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text("# mine\nmodel = 'echo/echo'\n")
    shown = await talk.say("/set temperature = 0.25 --save")
    assert shown == f"temperature = 0.25  # /set\ntemperature is saved in {file}."
    assert file.read_text() == "# mine\nmodel = 'echo/echo'\ntemperature = 0.25\n"
    shown = await talk.say("/set repl.submit enter --save")
    assert shown == f"repl.submit is saved in {file}; it counts when the next chat starts."
    with pytest.raises(
        UsageError, match=r"counts when the chat starts\. .*repl\.submit VALUE --sa"
    ):
        await talk.say("/set repl.submit enter")
    with pytest.raises(ConfigurationError, match=r"repl\.submits: unknown setting"):
        await talk.say("/set repl.submits enter")
    await talk.say("/set model echo --save")
    assert 'model = "echo"' in file.read_text()
    assert talk.chat.model == "echo/echo"
    monkeypatch.setenv("CLOUDLLM_RETRY__ATTEMPTS", "2")
    assert "CLOUDLLM_RETRY__ATTEMPTS is set, too" in await talk.say("/set retry.attempts 4 --save")


@pytest.mark.parametrize(
    "line", ["/set temperature hot --save", "/set tmperature 1 --save", "/set temperature --save"]
)
async def test_what_is_wrong_is_not_saved(line: str, talk: Talk, home: Path) -> None:
    with pytest.raises((ConfigurationError, UsageError)):
        await talk.say(line)
    assert not (home / "config.toml").exists()
    assert talk.chat.settings.temperature == 0.5


@pytest.mark.parametrize(
    "line",
    [
        "/set providers.openai.api_key sk-canary",
        "/set providers.openai.api_key = sk-canary",
        "/set providers.openai.api_key=sk-canary",
        "/set providers.openai.api_key sk-canary --save",
        "/set --save providers.openai.api_key sk-canary",
        "/se providers.openai.api_key sk-canary",
        "/sett providers.openai.api_key sk-canary",
        "/m providers.openai.api_key=sk-canary",
        "/setproviders.openai.api_key=sk-canary",
        "  /set providers.work.auth_token\tsk-canary",
        "/set api_key sk-canary",
        "/set openai.api_key sk-canary",
        "/SET api_key sk-canary",
        "/set apikey sk-canary",
        "/set api_key: sk-canary",
        "/set 'api_key' sk-canary",
        '/set "providers.openai.api_key" sk-canary',
        "/set providers.openai.api_key: sk-canary",
        "/set\tproviders.openai.api_key\tsk-canary",
        "/setup sk-canary9",
        "/setu sk-canary x",
        "/Setup sk-canary9",
    ],
)
async def test_G7_a_secret_is_neither_kept_nor_shown_however_it_is_given(
    line: str, talk: Talk, home: Path
) -> None:
    kept = without_secret(line)
    assert "canary" not in kept
    assert without_secret(kept) == kept
    if not line.lower().startswith("/setu"):
        with pytest.raises(CloudLLMError) as caught:
            await talk.say(line.strip())
        assert "canary" not in str(caught.value)
    assert "canary" not in "".join([*talk.screen.shown, *talk.screen.notices])
    assert not (home / "config.toml").exists()


@pytest.mark.parametrize(
    "line",
    [
        "/set timeout.first_token 20",
        "/set providers.openai.api_base http://localhost/v1",
        "/set providers.openai.api_key_env NAME",
        "/system The api_key is a secret word",
        "/set providers.openai.api_key",
        "/context token abc",
        "//set providers.openai.api_key is how one sets it",
        "what does providers.openai.api_key = x mean?",
        "/setup key",
        "/setup 1",
    ],
)
def test_what_holds_no_secret_is_kept_as_it_is(line: str) -> None:
    assert without_secret(line) == line


@pytest.mark.parametrize("line", ["/set providers.x.api_base {}", "/se fallback={}", "/info {}"])
def test_G7_a_password_in_an_address_is_not_kept_with_a_command(line: str) -> None:
    kept = without_secret(line.format("https://me:canary@example.com/v1"))
    assert kept == line.format("https://…@example.com/v1")
    assert without_secret(kept) == kept


@given(st.text(alphabet=" =\t\n", min_size=1, max_size=3), st.text("abc123", min_size=4))
def test_G7_a_key_that_is_set_never_stays_in_the_draft(between: str, key: str) -> None:
    assert key not in without_secret(f"/set providers.x.api_key{between}sk-{key}")


async def test_info_tells_what_answers_and_where_everything_is(
    talk: Talk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await talk.say("hello", "/i")
    facts = dict(line.split(None, 1) for line in shown.split("\n"))
    assert facts["model"] == "echo/echo  # --model"
    assert facts["price"] == "free"
    assert facts["session"].startswith("~")
    assert facts["session"].endswith(" tokens · free, since the program was started")
    assert facts["turns"] == "1 in this conversation"
    assert facts["kept"].startswith("hello  # ")
    after = dict(line.split(None, 1) for line in (await talk.say("/new", "/i")).split("\n"))
    assert after["session"] == facts["session"]
    assert after["turns"] == "0 in this conversation"
    assert after["kept"] == "nothing yet"
    assert facts["settings"] == f"{home}/config.toml (not there yet)"
    assert facts["plugins"] == "exporters, guard, speed, summarize"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-12345")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://me:hunter2@example.com/v1?token=hunter2")
    await talk.chat.set("temperature", "1")
    await talk.chat.set("model", "openai/gpt-6-luna")
    shown = await talk.say("/info")
    assert "canary" not in shown
    assert "hunter2" not in shown


async def test_info_says_that_a_conversation_could_not_be_saved_yet(talk: Talk) -> None:
    with closing(Store(default_path())) as store, store.write() as connection:
        connection.execute("PRAGMA user_version = 999")  # of a newer version, so it is only read
    shown = await talk.say("hello", "/info")
    facts = dict(line.split(None, 1) for line in shown.split("\n"))
    assert facts["kept"] == "not saved yet"
    for command in ("/tree", "/fork", "/rename x"):
        with pytest.raises(UsageError, match="this conversation is not on disk yet"):
            await talk.say(command)
    await talk.chat.close()


async def test_info_says_why_a_conversation_is_not_saved_where_nothing_can_be_read(
    talk: Talk,
) -> None:
    os.makedirs(default_path())  # noqa: PTH103 - nothing else runs here
    shown = await talk.say("hello", "/info")
    facts = dict(line.split(None, 1) for line in shown.split("\n"))
    assert facts["kept"].startswith(f"not saved yet: {default_path()}: ")
    await talk.chat.close()


async def test_info_of_a_provider_with_a_key_and_of_one_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-12345")
    shown = await Talk(model="openai/gpt-6-luna").say("/info")
    facts = dict(line.split(None, 1) for line in shown.split("\n"))
    assert facts["key"] == "OPENAI_API_KEY set"
    assert facts["window"].endswith("tokens, the model's own")
    assert facts["price"].endswith("by litellm " + facts["price"].rpartition(" ")[2])
    assert facts["session"] == "nothing has been sent yet"
    assert "canary" not in shown
    monkeypatch.delenv("OPENAI_API_KEY")
    shown = await Talk(model="openai/gpt-6-luna").say("/info")
    assert "OPENAI_API_KEY" in shown
    assert "window    unknown: No key for OpenAI" in shown
    shown = await Talk(model="nobody/x").say("/info")
    assert "provider  unknown provider 'nobody'" in shown
