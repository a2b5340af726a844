"""Conversations as a whole, by command: /sessions, /resume, /tree, /fork, /rename, /clear."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from cloudllm import Message, Role, UsageError
from cloudllm.repl.cells import width
from cloudllm.repl.choices import Choice, chosen, numbered
from cloudllm.repl.commands import COMMANDS
from cloudllm.repl.opening import Opening
from cloudllm.repl.sessionlist import moment
from tests.repl.screens import Talk
from tests.repl.test_resume import keep

NOTHING_YET = ("/tree", "/fork", "/rename x", "/sessions", "/resume", "/resume x", "/sessions x")


async def give(talk: Talk, *texts: str) -> None:
    """Have a user and the model, in turn, have said this."""
    session = await talk.chat.connect()
    for place, text in enumerate(texts):
        role = Role.ASSISTANT if place % 2 else Role.USER
        session.inject_message(Message(role, text, model="echo/echo" if place % 2 else None))


async def offered(talk: Talk, name: str) -> list[str]:
    complete = COMMANDS[name].complete
    assert complete is not None
    values = await complete(talk.chat, "")
    return [each if isinstance(each, str) else each[0] for each in values]


def contents(talk: Talk) -> list[str]:
    return [message.content for message in talk.chat.history]


async def test_before_anything_is_said_each_says_so_and_makes_no_store(
    talk: Talk, home: object
) -> None:
    for command in NOTHING_YET:
        with pytest.raises(UsageError, match=r"nothing has been said|no conversations yet|no mess"):
            await talk.say(command)
    assert talk.chat.shelf is not None
    assert not talk.chat.shelf.path.exists()


async def test_G5_undo_edit_and_retry_lose_nothing_and_the_tree_shows_it(talk: Talk) -> None:
    await give(talk, "one", "answer one", "two", "answer two")
    await talk.say("/undo")
    await give(talk, "two again", "answer three")
    shown = (await talk.say("/tree")).split("\n")
    assert [re.sub(" +", " ", line) for line in shown] == [
        "* 1 you one",
        "* 2 assistant answer one",
        " 3 - you two",
        " 4 assistant answer two",
        "* 5 - you (after 2) two again",
        "> 6 assistant answer three",
    ]
    assert await offered(talk, "/tree") == ["1", "2", "3", "4", "5", "6"]


async def test_G5_the_very_first_message_edited_is_another_beginning_of_the_same_tree(
    talk: Talk,
) -> None:
    await give(talk, "one", "answer one")
    await talk.say("/edit")
    assert talk.screen.editor == "one"
    assert contents(talk) == []
    await give(talk, "first", "answer first")
    shown = [re.sub(" +", " ", line) for line in (await talk.say("/tree")).split("\n")]
    assert shown == [
        " 1 - you one",
        " 2 assistant answer one",
        "* 3 - you (at the beginning) first",
        "> 4 assistant answer first",
    ]
    assert "\n" not in await talk.say("/sessions")
    await talk.say("/tree 2")
    assert contents(talk) == ["one", "answer one"]


async def test_to_go_to_a_message_takes_up_its_branch(talk: Talk) -> None:
    await give(talk, "one", "answer one", "two", "answer two")
    await talk.say("/undo")
    await give(talk, "three", "answer three")
    await talk.say("/tree 4")
    assert contents(talk) == ["one", "answer one", "two", "answer two"]
    assert talk.screen.recalled == ["two", "answer two"]
    await talk.say("/tree 5")  # a question: what followed it is left
    assert contents(talk) == ["one", "answer one"]
    assert talk.screen.editor == "three"
    assert "no reply" in talk.screen.notices[-1]
    for wrong in ("0", "7", "x", "9" * 30):
        with pytest.raises(UsageError, match=r"number of a message, 1 to 6"):
            await talk.say(f"/tree {wrong}")


async def test_a_fork_goes_on_by_itself(talk: Talk) -> None:
    await give(talk, "one", "answer one", "two", "answer two")
    assert "a copy, and a conversation of its own" in await talk.say("/fork 1")
    assert contents(talk) == ["one", "answer one"]
    await give(talk, "other", "answer other")
    assert (await talk.say("/sessions")).count("\n") == 1
    await talk.say("/resume 2")
    assert contents(talk) == ["one", "answer one", "two", "answer two"]
    with pytest.raises(UsageError, match="there is no turn 3; there are 2"):
        await talk.say("/fork 3")


async def test_what_is_said_after_a_resume_is_kept_behind_it(talk: Talk) -> None:
    await give(talk, "bread", "flour and water")
    await talk.say("/clear")
    await give(talk, "rust", "borrow checker")
    await talk.say("/resume bread")
    assert talk.screen.recalled == ["bread", "flour and water"]
    assert re.fullmatch(r"bread · 1 turn · today \d\d:\d\d", talk.screen.notices[0])
    await give(talk, "salt", "a little")
    await talk.say("/new", "/resume rust", "/resume bread")
    assert contents(talk) == ["bread", "flour and water", "salt", "a little"]


async def test_words_are_found_in_their_context_and_the_number_resumes(talk: Talk) -> None:
    await give(talk, "bread", "Take flour, and water; then wait.")
    await talk.say("/new")
    await give(talk, "rust", f"borrow {'and lend ' * 5}checker {'again ' * 20}")
    assert max(map(len, (await talk.say("/sessions checker")).split("\n"))) <= 80
    shown = (await talk.say("/sessions water")).split("\n")
    assert shown[0].startswith("  1  bread  (today ")
    assert shown[1] == "     assistant: Take flour, and water; then wait."
    await talk.say("/resume 1")
    assert contents(talk)[0] == "bread"
    with pytest.raises(UsageError, match="no message holds “gold”"):
        await talk.say("/sessions gold")
    await give(talk, "模型" * 30 + " checker " + "模型" * 30, "answer")
    talk.screen.columns = 40
    shown = (await talk.say("/sessions checker")).split("\n")
    assert max(map(width, shown)) <= 40
    assert all("checker" in line for line in shown[1::2])


async def test_what_is_found_on_a_branch_that_was_left_can_be_gone_to(talk: Talk) -> None:
    await give(talk, "one", "answer one", "two", "answer two")
    await talk.say("/undo")
    await give(talk, "three", "answer three")
    await talk.say("/sessions answer two")
    await talk.say("/resume 1")
    assert contents(talk) == ["one", "answer one", "three", "answer three"]
    assert talk.screen.notices[-1] == (
        "What was found is on a branch that was left; /tree 4 goes there."
    )
    await talk.say("/tree 4")
    assert contents(talk) == ["one", "answer one", "two", "answer two"]
    assert "branch" not in await all_said(talk, "/resume 1")
    await talk.say("/sessions")
    assert "branch" not in await all_said(talk, "/resume 1")


async def test_after_a_search_without_a_hit_no_number_means_a_conversation(talk: Talk) -> None:
    await give(talk, "bread", "flour")
    await talk.say("/sessions")
    with pytest.raises(UsageError, match="no message holds"):
        await talk.say("/sessions gold")
    with pytest.raises(UsageError, match="There is no conversation “1”"):
        await talk.say("/resume 1")


async def test_a_message_without_a_time_has_that_of_its_conversation(talk: Talk) -> None:
    keep("needle", "answer")
    shown = await talk.say("/sessions needle")
    assert shown.startswith("  1  kept  (today ")
    assert moment(0) == "-"


async def test_a_fork_belongs_to_the_folder_where_the_chat_is(talk: Talk) -> None:
    keep("one", "answer", folder="", title="from afar")
    await talk.say("/resume afar", "/fork")
    assert talk.chat.shelf is not None
    copy = (await talk.chat.shelf.entries())[0]
    assert (copy.title, copy.folder) == ("from afar (fork)", str(Path.cwd()))
    await talk.say("/fork")
    assert (await talk.chat.shelf.current()).title == "from afar (fork 2)"


async def test_of_many_the_newest_are_shown_and_it_is_said_that_there_are_more(talk: Talk) -> None:
    for number in range(21):
        await give(talk, f"talk {number}", "answer")
        if number == 19:
            assert "alone" not in await all_said(talk, "/sessions")
            assert "older" not in await all_said(talk, "/sessions talk")
        await talk.say("/new")
    assert "and 1 older one\n/resume NUMBER goes on with one; /resume alone shows all." in (
        await all_said(talk, "/sessions")
    )
    searched = await all_said(talk, "/sessions talk")
    assert searched.endswith("goes on with one; there are older ones, and more words find fewer.")
    assert "talk 0" not in searched


async def all_said(talk: Talk, line: str) -> str:
    await talk.say(line)
    return "\n".join([*talk.screen.shown, *talk.screen.notices])


async def test_a_new_title_is_the_one_that_is_found(talk: Talk) -> None:
    await give(talk, "one", "answer")
    with pytest.raises(UsageError, match="needs a title"):
        await talk.say("/rename")
    assert "“Baking bread”" in await talk.say("/rename Baking bread")
    assert await offered(talk, "/resume") == ["Baking bread"]
    assert await offered(talk, "/rename") == ["Baking bread"]
    assert "Baking bread" in await talk.say("/info")
    for wrong in ("a\x1b[2Jb", "x" * 201):
        with pytest.raises(UsageError, match="title"):
            await talk.say(f"/rename {wrong}")


async def test_titles_that_are_alike_are_told_apart_by_their_keys(talk: Talk) -> None:
    keys = []
    for _ in range(2):
        await give(talk, "same", "answer")
        assert talk.chat.shelf is not None
        keys.append(talk.chat.shelf.journal.key)
        await talk.say("/new")
    assert await offered(talk, "/resume") == ["same", keys[0]]
    with pytest.raises(UsageError, match="2 conversations fit “same”"):
        await talk.say("/resume same")
    await talk.say(f"/resume {keys[0]}")
    assert talk.chat.shelf is not None
    assert talk.chat.shelf.journal.key == keys[0]


async def test_without_an_argument_the_person_chooses(talk: Talk) -> None:
    await give(talk, "one", "answer one")
    await talk.say("/new")
    await give(talk, "two", "answer two")
    await talk.say("/resume")  # and takes none
    assert contents(talk) == ["two", "answer two"]
    assert [choice.name for choice in talk.screen.choices] == ["two", "one"]
    talk.screen.choice = 1
    await talk.say("/resume")
    assert contents(talk) == ["one", "answer one"]


async def test_a_new_conversation_leaves_the_one_before_on_disk(talk: Talk) -> None:
    await give(talk, "one", "answer one")
    assert "the one before is kept, and /sessions lists it" in await talk.say("/clear")
    assert not contents(talk)
    assert "starts anew; the system prompt stays" in await talk.say("/new")
    assert "one" in await talk.say("/sessions")


async def test_the_model_and_the_prompt_come_along_unless_the_command_line_says(
    talk: Talk,
) -> None:
    await talk.say("hello", "/system Be brief", "hello again")
    await talk.chat.close()
    again = Talk(Opening(go_on=True), system_prompt="Mine")
    await again.start()
    await again.chat.open(person=True)
    assert again.chat.settings.system_prompt == "Mine"
    other = Talk(Opening(go_on=True))
    del other.chat.given["model"], other.chat.flags["model"]
    await other.start()
    await other.chat.open(person=True)
    assert (other.chat.model, other.chat.origin("model")) == ("echo/echo", "the conversation")
    assert other.chat.settings.system_prompt == "Be brief"
    await other.chat.close()
    await again.chat.close()


# What is shown.


def test_a_moment_is_said_as_a_person_says_it() -> None:
    now = datetime(2026, 3, 1, 12, 0).astimezone()

    def said(year: int, month: int, day: int, hour: int, minute: int) -> str:
        then = datetime(year, month, day, hour, minute).astimezone()
        return moment(round(then.timestamp() * 1000), now)

    assert said(2026, 3, 1, 9, 5) == "today 09:05"
    assert said(2026, 2, 28, 23, 59) == "yesterday 23:59"
    assert said(2026, 2, 27, 1, 2) == "2026-02-27 01:02"
    assert said(2026, 3, 2, 1, 2) == "2026-03-02 01:02"  # the clock was set back


@pytest.mark.parametrize("columns", [30, 50, 80])
def test_a_list_fits_the_screen(columns: int) -> None:
    names = ("short", "A title of many words that would not fit beside what is said", "模型" * 30)
    choices = [Choice(name=name, note="12 turns · yesterday 12:00") for name in names]
    lines = numbered(choices, columns).split("\n")
    assert max(map(width, lines)) <= columns
    assert sum("(12 turns" in line for line in lines) == 3
    assert lines[0].startswith("  1  short  (12" if columns > 40 else "  1  short")
    long = next(line for line in lines if line.startswith("  2"))
    assert long.startswith("  2  A title of many word")
    assert "…" in long


def test_a_numbered_list_shows_the_newest_and_takes_any_number() -> None:
    choices = [Choice(name=f"n{at}", note="1 turn") for at in range(25)]
    lines = numbered(choices).split("\n")
    assert (lines[0], lines[-1]) == ("  1  n0  (1 turn)", "  …  and 5 older ones")
    assert chosen("25", choices) == 24
    assert chosen("  ", choices) is None
    for wrong in ("0", "26", "x", "1" * 50, "²"):
        with pytest.raises(UsageError, match="is not one of 1 to 25"):
            chosen(wrong, choices)
