"""Completion: commands by a few letters, models, settings and their values, files after an @."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent, Completion
from prompt_toolkit.document import Document

from cloudllm.cli.compose import Options
from cloudllm.repl import filenames
from cloudllm.repl.chat import Chat
from cloudllm.repl.commands import values
from cloudllm.repl.completion import ChatCompleter, completes, fitting
from cloudllm.repl.filenames import FileNames, mention, quoted, unquoted
from cloudllm.repl.fuzzy import best, best_of_words
from tests.repl.screens import FakeScreen, Talk

VALUES = ["fast", "openai/", "together/", "openai/gpt-6-luna", "together/openai/a", "/srv/x"]


async def completions(chat: Chat, text: str, completer: ChatCompleter) -> list[Completion]:
    found = completer.get_completions_async(Document(text, len(text)), CompleteEvent())
    return [each async for each in found]


class Typing:
    """Types into a chat that need not be started."""

    def __init__(self) -> None:
        self.chat = Chat(Options().compose, {"aliases.fast": "openai/gpt-6-luna"}, FakeScreen())
        self.completer = ChatCompleter(self.chat)

    async def offers(self, text: str) -> list[str]:
        return [each.text for each in await completions(self.chat, text, self.completer)]

    async def accepted(self, text: str) -> str:
        """What stands in the editor when the first offer is taken."""
        first = (await completions(self.chat, text, self.completer))[0]
        return text[: len(text) + first.start_position] + first.text


@pytest.fixture
def typing() -> Typing:
    return Typing()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with some files."""
    for name in ("README.md", "src/render/plain.py", "src/loop.py", "my notes.txt", ".env"):
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["fast", "openai/", "together/", "/srv/"]),
        ("op", ["openai/", "together/openai/a"]),
        ("openai", ["openai/", "together/openai/a"]),
        ("openai/", ["openai/gpt-6-luna", "together/openai/a"]),
        ("openai/g", ["openai/gpt-6-luna"]),
        ("together/", ["together/openai/"]),
        ("together/openai/", ["together/openai/a"]),
        ("gpt6", ["openai/gpt-6-luna"]),
        ("6LUNA", ["openai/gpt-6-luna"]),
        ("/s", ["/srv/"]),
        ("xyz", []),
    ],
)
def test_a_value_is_completed_part_by_part_or_by_a_few_letters(
    typed: str, offered: list[str]
) -> None:
    assert [each.text for each in fitting(VALUES, typed)] == offered


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mod", ["model", "set-model", "themodel", "my-old-id"]),
        ("m", ["my-old-id", "model", "set-model"]),
        ("[^]\\-a", []),
        ("", ["themodel", "set-model", "my-old-id", "model"]),
    ],
)
def test_the_best_matches_come_first(typed: str, found: list[str]) -> None:
    assert best(typed, ["themodel", "set-model", "my-old-id", "model"], str) == found


@given(st.text(max_size=8), st.lists(st.text(max_size=30), max_size=8))
def test_what_is_found_always_holds_the_letters_in_order(typed: str, texts: list[str]) -> None:
    for text in best(typed, texts, str):
        rest = iter(text.lower())
        assert all(letter in rest for letter in typed.lower())


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", ["Rust and ownership", "Bread", "Ownership in Rust", "Rusty bread"]),
        ("rust own", ["Rust and ownership", "Ownership in Rust"]),
        (" own  rust ", ["Rust and ownership", "Ownership in Rust"]),
        ("bread", ["Bread", "Rusty bread"]), ("bread rust", ["Rusty bread"]), ("bread zz", []),
        ("rst brd", ["Rusty bread"]), ("brd", ["Bread", "Rusty bread"]),
        ("in own", ["Ownership in Rust"]), ("rust", ["Rust and ownership", "Rusty bread",
                                                     "Ownership in Rust"]),
    ],
)  # fmt: skip
def test_words_are_found_in_any_order_and_each_must_fit(typed: str, found: list[str]) -> None:
    titles = ["Rust and ownership", "Bread", "Ownership in Rust", "Rusty bread"]
    assert best_of_words(typed, titles, str) == found


def test_what_fits_as_well_stays_in_its_order() -> None:
    places = best_of_words("b a", range(4), ["a b", "a c", "a b", "b a"].__getitem__)
    assert places == [0, 2, 3]


def test_a_text_made_to_be_slow_to_search_is_not() -> None:
    began = time.monotonic()
    assert best("a" * 30 + "b", ["a" * 400] * 50, str) == []
    assert time.monotonic() - began < 1


async def test_commands_are_found_by_letters_and_aliases(typing: Typing) -> None:
    assert await typing.offers("/mo") == ["/model "]  # its argument can follow at once
    assert (await typing.offers("/"))[:2] == ["/clear", "/context "]
    assert (await typing.offers("/exi"))[0] == "/quit"
    assert "/history " in await typing.offers("/hst")
    assert await typing.accepted("/sav") == "/save "
    assert await typing.offers("//mo") == []
    assert await typing.offers("text /mo") == []
    assert await typing.offers("/mo\n") == []


async def test_models_are_found_once_they_are_thought_of(typing: Typing) -> None:
    early = asyncio.ensure_future(typing.offers("/model openai/gpt-6-l"))  # before the start
    await typing.chat.start()
    assert (await early)[0] == "openai/gpt-6-luna"
    typing.chat.known_models.clear()
    offered = await typing.offers("/model ")
    assert offered[0] == "fast"
    assert "openai/" in offered
    assert "openai/gpt-6-luna" not in offered
    assert "openai/gpt-6-luna" in (await typing.offers("/model gpt6"))[:6]
    assert (await typing.offers("/m openai/gpt-6-l"))[0] == "openai/gpt-6-luna"
    assert "openai/gpt-4.1-nano" not in await typing.offers("/model openai/gpt-4")
    assert await typing.offers("/model nobody/") == []


