"""What has been said: /history, /copy, /save, /edit; the clipboard and files behind them."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import stat
from pathlib import Path

import pytest

from cloudllm import CloudLLMError, Message, Role, Status, UsageError
from cloudllm.repl import clipboard
from cloudllm.repl.opening import Opening
from cloudllm.repl.saving import save
from cloudllm.repl.transcript import code_blocks, in_full, overview, turns
from tests.repl.screens import Talk
from tests.repl.test_resume import keep

CODE = "Look:\n\n```python\nprint(1)\n```\n\n- in a list\n  ~~~\n  two\n  three\n  ~~~\n"


@pytest.fixture
def talk() -> Talk:
    return Talk()


async def give_reply(talk: Talk, text: str) -> None:
    """Have the model have said this."""
    session = await talk.chat.connect()
    session.inject_message(Message(Role.USER, "a question"))
    session.inject_message(Message(Role.ASSISTANT, text, model="echo/echo"))


async def test_history_numbers_the_turns_and_shows_one(talk: Talk) -> None:
    with pytest.raises(UsageError, match="nothing has been said yet"):
        await talk.say("/history")
    await talk.say("first\nline", "second", "/pin 1")
    shown = (await talk.say("/history")).split("\n")
    assert [line.split()[:2] for line in shown] == [
        ["1", "you"], ["assistant", "You"], ["2", "you"], ["assistant", "You"],
    ]  # fmt: skip
    assert shown[0] == "  1  you        first…  (pinned)"
    full = await talk.say("/history 1")
    assert full.startswith("You:\nfirst\nline\n\nAssistant (echo/echo):\nYou said: first")
    for wrong in ("0", "3", "one", "-1", "9" * 20, "x" * 10_000):
        with pytest.raises(UsageError, match="turn") as caught:
            await talk.say(f"/history {wrong}")
        assert len(str(caught.value)) < 150


async def test_history_shows_a_message_that_has_no_reply_yet(talk: Talk) -> None:
    keep("one", "answer", "two\nlines")
    await talk.say("/resume kept")
    assert (await talk.say("/history")).split("\n")[-1] == ("  2  you        two…  (no reply yet)")
    assert await talk.say("/history 2") == "You:\ntwo\nlines\n\n[no reply yet]"
    await talk.say("/fork 2")
    assert (await talk.say("/history 2")).endswith("[no reply yet]")
    await talk.say("/retry")
    assert "You said: two" in await talk.say("/history 2")
    keep("alone", title="alone")
    await talk.say("/resume alone")
    assert await talk.say("/history 1") == "You:\nalone\n\n[no reply yet]"
    await talk.chat.close()


async def test_of_a_long_history_the_newest_turns_are_listed(talk: Talk) -> None:
    await talk.start()
    session = await talk.chat.connect()
    for number in range(51):
        session.inject_message(Message(Role.USER, f"question {number}"))
        session.inject_message(Message(Role.ASSISTANT, "an answer", model="echo/echo"))
    shown = (await talk.say("/history")).split("\n")
    assert shown[0] == "… 1 earlier turn; /history all lists them, too"
    assert shown[1] == "  2  you        question 1"
    assert shown[-2] == " 51  you        question 50"
    whole = (await talk.say("/history all")).split("\n")
    assert whole[0] == "  1  you        question 0"
    assert len(whole) == 102


async def test_what_was_used_is_told_when_its_turn_is_taken_back(talk: Talk) -> None:
    assert await talk.say("/tokens") == "No tokens used yet."
    shown = await talk.say("one", "/undo", "/tokens")
    assert re.search(r"^last reply  none\nsession     ~\d+ in", shown)


async def test_a_table_of_use_fits_a_narrow_terminal(talk: Talk) -> None:
    talk.screen.columns = 50
    rows = (await talk.say("one", "/usage")).split("\n")
    assert rows[0].startswith("DAY")
    assert max(map(len, rows)) <= 50


def test_what_is_not_whole_says_so() -> None:
    history = [
        Message(Role.USER, "go"),
        Message(Role.ASSISTANT, "", status=Status.PARTIAL, error="the line broke"),
    ]
    assert overview(turns(history)).split("\n")[1].endswith("assistant  (empty)  (broken off)")
    assert in_full(turns(history)[0]).endswith("(empty)\n\n[broken off: the line broke]")
    assert [turn.number for turn in turns(history)] == [1]
    assert turns([]) == []


async def test_copy_gives_exactly_the_reply_or_one_of_its_blocks(talk: Talk) -> None:
    with pytest.raises(UsageError, match="no reply to copy yet"):
        await talk.say("/copy")
    await give_reply(talk, CODE)
    assert "The last reply (69 characters) is handed to the terminal" in await talk.say("/copy")
    assert talk.screen.copied == CODE
    await talk.say("/cp code 1")
    assert talk.screen.copied == "print(1)"
    assert "Code block 2" in await talk.say("/copy code 2")
    assert talk.screen.copied == "two\nthree"
    for wrong, words in (
        ("code", r"has 2 code blocks\. Say which, such as /copy code 1"),
        ("code 3", "no code block 3; there are 2"),
        ("code 0", "no code block 0"),
        ("kode 1", "not “kode 1”"),
        ("x" * 10_000, "not “x{40,60}…”$"),
    ):
        with pytest.raises(UsageError, match=words):
            await talk.say(f"/copy {wrong}")
    await give_reply(talk, "```\nonly\n```")
    await talk.say("/copy code")
    assert talk.screen.copied == "only"
    await give_reply(talk, "no code")
    with pytest.raises(UsageError, match="no code block"):
        await talk.say("/copy code 1")


def test_code_blocks_hold_exactly_what_stands_in_them() -> None:
    assert code_blocks(CODE) == (("python", "print(1)\n"), ("", "two\nthree\n"))
    assert code_blocks("``` a b\n\n  x\x1b[2J\n\n") == (("a", "\n  x\x1b[2J\n\n"),)
    assert code_blocks("`inline`\n\n    indented\n") == ()


@pytest.mark.slow
async def test_G1_a_long_reply_is_searched_for_code_beside_the_keys(talk: Talk) -> None:
    await talk.chat.start()
    await give_reply(talk, "text *x* [a](b)\n\n```\nx\n```\n" * 10_000)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    task = asyncio.create_task(beat())
    await talk.say("/copy code 7")
    task.cancel()
    assert beats > 10


def test_G6_the_sequence_for_the_clipboard_is_base_64_of_exactly_the_text() -> None:
    text = "\x1b]0;title\x07 ü 漢\r\n\x9b2J\x1b\\"
    sequence = clipboard.osc_52(text)
    assert sequence is not None
    match = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert match is not None
    assert base64.b64decode(match[1]).decode() == text
    assert clipboard.osc_52("x" * clipboard.MOST) is not None
    assert clipboard.osc_52("x" * clipboard.MOST + "x") is None
    assert clipboard.osc_52("\ud800") is not None


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which there is such a program, and a desktop for it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {"PATH": path, "WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}


async def test_without_a_terminal_a_program_takes_it_or_the_error_says_what_there_is(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk.screen.copies = False
    await talk.chat.start()
    await give_reply(talk, "exactly\nthis\n")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(CloudLLMError, match=r"no wl-copy, xclip or pbcopy\. /save FILE"):
        await talk.say("/copy")
    for name, value in program(tmp_path / "bin", "wl-copy", f"cat >{tmp_path}/copied").items():
        monkeypatch.setenv(name, value)
    assert (await talk.say("/copy")).endswith("is in the clipboard, by wl-copy.")
    assert (tmp_path / "copied").read_text() == "exactly\nthis\n"


def test_a_program_that_fails_or_hangs_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = program(tmp_path / "bad", "wl-copy", "exit 3")
    monkeypatch.setenv("PATH", bad["PATH"])
    with pytest.raises(CloudLLMError, match="wl-copy failed, so nothing was copied: exit code 3"):
        clipboard.hand_over("x", bad)
    monkeypatch.setattr(clipboard, "_DEADLINE", 0.1)
    slow = program(tmp_path / "slow", "wl-copy", "exec sleep 5")
    monkeypatch.setenv("PATH", slow["PATH"])
    with pytest.raises(CloudLLMError, match=r"it did not end within 0\.1 s"):
        clipboard.hand_over("x", slow)
    monkeypatch.setattr(clipboard, "_MOST_FOR_PROGRAM", 3)
    with pytest.raises(CloudLLMError, match="too long for the clipboard: 4 bytes"):
        clipboard.hand_over("four", bad)


async def test_save_writes_markdown_and_nothing_over_a_file_unasked(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.md"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UsageError, match="nothing to save yet"):
        await talk.say("/save talk.md")
    await talk.say("hello *there*")
    assert await talk.say("/save my talk.md") == "Saved 2 messages to my talk.md."
    text = (tmp_path / "my talk.md").read_text()
    assert text.startswith("# hello there\n")
    assert "\n## You\n\nhello *there*\n\n## echo/echo\n\nYou said: hello" in text
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.md is there already, and nothing was written"):
        await talk.say('/save "mine.md"')
    assert mine.read_text() == "mine"
    for place, line in enumerate(('"mine.md" --force', "--force ~/mine.md")):
        mine.write_text(f"mine {place}")
        await talk.say(f"/save {line}")
        assert mine.read_text() == text
    for wrong in ("", "--force"):
        with pytest.raises(UsageError, match="needs the name of a file"):
            await talk.say(f"/save {wrong}")


@pytest.mark.parametrize("private", [False, True])
async def test_the_ending_says_in_what_form_a_conversation_is_saved(
    private: bool, tmp_path: Path
) -> None:
    talk = Talk(Opening(private=private))
    await talk.start()
    await give_reply(talk, "the beginning")
    await give_reply(talk, "first answer")
    await talk.say("/undo")
    await give_reply(talk, "second <answer>")
    forms = {"x.json": '"messages"', "x.HTML": "&lt;answer&gt;", "x.txt": "second <answer>",
             "x.jsonl": '"second <answer>"', "x": "# a question"}  # fmt: skip
    for name, words in forms.items():
        said = await talk.say(f"/save {tmp_path / name}")
        assert ("as Markdown" in said) is (name == "x")
        text = (tmp_path / name).read_text()
        assert words in text
        assert ("first answer" in text) is (name in ("x.json", "x.jsonl") and not private)
    with pytest.raises(UsageError, match=r"ends in “\.odd”\. Known: \.md, \.html"):
        await talk.say(f"/save {tmp_path / 'x.odd'}")
    assert not (tmp_path / "x.odd").exists()
    await talk.chat.close()


def test_a_file_gets_the_usual_permissions_and_keeps_its_own(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(str(tmp_path / "new"), "x", force=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    (tmp_path / "link").symlink_to("new")
    save(str(tmp_path / "link"), "y", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").read_text() == "y"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "is a folder"),
        ("no/such/folder/x", "cannot be written: no such file"),
        ("x" * 300, "cannot be written: file name too long"),
        ("nul\0l", "cannot be written"),
        ("~nobody-here/x", "cannot be written"),
        ("dangling", "dangling"),
        ("/dev/null", "is no file that could be written over"),
        ("pipe", "is no file that could be written over"),
    ],
)
def test_what_cannot_be_written_is_one_line_whatever_it_is(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dangling").symlink_to("nowhere")
    os.mkfifo("pipe")
    for force in (False, True):
        with pytest.raises(CloudLLMError, match=words) as caught:
            save(name, "x", force=force)
        assert "\n" not in str(caught.value)


async def test_edit_takes_the_last_message_back_into_the_editor(talk: Talk) -> None:
    with pytest.raises(UsageError, match="nothing to edit yet"):
        await talk.say("/edit")
    assert "/tree leads back to it. This was" in await talk.say("one", "two\nlines", "/e")
    assert talk.screen.editor == "two\nlines"
    assert talk.chat.session is not None
    assert [m.content for m in talk.chat.session.history if m.role is Role.USER] == ["one"]
    with pytest.raises(UsageError, match="/edit takes no argument"):
        await talk.say("/edit 1")
