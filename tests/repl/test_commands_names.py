"""Which command a word means: names, aliases, prefixes; what helps while one is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudllm import UsageError
from cloudllm.repl.commands import COMMANDS, hint, is_wait, known, resolve
from tests.chatplugins import write_plugin
from tests.repl.screens import Talk


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("/model", "/model"),
        ("/mod", "/model"),
        ("/m", "/model"),
        ("/q", "/quit"),
        ("/exit", "/quit"),
        ("/?", "/help"),
        ("/h", "/help"),
        ("/set", "/set"),
        ("/setu", "/setup"),
        ("/hi", "/history"),
        ("/cost", "/usage"),
    ],
)
def test_a_command_has_a_name_aliases_and_unambiguous_prefixes(
    word: str, name: str, talk: Talk
) -> None:
    assert resolve(talk.chat, word).name == name


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("/se", r"/se may be /sessions, /set or /setup\. Type one letter more"),
        ("/co", r"/co may be /context, /continue or /copy"),
        ("/modle", r"unknown command /modle\. Did you mean /model"),
        ("/xyz", r"unknown command /xyz\. /help lists them all"),
        ("/nope", r"unknown command /nope\. /help lists them all"),
        ("/", r"unknown command /\."),
        ("/MODEL", r"unknown command /MODEL"),
        ("/usr/bin", r"begin it with //"),
    ],
)
async def test_what_may_be_several_commands_or_is_none_is_an_error(
    word: str, words: str, talk: Talk
) -> None:
    with pytest.raises(UsageError, match=words):
        await talk.say(word)


async def test_own_commands_go_before_those_of_plugins(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("/models", "/wa", "/q", "/zebra", "/zeal")
    write_plugin(
        tmp_path,
        "animals",
        f"""
        @hookimpl
        def cloudllm_commands():
            return [Command(name=name, summary="of a plugin", run=lambda chat, text: "ran")
                    for name in {names}]
        """,
    )
    assert (await talk.say("/mode")).startswith("model    echo/echo\n")
    assert resolve(talk.chat, "/wai").name == "/wait"
    assert await talk.say("/wa") == "ran"  # its whole name is meant
    assert await talk.say("/zeb") == "ran"
    assert resolve(talk.chat, "/q").summary == "leave"
    with pytest.raises(UsageError, match=r"/ze may be /zebra or /zeal"):
        await talk.say("/ze")
    assert hint(talk.chat, "/zebra ") == "of a plugin"


async def test_a_plugin_is_told_that_an_alias_is_taken(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = """
        @hookimpl
        def cloudllm_commands():
            return [Command(name="/exit", summary="of a plugin", run=lambda chat, text: "ran")]
        """
    write_plugin(tmp_path, "doors", source)
    await talk.say("/mode")
    assert "/exit" not in known(talk.chat)
    assert any("/exit is short for /quit, so it is left out" in n for n in talk.screen.notices)


def test_names_and_aliases_are_single_words_and_mean_one_command() -> None:
    words = [word for each in COMMANDS.values() for word in (each.name, *each.aliases)]
    assert len(words) == len(set(words))
    for word in words:
        assert word.startswith("/")
        assert word.removeprefix("/").isalpha() or word == "/?"


def test_every_command_says_what_it_does_in_a_line_that_fits() -> None:
    for command in COMMANDS.values():
        assert command.summary
        assert not command.summary.endswith(".")
        assert command.usage.startswith(command.name)
        if command.example:
            assert command.example.split()[0] == command.name


async def test_help_lists_commands_with_aliases_and_the_keys(talk: Talk) -> None:
    shown = await talk.say("/help")
    for name in COMMANDS:
        assert f"\n{name} " in f"\n{shown}"
    assert "leave (/q, /exit)" in shown
    assert "Ctrl-X Ctrl-E" in shown
    assert max(map(len, shown.split("\n"))) <= 80
    assert r"\end on a line of its own sends, and so does Alt-Enter" in shown
    assert r"\\end is a line of text" in shown
    assert await talk.say("/? /hist") == await talk.say("/help history")
    assert "example  /history 2" in await talk.say("/h history")
    assert "also     /q /exit" in await talk.say("/help exit")


async def test_help_tells_of_no_keys_where_there_is_no_editor() -> None:
    talk = Talk(**{"repl.submit": "enter"})
    talk.screen.has_editor = False
    shown = await talk.say("/help")
    assert r"\end on a line of its own sends; \\end is a line of text." in shown
    assert "Ctrl-D leaves" in shown
    for words in ("Alt-Enter", "Enter sends", "Ctrl-X", "Tab", "Up ", "F2"):
        assert words not in shown


async def test_a_blank_of_any_kind_ends_the_name_of_a_command(talk: Talk) -> None:
    assert await talk.say("/set\ttemperature\t0.5") == "temperature = 0.5  # /set"


async def test_help_tells_the_keys_as_they_are_set() -> None:
    talk = Talk(**{"repl.submit": "enter", "repl.sentinel": "!!"})
    assert "Enter sends, and so does !! on a line of its own" in await talk.say("/help")


@pytest.mark.parametrize(
    ("draft", "words"),
    [
        ("/model", "[PROVIDER/MODEL]  show or change the model"),
        ("/m ", "[PROVIDER/MODEL]  show or change the model"),
        ("/mod ", "[PROVIDER/MODEL]  show or change the model"),
        ("/quit", "leave"),
        ("/mod", ""),
        ("/model x", ""),
        ("/se ", ""),
        ("/nothing ", ""),
        ("/", ""),
        ("//model", ""),
        ("/model\nx", ""),
        ("model", ""),
        ("", ""),
        ("/set temperature ", ""),  # the settings are not there yet
    ],
)
def test_a_hint_says_what_may_follow(draft: str, words: str, talk: Talk) -> None:
    assert hint(talk.chat, draft) == words


async def test_a_hint_says_what_a_setting_expects(talk: Talk) -> None:
    await talk.chat.start()
    assert hint(talk.chat, "/set temperature ") == 'a number from 0 up, or "none"'
    assert hint(talk.chat, "/set providers.work.api_base ") == "an address"
    assert hint(talk.chat, "/set nothing.such ") == ""
    assert hint(talk.chat, "/set temperature 1") == ""


@pytest.mark.parametrize(
    ("line", "wait"),
    [
        ("/wait", True),
        (" /wa ", True),
        ("/w", False),
        ("/wait x", False),
        ("/", False),
        ("", False),
    ],
)
def test_wait_may_be_cut_short(line: str, wait: bool) -> None:
    assert is_wait(line) is wait
