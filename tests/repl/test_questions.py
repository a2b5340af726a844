"""Questions at the editor: nothing of a hidden answer stays behind, and no draft becomes one."""

from __future__ import annotations

import asyncio
import os
import signal
import termios
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import Application, create_app_session
from prompt_toolkit.application.current import set_app
from prompt_toolkit.clipboard import ClipboardData
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output import DummyOutput

from cloudllm.repl.buffer import DraftBuffer
from cloudllm.repl.drafts import DraftJournal
from cloudllm.repl.questions import Questions
from cloudllm.repl.unseen import unseen
from cloudllm.store.database import Store, default_path
from cloudllm.store.drafts import Drafts

Start = Callable[..., Any]
SECRET = "canary-0123456789abcdef"
NO_KEY = {"key": "", "OPENAI_BASE_URL": "", "CLOUDLLM_PROVIDERS__OPENAI__API_KEY_ENV": "NOT_SET"}


def asking(
    steps: Callable[[DraftBuffer, Questions, Application[None]], Coroutine[None, None, None]],
) -> None:
    """Take these steps at an editor that can be asked."""
    with create_app_session(input=DummyInput(), output=DummyOutput()):
        app: Application[None] = Application()
        with set_app(app):
            editor = DraftBuffer()
            asyncio.run(steps(editor, Questions(editor), app))


def test_G7_a_secret_that_comes_too_early_is_hidden_while_it_is_there() -> None:
    async def steps(editor: DraftBuffer, questions: Questions, app: Application[None]) -> None:
        questions.offer({"1": "/setup key"}, {"sk-x-": "/setup key"})
        memory = app.clipboard
        editor.insert_text(f"sk-x-{SECRET}")
        assert editor.hidden
        assert editor.to_keep() == ""
        editor.delete_before_cursor(len(editor.text) - 1)
        assert editor.hidden
        editor.delete_before_cursor(1)
        assert not editor.hidden
        assert app.clipboard is memory
        editor.insert_text(f"sk-x-{SECRET}")
        draft = editor.draft
        editor.reset()
        assert not questions.take(draft)
        assert questions.chosen(draft) == "/setup key"
        questions.hide()
        assert not editor.hidden
        assert await questions.ask(secret=True) == draft
        editor.insert_text("sk-x-")
        assert not editor.hidden

    asking(steps)


@pytest.mark.parametrize("early", [False, True])
def test_G7_what_is_cut_of_a_hidden_answer_cannot_be_inserted_later(early: bool) -> None:
    async def steps(editor: DraftBuffer, questions: Questions, app: Application[None]) -> None:
        app.clipboard.set_data(ClipboardData("mine"))
        app.vi_state.named_registers["a"] = ClipboardData("of vi")
        if early:
            questions.hide()
        asked = asyncio.ensure_future(questions.ask(secret=True))
        await asyncio.sleep(0)
        app.clipboard.set_data(ClipboardData(SECRET))
        app.vi_state.named_registers["a"] = ClipboardData(SECRET)
        questions.take(SECRET)
        assert await asked == SECRET
        found = []
        for _ in range(3):
            found.append(app.clipboard.get_data().text)
            app.clipboard.rotate()
        assert found == ["mine"] * 3
        assert app.vi_state.named_registers["a"].text == "of vi"

    asking(steps)


@pytest.mark.parametrize("sent", [False, True])
def test_G7_what_is_typed_ahead_of_its_question_answers_no_other(sent: bool) -> None:
    async def steps(editor: DraftBuffer, questions: Questions, _app: object) -> None:
        questions.hide()
        editor.text = SECRET
        if sent:
            editor.reset()
            questions.take(SECRET)
        asked = asyncio.ensure_future(questions.ask(secret=False))
        await asyncio.sleep(0)
        assert not asked.done()
        assert (editor.text, editor.hidden) == ("", False)
        questions.take("answer")
        assert await asked == "answer"
        assert editor.text == ""

    asking(steps)


