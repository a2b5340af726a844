"""`cloudllm sessions rename|delete|purge`: what they change, and that they ask before."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from cloudllm.errors import UsageError
from cloudllm.paths import history_text
from cloudllm.store.alive import alive
from cloudllm.store.database import Store, default_path
from tests.core.kept import conversations, keep, kept_titles, on_terminal, program, run


@pytest.fixture
def open_elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """The title of a conversation that a living chat has."""
    entry = keep("In use", age=1)
    store = Store(default_path())
    with store.write() as connection:
        connection.execute("UPDATE conversation SET owner = 77 WHERE id = ?", (entry.id,))
    store.close()
    living = alive(default_path().parent)
    monkeypatch.setattr(type(living), "has", lambda _, number: number == 77)
    return "In use"


def test_a_conversation_gets_another_title() -> None:
    entry = keep("Before")
    assert run("rename", "bef", "After all").stderr == "It is called “After all” now.\n"
    assert kept_titles() == ["After all"]
    assert run("rename", entry.key, "模型 / and more").exit_code == 0
    assert kept_titles() == ["模型 / and more"]


@pytest.mark.parametrize("title", ["", "  ", "a\nb", "\x1b[2J", "x" * 10_000, "\udcff"])
def test_what_is_no_title_is_one_short_line(title: str) -> None:
    keep("Before")
    with pytest.raises(UsageError) as caught:
        run("rename", "before", title)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
    assert kept_titles() == ["Before"]


@pytest.mark.parametrize("command", ["delete", "purge"])
def test_nothing_is_removed_before_a_yes(command: str) -> None:
    keep("One")
    keep("Two", age=1)
    with pytest.raises(UsageError, match="nobody is there to be asked"):
        run(command, "One")
    code, shown = on_terminal("sessions", command, "One", "two", answer=b"n\n")
    assert code == 1
    assert "2 conversations, “One”, “Two”" in shown
    assert "Nothing was changed." in shown
    assert kept_titles() == ["One", "Two"]
    code, shown = on_terminal("sessions", command, "One", answer=b"y\n")
    assert code == 0
    assert kept_titles() == ["Two"]


@pytest.mark.parametrize(("key", "code"), [(b"\x03", 130), (b"\x04", 1)])
def test_to_leave_a_question_changes_nothing_and_ends_its_line(key: bytes, code: int) -> None:
    keep("One")
    left, shown = on_terminal("sessions", "purge", "One", answer=key)
    assert left == code
    assert re.search(r"\[y/N\]: (\^[CD]\x08*)?\nNothing was changed\.\n$", shown), repr(shown)
    assert kept_titles() == ["One"]


def test_several_are_deleted_each_once() -> None:
    one = keep("One", "needle")
    keep("Two", age=1)
    keep("Three", age=2)
    done = run("delete", "One", one.key, "thr", "--yes")
    assert done.stderr == "2 conversations deleted.\n"
    assert kept_titles() == ["Two"]
    assert run("search", "needle").stdout == ""


def test_all_or_none_of_the_names_must_be_right() -> None:
    keep("One")
    for command in ("delete", "purge"):
        with pytest.raises(UsageError, match="no conversation “Nine”"):
            run(command, "One", "Nine", "--yes")
    assert kept_titles() == ["One"]


def test_a_purge_leaves_no_byte_and_says_so() -> None:
    keep("Secret plans", "the needle is in here somewhere", "in the hay", "c", "d")
    keep("Kept", "of other things", age=1)
    done = run("purge", "secret", "--yes")
    assert done.stdout == ""
    assert done.stderr == (
        "1 conversation with 4 messages purged; the bytes on the disk were searched, and nothing is"
        " left.\n"
    )
    on_disk = b"".join(each.read_bytes() for each in default_path().parent.iterdir())
    assert b"needle" not in on_disk
    assert b"Secret plans" not in on_disk
    assert kept_titles() == ["Kept"]


def test_a_purge_says_where_what_was_typed_still_is() -> None:
    keep("One", "the needle")
    inputs = Path(history_text())
    inputs.write_text("the needle")
    done = run("purge", "One", "--yes")
    assert done.stderr.endswith(
        f"The input history keeps what was typed; remove {inputs} to empty it.\n"
    )


def test_the_old_ones_or_all_can_be_purged() -> None:
    keep("Old", age=3)
    with conversations() as found:
        young = found.add(found.archive(found.find("Old").id).__class__(title="Young"))
    assert young is not None
    days = int((time.time() - 1_767_355_200) / 86_400)
    assert "nothing to purge" in run("purge", "--older-than", f"{days + 9}", "--yes").stderr
    assert "1 conversation with" in run("purge", "--older-than", "1", "--yes").stderr
    assert kept_titles() == ["Young"]
    assert "1 conversation with 0 messages" in run("purge", "--all", "--yes").stderr
    assert "nothing to purge" in run("purge", "--all", "--yes").stderr


def test_which_ones_to_purge_must_be_said() -> None:
    keep("One")
    for arguments in ((), ("One", "--all"), ("--all", "--older-than", "3")):
        with pytest.raises(UsageError, match="say which conversations are to go"):
            run("purge", *arguments, "--yes")
    assert kept_titles() == ["One"]


def test_what_is_open_in_a_chat_stays(open_elsewhere: str) -> None:
    keep("Other", age=2)
    for command in ("delete", "purge"):
        with pytest.raises(UsageError, match="“In use”: open in a chat"):
            run(command, open_elsewhere, "--yes")
    done = run("purge", "--all", "--yes")
    assert "Left out, being open in a chat: “In use”." in done.stderr
    assert kept_titles() == ["In use"]


def test_a_store_that_cannot_be_used_is_one_line() -> None:
    default_path().mkdir(parents=True)
    for command in (("list",), ("delete", "x", "--yes"), ("purge", "--all", "--yes")):
        done = program("sessions", *command)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.count(b"\n") == 1
        assert str(default_path()).encode() in done.stderr
