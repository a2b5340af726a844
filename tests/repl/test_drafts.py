"""The unsent draft survives the end of the program, however that comes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from cloudllm.repl import drafts as module
from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.drafts import DraftJournal
from cloudllm.testing import Reply, WireServer
from tests.repl.drafts import on_disk, wait_for
from tests.repl.dying import die

SEND = "\r\\end\r"
DYING = """
import os, sys
from pathlib import Path
from cloudllm.store.database import Store
from cloudllm.store.drafts import Drafts
Drafts(Store(Path(sys.argv[1]))).save(sys.argv[2])
os.kill(os.getpid(), 9)
"""
BACK = r"^A draft that was not sent is back in the editor"


def killed(terminal: Any, number: int = signal.SIGKILL) -> None:
    os.kill(terminal.process.pid, number)
    terminal.leave()


# In the process.


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOMENT", 0.01)
    monkeypatch.setattr(module, "_PERIOD", 0.02)


def left_by_a_dead_chat(home: Path, draft: str) -> None:
    command = [sys.executable, "-c", DYING, str(home / "store.db"), draft]
    dead = subprocess.run(command, check=False, timeout=20)
    assert dead.returncode == -signal.SIGKILL


def journalled(
    home: Path, steps: Callable[[DraftBuffer], Coroutine[None, None, None]]
) -> tuple[bool, list[str], DraftBuffer]:
    """Run steps on an editor with a journal: is a draft kept, what was said, the editor."""
    told: list[str] = []
    editor = DraftBuffer()

    async def run() -> bool:
        journal = DraftJournal(editor, told.append)
        journal.start()
        await until(lambda: journal._is_loaded)
        await steps(editor)
        return await journal.finish()

    return asyncio.run(run()), told, editor


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the disk sends no event
            await asyncio.sleep(0.01)


def test_a_damaged_file_is_told_of_and_the_draft_is_in_the_new_one(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "store.db").write_bytes(b"no database at all" * 100)

    async def steps(editor: DraftBuffer) -> None:
        editor.text = "one"

    is_kept, told, _ = journalled(home, steps)
    assert is_kept
    assert on_disk(home) == ["one"]
    (line,) = told
    assert line.startswith(f"{home / 'store.db'} was damaged; it is kept as store.db.damaged-")


def test_G5_a_draft_is_on_disk_while_it_is_written_with_all_that_is_folded(home: Path) -> None:
    paste = "\n".join(["pasted"] * 50)

    async def steps(editor: DraftBuffer) -> None:
        editor.insert_text("see ")
        editor.insert_pasted(paste)
        await until(lambda: on_disk(home) == [f"see {paste}"])
        editor.reset()
        await until(lambda: on_disk(home) == [])

    assert journalled(home, steps)[:2] == (False, [])


@pytest.mark.parametrize("spoil", ["secret", "refused", "hidden", "blank"])
def test_G5_what_must_not_be_kept_takes_away_what_was(spoil: str, home: Path) -> None:
    async def steps(editor: DraftBuffer) -> None:
        editor.insert_text("/set providers.openai.api_key ")
        await until(lambda: on_disk(home) != [])
        editor.was_refused = spoil == "refused"
        editor.hidden = spoil == "hidden"
        editor.insert_text("sk-1" if spoil == "secret" else "")
        if spoil == "blank":
            editor.put_ahead(" not for the disk")
        editor.on_text_changed.fire()
        await until(lambda: on_disk(home) == [])

    assert journalled(home, steps)[0] is False


def test_G5_while_a_question_is_open_the_draft_that_waits_is_kept(home: Path) -> None:
    async def steps(editor: DraftBuffer) -> None:
        editor.insert_text("the draft")
        editor.lay_aside()
        editor.hidden = True
        editor.insert_text("sk-secret")
        await until(lambda: on_disk(home) == ["the draft"])
        editor.reset()
        editor.hidden = False
        editor.take_up()

    kept, _, editor = journalled(home, steps)
    assert kept
    assert editor.text == "the draft"
    assert on_disk(home) == ["the draft"]


def test_G5_leaving_at_once_writes_the_last_state(home: Path) -> None:
    async def steps(editor: DraftBuffer) -> None:
        editor.insert_text("typed just now")

    assert journalled(home, steps)[0]
    assert on_disk(home) == ["typed just now"]


def test_G5_a_draft_that_was_found_is_not_lost_to_one_that_waits_for_an_answer(home: Path) -> None:
    left_by_a_dead_chat(home, "found")
    told: list[str] = []
    editor = DraftBuffer()
    editor.insert_text("typed at once")
    editor.lay_aside()

    async def run() -> None:
        journal = DraftJournal(editor, told.append)
        journal.start()
        await until(lambda: on_disk(home) == ["found\ntyped at once"])
        assert not told
        editor.take_up()
        await until(lambda: bool(told))
        await journal.finish()

    asyncio.run(run())
    assert editor.text == "found\ntyped at once"
    assert on_disk(home) == ["found\ntyped at once"]


def test_G5_what_comes_back_while_the_editor_outside_is_open_is_kept(home: Path) -> None:
    async def steps(editor: DraftBuffer) -> None:
        editor.insert_text("draft")
        editor._ahead = []
        editor.put_ahead("first")
        editor.put_ahead("refused", refused=True)
        editor.put_ahead("second")
        await until(lambda: on_disk(home) == ["second\nfirst\ndraft"])

    assert journalled(home, steps)[0]


def test_G5_what_goes_out_is_kept_ahead_of_the_editor_until_it_is_gone(home: Path) -> None:
    under_way = ["going out"]
    editor = DraftBuffer()

    async def run() -> None:
        journal = DraftJournal(editor, lambda _line: None, lambda: "\n".join(under_way))
        journal.start()
        editor.insert_text("the next one")
        await until(lambda: on_disk(home) == ["going out\nthe next one"])
        under_way.clear()
        journal.look()
        await until(lambda: on_disk(home) == ["the next one"])
        await journal.finish()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("typed", "sent", "left"),
    [
        ("", "first\nlines", "second"),
        (" and more", "first\nlines", "second and more"),
        ("", "first\nlines\nsecond", ""),
        ("", "first\nli", "first\nlines\nsecond"),
        ("", "second", "first\nlines\nsecond"),
        ("", "", "first\nlines\nsecond"),
    ],
)
@pytest.mark.parametrize("early", [True, False])
def test_G5_what_the_conversation_has_too_comes_back_once(
    early: bool, typed: str, sent: str, left: str, home: Path
) -> None:
    left_by_a_dead_chat(home, "first\nlines\nsecond")
    editor = DraftBuffer()

    async def run() -> None:
        journal = DraftJournal(editor, lambda _line: None)
        journal.start()
        if early:
            journal.was_sent(sent)
        await until(lambda: journal._is_loaded)
        await until(lambda: not journal._found)
        editor.insert_text(typed)
        journal.was_sent(sent)
        await until(lambda: on_disk(home) == ([left] if left else []))
        await journal.finish()

    asyncio.run(run())
    assert editor.text == left


@pytest.mark.parametrize("when", ["asked", "outside before", "outside after", "in the middle"])
def test_G5_what_came_back_is_taken_off_wherever_the_editor_is(when: str, home: Path) -> None:
    left_by_a_dead_chat(home, "asked\nnext")
    editor = DraftBuffer()

    async def run() -> None:
        journal = DraftJournal(editor, lambda _line: None)
        if when == "outside before":
            editor._ahead = []
        journal.start()
        await until(lambda: journal._is_loaded and not journal._found)
        if when == "asked":
            editor.lay_aside()
            editor.insert_text("the answer")
        if when == "outside after":
            editor._ahead = []
        if when == "in the middle":
            editor.cursor_left(2)
        journal.was_sent("asked")
        await until(lambda: when == "outside after" or on_disk(home) == ["next"])
        if when == "asked":
            editor.reset()
            editor.take_up()
        if when.startswith("outside"):
            if when == "outside after":
                editor.text = "asked\nnext"  # as it comes back
            editor._back_from_outside([])
        await journal.finish()

    asyncio.run(run())
    assert editor.text == "next"
    assert editor.cursor_position == (2 if when == "in the middle" else 4)
    assert on_disk(home) == ["next"]


def test_G5_what_was_typed_is_not_taken_for_what_came_back(home: Path) -> None:
    left_by_a_dead_chat(home, "again")
    editor = DraftBuffer()

    async def run() -> None:
        journal = DraftJournal(editor, lambda _line: None)
        journal.start()
        await until(lambda: journal._is_loaded and not journal._found)
        journal.was_sent("again")
        assert not editor.text
        editor.insert_text("again")
        journal.was_sent("again")
        await journal.finish()

    asyncio.run(run())
    assert editor.text == "again"
    assert on_disk(home) == ["again"]


def test_a_secret_stays_one_when_a_draft_comes_back_ahead_of_it() -> None:
    editor = DraftBuffer()
    editor.insert_text("/set providers.openai.api_key sk-1")
    editor.put_ahead("hello")
    assert not editor.to_keep()
    assert not editor.keep_unsent()
    assert not editor.history.get_strings()


def test_G5_what_could_not_be_written_is_tried_again_without_a_key(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AFTER_FAILURE", 0.05)
    home.write_text("a file where the folder should be")

    async def steps(editor: DraftBuffer) -> None:
        editor.insert_text("the last key")
        await asyncio.sleep(0.15)
        home.unlink()  # noqa: ASYNC240 - it takes no time
        await until(lambda: on_disk(home) == ["the last key"])

    kept, told, _ = journalled(home, steps)
    assert kept
    assert len(told) == 1


def test_a_folder_that_cannot_even_be_looked_at_costs_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDLLM_HOME", str(home.parent / ("x" * 300)))
    monkeypatch.setattr(module, "_AFTER_FAILURE", 0.05)
    told: list[str] = []
    editor = DraftBuffer()

    async def run() -> None:
        journal = DraftJournal(editor, told.append)
        journal.start()
        await until(lambda: journal._is_loaded)
        editor.insert_text("x")
        await until(lambda: bool(told))
        await journal.finish()

    asyncio.run(run())
    assert len(told) == 1


def test_a_store_that_cannot_be_used_costs_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AFTER_FAILURE", 0.05)
    home.write_text("a file where the folder should be")

    async def steps(editor: DraftBuffer) -> None:
        for letter in "abc":
            editor.insert_text(letter)
            await asyncio.sleep(0.06)

    kept, told, editor = journalled(home, steps)
    assert not kept
    assert editor.text == "abc"
    assert len(told) == 1
    assert re.match(r"What you write is not kept against a crash: .*store\.db: ", told[0])


# On a terminal.


@pytest.mark.slow
def test_G5_a_draft_survives_kill_9_and_comes_back_ahead_of_what_is_typed(
    terminal: Callable[..., Any], home: Path
) -> None:
    t = terminal()
    t.send("an unsent\rdraft")
    wait_for(home, ["an unsent\ndraft"])
    killed(t)
    t = terminal()
    t.send("typed since")
    t.wait(BACK)
    t.settle()
    assert t.editor() == "an unsent\ndraft\ntyped since"
    wait_for(home, ["an unsent\ndraft\ntyped since"])


@pytest.mark.slow
def test_G5_two_chats_keep_their_own_drafts(terminal: Callable[..., Any], home: Path) -> None:
    first = terminal()
    first.send("mine")
    wait_for(home, ["mine"])
    second = terminal()
    second.send("yours")
    wait_for(home, ["mine", "yours"])
    first.settle()
    assert first.editor() == "mine"
    killed(second)
    third = terminal()
    third.wait(BACK)
    third.settle()
    assert third.editor() == "yours"
    assert not re.search(BACK, first.text(), re.MULTILINE)


@pytest.mark.slow
def test_G5_a_draft_that_was_sent_does_not_come_back(
    terminal: Callable[..., Any], home: Path
) -> None:
    t = terminal()
    t.send("sent")
    wait_for(home, ["sent"])
    t.send(SEND)
    wait_for(home, [])
    killed(t)
    t = terminal()
    t.send("new")
    wait_for(home, ["new"])
    assert not re.search(BACK, t.text(), re.MULTILINE)


@pytest.mark.slow
def test_G5_a_message_that_has_not_gone_out_survives_kill_9(
    terminal: Callable[..., Any], home: Path
) -> None:
    t = terminal()
    t.send("asked at once\rin two lines" + SEND)  # litellm is still loading
    wait_for(home, ["asked at once\nin two lines"])
    killed(t)
    t = terminal()
    t.wait(BACK)
    t.settle()
    assert t.editor() == "asked at once\nin two lines"


@pytest.mark.slow
@pytest.mark.parametrize(("pieces", "back"), [((), "asked\nnext"), (("a piece",), "next")])
def test_G5_a_message_that_a_crash_left_twice_comes_back_once(
    pieces: tuple[str, ...], back: str, terminal: Callable[..., Any], home: Path
) -> None:
    die("asked", *pieces)
    left_by_a_dead_chat(home, "asked\nnext")
    t = terminal()
    t.wait("The last (reply was broken off|message had no reply)")
    t.wait(BACK)
    t.settle()
    assert t.editor() == back


@pytest.mark.slow
def test_G5_a_draft_that_says_what_was_answered_once_before_comes_back(
    terminal: Callable[..., Any], home: Path
) -> None:
    command = [sys.executable, "-m", "cloudllm", "ask", "-m", "echo/echo", "again"]
    subprocess.run(command, check=True, timeout=20, capture_output=True)
    left_by_a_dead_chat(home, "again\nand more")
    t = terminal("--continue")
    t.wait(BACK)
    t.wait("^> again")
    t.settle()
    assert t.editor() == "again\nand more"


@pytest.mark.slow
def test_G5_what_waited_for_a_reply_survives_kill_9(
    terminal: Callable[..., Any], server: WireServer, home: Path
) -> None:
    server.replies(Reply(text=["one ", "two "], stall_after=2))
    t = terminal()
    t.send("first" + SEND)
    t.wait("one two")
    wait_for(home, [])
    t.send("//second" + SEND + "/tokens\r" + "third" + SEND + "draft")
    wait_for(home, ["//second\nthird\ndraft"])
    killed(t)
    t = terminal()
    t.wait("The last reply was broken off")
    t.wait(BACK)
    t.settle()
    assert t.editor() == "//second\nthird\ndraft"


@pytest.mark.slow
def test_G5_a_draft_survives_a_signal_to_leave(terminal: Callable[..., Any], home: Path) -> None:
    t = terminal()
    t.send("on leaving")
    wait_for(home, ["on leaving"])
    t.send(" more")
    t.wait("on leaving more")
    killed(t, signal.SIGHUP)
    t.wait("What stood in the editor is there again next time")
    assert on_disk(home) == ["on leaving more"]


@pytest.mark.slow
def test_G5_a_draft_survives_a_closed_terminal(terminal: Callable[..., Any], home: Path) -> None:
    t = terminal(rows=50, columns=200)
    t.send("the window closes")
    wait_for(home, ["the window closes"])
    os.close(t.slave)
    os.close(t.master)
    t.process.wait(10)
    t.master, t.slave = os.pipe()
    t = terminal()
    t.wait(BACK)
    t.settle()
    assert t.editor() == "the window closes"