async def test_models_of_providers_with_a_key_are_found_and_of_others_not(
    typing: Typing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-canary")
    await typing.chat.start()
    providers = {each.partition("/")[0] for each in await typing.offers("/model gpt")}
    assert providers == {"openai", "groq"}
    assert await typing.offers("/model sonnet") == []
    assert "anthropic/claude-sonnet-5-5" in await typing.offers("/model anthropic/sonnet")


async def test_keys_and_values_of_settings_are_found(typing: Typing) -> None:
    await typing.chat.start()
    assert (await typing.offers("/set temp"))[0] == "temperature"
    assert (await typing.offers("/set ctxstrat"))[0] == "context.strategy"
    assert await typing.offers("/set repl.reasoning ") == ["true", "false"]
    assert await typing.offers("/set repl.reasoning f") == ["false"]
    assert await typing.accepted("/set repl.reasoning f") == "/set repl.reasoning false"
    assert await typing.offers("/set timeout.first_token ") == ["auto", "none"]
    assert await typing.offers("/set plugins.allow ") == ["all"]
    assert await typing.offers("/set repl.reasoning false --") == ["--save"]
    assert "openai/gpt-6-luna" in await typing.offers("/set model gpt6")
    secrets = await typing.offers("/set providers.openai.api_k")
    assert "providers.openai.api_key_env" in secrets
    assert "providers.openai.api_key" not in secrets


async def test_files_are_found_after_an_at_sign(typing: Typing, folder: Path) -> None:
    assert await typing.offers("look at @") == ['"my notes.txt"', "README.md", "src/"]
    assert await typing.accepted("see @rea") == "see @README.md"
    assert (await typing.offers("@plain"))[0] == "src/render/plain.py"
    assert await typing.offers("@src/") == ["src/loop.py", "src/render/"]
    assert (await typing.offers("@src/lp"))[0] == "src/loop.py"
    assert await typing.accepted("(@notes") == '(@"my notes.txt"'
    assert await typing.accepted('"@"my no') == '"@"my notes.txt"'
    assert await typing.accepted("first\nsecond @READ") == "first\nsecond @README.md"
    assert await typing.accepted("/context about @READ") == "/context about @README.md"


async def test_hidden_files_wait_for_a_dot_and_nothing_outside_is_offered(
    typing: Typing, folder: Path
) -> None:
    (folder.parent / "outside").write_text("x")
    assert await typing.offers("@.e") == [".env"]
    for typed in ("@env", "@../", "@../out", "@src/../../", "@/", "@/etc", "@~", "@~/", "me@READ"):
        assert await typing.offers(typed) == []


async def test_save_finds_files_anywhere(
    typing: Typing, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "outside.md").write_text("x")
    (folder / "talk.md").write_text("x")
    monkeypatch.setenv("HOME", str(folder))
    await typing.chat.start()
    assert await typing.offers("/save READ") == ["README.md"]
    assert await typing.accepted("/save my no") == "/save my notes.txt"
    assert await typing.offers("/save ../outs") == ["../outside.md"]
    assert await typing.offers("/save ~/ta") == ["~/talk.md"]
    assert await typing.accepted(f"/save {folder}/R") == f"/save {folder}/README.md"
    assert await typing.offers("/save ~nobody-here/") == []


async def test_a_name_that_cannot_be_typed_is_left_out(typing: Typing, folder: Path) -> None:
    for name in ("evil\x1b[2J", "evil\nline", "evil\u202e", "evil\x9b", os.fsdecode(b"evil\xff")):
        (folder / name).write_text("x")
    (folder / 'say "hi"').write_text("x")
    assert await typing.offers("@evil") == []
    assert await typing.accepted("@say") == '@"say \\"hi\\""'


async def test_a_folder_that_hangs_costs_its_offers_and_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filenames, "_PATIENCE", 0.05)
    searches = []
    end = asyncio.Event()

    def hang(path: object) -> object:
        searches.append(path)
        while not end.is_set():
            time.sleep(0.01)
        raise OSError

    monkeypatch.setattr(os, "scandir", hang)
    names = FileNames()
    for typed in ("R", "RE", "REA"):
        assert await names.below(typed) == []
    assert len(searches) == 1
    end.set()


async def test_a_big_folder_is_searched_for_a_moment_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (folder / f"file{number}").touch()
    assert len(await FileNames().below("file")) == 50
    monkeypatch.setattr(filenames, "_MOST_SEEN", 10)
    assert len(await FileNames().below("")) <= 10
    monkeypatch.setattr(filenames, "_SEARCH", -1.0)
    assert await FileNames().below("") == []


@given(st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1))
def test_a_quoted_name_always_means_itself(name: str) -> None:
    typed = (
        mention(f"see @{quoted(name)}") if quoted(name) == name else quoted(name).removesuffix('"')
    )
    assert typed is not None
    assert unquoted(typed).rstrip('"') == name.rstrip('"')


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/mo", True),
        ("see @", True),
        ("a@b", False),
        ("@a b", False),
        ("//mo", False),
        ("x", False),
    ],
)
def test_offers_come_by_themselves_where_something_can_be_completed(
    text: str,
    wanted: bool,
) -> None:
    assert completes(Document(text, len(text))) is wanted


async def test_a_long_value_costs_the_keys_no_more_than_what_is_shown_of_it() -> None:
    talk = Talk(system_prompt='"' * 1_000_000)
    await talk.chat.start()
    offered = [*values.keys(talk.chat, "")]
    assert ("system_prompt", '"' + r"\"" * 60 + '"') in offered
    assert all(len(each[1]) < 200 for each in offered)
