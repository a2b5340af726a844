"""How a chat begins: with the last conversation, one by name, or what a crash has broken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudllm import Message, Role, Status, StoreError, UsageError
from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.repl.opening import Opening
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store, default_path
from tests.repl.dying import die
from tests.repl.screens import Talk

LAST = Opening(go_on=True)


async def opened(opening: Opening = Opening(), *, person: bool = True, **flags: object) -> Talk:  # noqa: B008 - it is frozen
    talk = Talk(opening, **flags)
    await talk.start()
    await talk.chat.open(person=person)
    return talk


def keep(*texts: str, title: str = "kept", folder: str | None = None, model: str = "") -> None:
    """Have a conversation on disk in which user and model, in turn, have said this."""
    roles = (Role.USER, Role.ASSISTANT)
    messages = tuple(
        ArchivedMessage(id=str(at), parent=str(at - 1) if at else None,
                        message=Message(roles[at % 2], text))
        for at, text in enumerate(texts)
    )  # fmt: skip
    where = str(Path.cwd()) if folder is None else folder
    archive = Archive(
        system_prompt="Be brief",
        title=title, folder=where, model=model, messages=messages, head=str(len(texts) - 1),
    )  # fmt: skip
    store = Store(default_path())
    Conversations(store).add(archive)
    store.close()


def contents(talk: Talk) -> list[str]:
    return [message.content for message in talk.chat.history]


async def test_continue_takes_up_the_last_conversation_of_this_folder() -> None:
    keep("one", "answer one")
    keep("elsewhere", "answer", folder="/elsewhere")
    talk = await opened(LAST)
    assert talk.chat.session is None  # it needs no client for that
    assert contents(talk) == talk.screen.recalled == ["one", "answer one"]
    assert (await talk.say("/history")).count("\n") == 1
    assert talk.screen.notices == []
    await talk.chat.close()


async def test_continue_takes_up_what_was_open_last_in_this_folder() -> None:
    keep("one", "answer one", title="first")
    keep("two", "answer two", title="second")
    keep("far", "answer far", title="third", folder="/elsewhere")
    for name, text in (("first", "one"), ("third", "far")):
        assert contents(await opened(LAST))[0] != text
        talk = await opened(Opening(resume=name))
        listed = (await talk.say("/sessions")).split("\n")
        assert [line.split()[1] for line in listed] == ["third", "second", "first"]
        await talk.chat.close()
        assert contents(await opened(LAST))[0] == text


async def test_what_was_said_before_the_last_turn_is_said_to_be_there() -> None:
    keep("one", "answer one", "two", "answer two", "three", "answer three")
    talk = await opened(LAST)
    assert talk.screen.recalled == ["three", "answer three"]
    assert talk.screen.notices[1:] == ["2 earlier turns; /history shows them."]
    assert "two" in await talk.say("/history")
    await talk.say("/undo", "/undo")
    await talk.chat.close()
    again = await opened(LAST)
    assert "kept · 1 turn · today" in again.screen.notices[0]
    assert again.screen.notices[1:] == []
    await again.say("/undo")
    await again.chat.close()
    last = await opened(LAST)
    assert "kept · 0 turns · today" in last.screen.notices[0]
    assert last.screen.notices[1:] == [
        "All that was said in it was taken back; /tree leads back to it."
    ]


@pytest.mark.parametrize("person", [True, False])
async def test_what_is_advised_can_be_done_where_it_is_said(person: bool) -> None:
    with pytest.raises(UsageError) as caught:
        await opened(LAST, person=person)
    assert ("/resume takes up" in str(caught.value)) is person
    keep("one", "answer one")
    with pytest.raises(UsageError) as caught:
        await opened(Opening(resume="nobody"), person=person)
    listing = "/sessions" if person else "cloudllm sessions list"
    assert str(caught.value) == f"There is no conversation “nobody”. {listing} shows them"


@pytest.mark.parametrize("opening", [LAST, Opening(resume="nobody"), Opening(resume="")])
@pytest.mark.parametrize("person", [True, False])
async def test_where_there_is_none_it_is_said(opening: Opening, person: bool, home: Path) -> None:
    talk = Talk(opening)
    await talk.start()
    with pytest.raises(UsageError, match=r"there (is|are) no conversation"):
        await talk.chat.open(person=person)
    assert not (home / "store.db").exists()


async def test_one_is_found_by_its_name_or_chosen() -> None:
    keep("one", "answer one", title="first")
    keep("two", "answer two", title="second", folder="")
    talk = await opened(Opening(resume="first"))
    assert contents(talk)[0] == "one"
    chooser = Talk(Opening(resume=""))
    chooser.screen.choice = 0
    await chooser.start()
    await chooser.chat.open(person=True)
    assert contents(chooser)[0] == "two"
    with pytest.raises(UsageError, match="Did you mean “second”"):
        await opened(Opening(resume="secnd"))


async def test_what_is_held_is_in_the_session_as_soon_as_there_is_one() -> None:
    keep("one", "answer one", "two", "answer two")
    talk = await opened(LAST)
    assert "taken back" in await talk.say("/undo")
    assert talk.screen.editor == "two"
    assert contents(talk) == ["one", "answer one"]
    await talk.say("/pin 1")
    assert talk.chat.history[0].pinned
    await talk.chat.close()
    again = await opened(LAST)
    assert contents(again) == ["one", "answer one"]
    await again.say("/new")
    assert contents(again) == []


async def test_a_new_conversation_can_begin_before_there_is_a_session() -> None:
    keep("one", "answer one")
    talk = await opened(LAST)
    assert "the one before is kept" in await talk.say("/new")
    assert talk.chat.session is None
    assert contents(talk) == []
    with pytest.raises(UsageError, match="nothing to undo"):
        await talk.say("/undo")


async def test_a_message_without_a_reply_is_back_in_the_editor() -> None:
    keep("one", "answer one", "and two?")
    talk = await opened(LAST)
    assert talk.screen.editor == "and two?"
    assert "/retry sends it again" in talk.screen.notices[-1]
    assert contents(talk) == ["one", "answer one"]


async def test_a_model_that_is_gone_is_named_and_the_own_one_goes_on() -> None:
    keep("one", "answer one", model="nobody/model-1")
    talk = Talk(LAST)
    del talk.chat.given["model"]
    await talk.start()
    await talk.chat.open(person=True)
    assert talk.chat.model == "echo/echo"
    assert "nobody/model-1 cannot be had, so echo/echo goes on" in talk.screen.notices[0]


async def test_a_private_chat_takes_nothing_up() -> None:
    keep("one", "answer one")
    talk = Talk(Opening(go_on=True, private=True))
    await talk.start()
    with pytest.raises(UsageError, match="keeps nothing on disk"):
        await talk.chat.open(person=True)


# After a crash.


async def test_G5_what_was_broken_off_here_is_taken_up_by_itself() -> None:
    die("a question", "The first ", "half")
    talk = await opened()
    assert talk.screen.recalled == ["a question", "The first half"]
    assert talk.chat.history[-1].status is Status.PARTIAL
    assert "1 turn · today" in talk.screen.notices[0]
    assert talk.screen.notices[0].endswith(" · broken off")
    assert talk.screen.notices[1:] == [
        "The last reply was broken off: /continue goes on with it, /new begins a new conversation."
    ]
    assert talk.chat.settings.system_prompt == "Be brief"
    fresh = await opened()  # it has been said
    assert fresh.screen.notices == []


async def test_G5_a_message_to_which_nothing_had_come_is_back_in_the_editor() -> None:
    die("a question")
    talk = await opened()
    assert talk.screen.editor == "a question"
    assert talk.screen.notices[1] == (
        "The last message had no reply: it is back in the editor. /new begins a new conversation."
    )


@pytest.mark.parametrize("here", [True, False])
async def test_G5_others_that_were_broken_off_are_only_named(here: bool, tmp_path: Path) -> None:
    for question in ("far away", "farther"):
        die(question, "half", folder=tmp_path / "other")
    if here:
        die("here", "half")
    else:
        keep("here", "answer")
    talk = await opened()
    assert contents(talk) == (["here", "half"] if here else [])
    assert talk.screen.notices[-1] == (
        "Broken off, too, and kept: “far away” and 1 more; /sessions lists them."
    )
    assert "(1 turn · today" in await talk.say("/sessions")
    assert "broken off" in await talk.say("/sessions")


async def test_G5_what_another_command_has_put_in_order_is_still_taken_up() -> None:
    die("a question", "half")
    store = Store(default_path())
    assert len(Conversations(store).recover()) == 1
    store.close()
    talk = await opened()
    assert contents(talk) == ["a question", "half"]
    assert "The last reply was broken off" in talk.screen.notices[-1]
    await talk.chat.close()
    assert contents(await opened()) == []


async def test_G5_what_was_broken_off_since_the_start_is_put_in_order_as_it_is_taken_up() -> None:
    talk = await opened()
    die("a question", "half")
    await talk.say("/resume a question")
    assert contents(talk) == talk.screen.recalled == ["a question", "half"]
    assert talk.chat.history[-1].status is Status.PARTIAL


async def test_G5_where_nobody_sits_a_fresh_chat_takes_nothing_up(home: Path) -> None:
    die("a question", "half")
    talk = await opened(person=False)
    assert (contents(talk), talk.screen.notices) == ([], [])
    asked = await opened(LAST, person=False)
    assert contents(asked) == ["a question", "half"]
    assert (asked.screen.notices, asked.screen.recalled) == ([], [])


async def test_a_store_that_cannot_be_used_does_not_stop_a_fresh_chat(home: Path) -> None:
    (home / "store.db").mkdir(parents=True)
    talk = await opened()
    assert talk.screen.notices == []
    with pytest.raises(StoreError, match=r"store\.db"):
        await opened(LAST)


@pytest.mark.usefixtures("gone")
async def test_a_folder_that_is_gone_is_no_reason_to_stop() -> None:
    talk: Any = await opened()
    assert talk.chat.shelf.folder == ""
    with pytest.raises(UsageError, match="no conversation in this folder"):
        await opened(LAST)