@pytest.mark.parametrize("secret", [False, True])
def test_a_draft_that_comes_back_is_no_answer(secret: bool, home: Path) -> None:
    async def steps(editor: DraftBuffer, questions: Questions, _app: object) -> None:
        store = Store(default_path())
        Drafts(store).save("of a chat that died")
        with store.write() as connection:
            connection.execute("UPDATE draft SET owner = 1")  # the number of nobody who lives
        back = asyncio.Event()
        journal = DraftJournal(editor, lambda _line: back.set())
        asked = asyncio.ensure_future(questions.ask(secret=secret))
        journal.start()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(back.wait(), 0.2)
        assert editor.text == ""
        questions.take("answer")
        assert await asked == "answer"
        await asyncio.wait_for(back.wait(), 20)
        assert editor.text == "of a chat that died"
        assert await journal.finish()

    asking(steps)


def test_what_is_not_in_the_history_is_not_said_to_be_there() -> None:
    editor = DraftBuffer()
    for text in ("/set providers.x.api_key k", "hidden"):
        editor.text = text
        editor.hidden = text == "hidden"
        assert not editor.keep_unsent()
    editor.hidden = False
    for _ in range(2):  # it is there already
        editor.text = "a draft"
        assert editor.keep_unsent()
    assert editor.history.get_strings() == ["a draft"]


@pytest.mark.slow
def test_a_text_that_is_being_written_chooses_nothing(terminal: Start) -> None:
    t = terminal(**NO_KEY)
    t.wait(r"^>")
    t.send("1")  # before the offer
    t.wait(r"Choose, as with /setup 1:")
    t.send("\rtwo")
    t.wait(r"^> 1\n  two")


@pytest.mark.slow
def test_G7_in_plain_mode_a_key_that_is_typed_ahead_is_the_answer(
    terminal: Start, home: Path
) -> None:
    t = terminal("--plain", **NO_KEY)
    t.wait(r"^\\end on a line")
    t.send(f"/setup key\rsk-ant-{SECRET}\r")
    t.wait("answers from now on")
    assert SECRET in (home / "keys.toml").read_text()
    t.send("/setup key\r")
    t.wait("(?s)(not shown.*){2}")
    t.send(b"\xff\r")
    t.wait(r"byte 0xff is not UTF-8")
    t.send("/setup\r")
    t.wait("Ways to begin")


def test_G7_after_a_stop_a_shell_shows_nothing_of_a_secret_again() -> None:
    master, terminal = os.openpty()
    before = termios.tcgetattr(terminal)
    with unseen(terminal):
        termios.tcsetattr(terminal, termios.TCSANOW, before)  # as a shell does
        signal.raise_signal(signal.SIGCONT)
        os.write(master, b"secret\n")
        assert os.read(terminal, 10) == b"secret\n"
    assert termios.tcgetattr(terminal) == before
    assert signal.getsignal(signal.SIGCONT) is signal.SIG_DFL
    assert os.read(master, 10) == b"\r\n"
    os.close(master)
    os.close(terminal)


@pytest.mark.slow
def test_G7_a_key_that_is_pasted_before_it_is_asked_for_is_not_shown(
    terminal: Start, home: Path
) -> None:
    t = terminal(**NO_KEY)
    t.wait("try echo")
    t.paste(f"sk-ant-{SECRET}")
    t.wait(r"^> \*{20,}$")
    t.send("\x03")
    t.wait_gone(r"\*{5}")
    t.send("plain")
    t.wait("^> plain")
    t.send("\x15")
    t.paste(f"sk-ant-{SECRET}")
    t.send("\r")
    t.wait(r"^anthropic/\S+ answers from now on")
    assert f'anthropic = "sk-ant-{SECRET}"\n' in (home / "keys.toml").read_text()
    t.send("/quit\r")
    assert t.leave() == 0
    assert SECRET.encode() not in t.raw
    assert SECRET not in (home / "input-history").read_text()
