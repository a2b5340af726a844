"""`cloudllm sessions list|search|show`: rows that fit, hits in context, the text as it was said."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from cloudllm import cells
from cloudllm.cli import listing, sessions_text
from cloudllm.errors import StoreDamaged, StoreError, UsageError
from cloudllm.messages import Status
from cloudllm.store.database import default_path
from cloudllm.store.entries import Entry
from tests.core.kept import MOMENT, conversations, keep, keep_tree, on_terminal, program, run

WIDE = "所有权和借用所有权和借用"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
EVIL = "\x1b[2J\x07evil\ntitle"


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Has listings drawn as on a terminal."""
    monkeypatch.setattr(listing, "on_terminal", lambda: True)
    return monkeypatch


def entry(title: str, **changes: object) -> Entry:
    usual: dict[str, object] = {
        "id": 1, "key": "0123456789abcdef0123", "created": MOMENT, "updated": MOMENT,
        "folder": "/home/you/some/long/folder", "model": "acme/m", "turns": 1_234,
        "broken": False, "is_open": False,
    }  # fmt: skip
    return Entry(title=title, **{**usual, **changes})  # type: ignore[arg-type]


def rows(*entries: Entry, here: str = "/") -> list[str]:
    now = datetime.fromtimestamp(MOMENT / 1000, UTC).astimezone()
    return list(sessions_text.listed(entries, here=here, now=now))


def test_without_a_store_there_is_nothing_and_none_is_made() -> None:
    assert run("list").stdout == "There are no conversations yet.\n"
    assert run("list", "--json").stdout == run("search", "x", "--json").stdout == "[]\n"
    found = run("search", "x")
    assert (found.stdout, found.stderr) == ("", "No message holds that.\n")
    for command in (("show", "x"), ("rename", "x", "y"), ("delete", "x"), ("export", "--all")):
        with pytest.raises(UsageError, match="there are no conversations yet"):
            run(*command)
    assert not default_path().parent.exists()


def test_a_pipe_gets_whole_rows_the_newest_first() -> None:
    keep("Old one", age=2)
    new = keep("New one", "a", "b", "c", "d", folder="/home/you", status=Status.PARTIAL)
    header, first, second = run("list").stdout.splitlines()
    assert header.split() == ["ID", "STATE", "WHEN", "TURNS", "FOLDER", "TITLE"]
    when = sessions_text.moment(MOMENT)
    assert first.split() == [new.key, "broken", *when.split(), "2", "/home/you", "New", "one"]
    assert second.split()[4:] == ["1", "-", "Old", "one"]


def test_a_folder_and_a_number_narrow_the_list(tmp_path: Path) -> None:
    for number in range(25):
        keep(f"number {number}", folder=str(tmp_path), age=number)
    keep("elsewhere", age=30)
    assert len(run("list").stdout.splitlines()) == 27
    assert len(json.loads(run("list", "--json").stdout)) == 26
    assert len(run("list", "--all").stdout.splitlines()) == 27
    assert len(run("list", "--limit", "3").stdout.splitlines()) == 4
    assert len(json.loads(run("list", "--limit", "3", "--json").stdout)) == 3
    there = run("list", "--all", "--folder", str(tmp_path / "x" / "..")).stdout
    assert len(there.splitlines()) == 26
    nothing = run("list", "--folder", "/not/there").stdout
    assert nothing == "There are no conversations in that folder.\n"


def test_a_terminal_shows_the_newest_and_says_that_there_are_more(
    wide: pytest.MonkeyPatch,
) -> None:
    for number in range(21):
        keep(f"number {number}", age=number)
    shown = run("list")
    assert len(shown.stdout.splitlines()) == 21
    assert shown.stderr == "There are more; --all lists them.\n"
    assert len(json.loads(run("list", "--json").stdout)) == 21


def test_a_search_says_beside_its_result_that_there_is_more() -> None:
    keep("Many", *["needle"] * 21)
    for options in ((), ("--json",)):
        found = run("search", "needle", *options)
        assert found.stderr == "There are more; --limit says how many are listed.\n"
        assert "There are more" not in found.stdout
        assert run("search", "needle", "--limit", "21", *options).stderr == ""


def test_a_message_without_a_time_has_that_of_its_conversation() -> None:
    entry = keep("Timeless", "needle")
    with conversations() as kept, kept._store.write() as connection:
        connection.execute("UPDATE message SET created = 0 WHERE conversation = ?", (entry.id,))
    head = run("search", "needle").stdout.splitlines()[0]
    assert head == f"{entry.key}  {sessions_text.moment(MOMENT)}  Timeless"
    (found,) = json.loads(run("search", "needle", "--json").stdout)
    assert found["created"] == 0
    assert sessions_text.moment(0) == "-"


def test_json_is_whole_and_stable() -> None:
    kept = keep(EVIL, folder="/home/you")
    (found,) = json.loads(run("list", "--json").stdout)
    assert found == {
        "id": kept.key, "title": EVIL, "created": MOMENT, "updated": MOMENT,
        "folder": "/home/you", "model": "acme/m", "turns": 1, "broken": False, "open": False,
    }  # fmt: skip
    (hit,) = json.loads(run("search", "HELL", "--json").stdout)
    assert hit == {
        "conversation": found, "role": "assistant", "created": MOMENT,
        "before": "", "match": "hell", "after": "o",
    }  # fmt: skip


@pytest.mark.parametrize("columns", [20, 30, *range(40, 201, 7)])
def test_rows_fit_the_terminal(columns: int, wide: pytest.MonkeyPatch) -> None:
    wide.setattr(listing, "columns", lambda: columns)
    titles = (WIDE * 5, FAMILY * 40, EVIL * 9, "x" * 10_000, "plain", "e\u0301" * 99)
    shown = rows(
        *(entry(each, broken=each == "plain") for each in titles), entry(WIDE * 9, key="k")
    )
    assert all(wcswidth(row) <= columns for row in shown)
    assert "plain" in shown[5]
    assert ("FOLDER" in shown[0]) == (columns >= 70)
    assert ("WHEN" in shown[0]) == (columns >= 30)


def test_a_row_says_what_is_to_be_known(wide: pytest.MonkeyPatch) -> None:
    wide.setattr(listing, "columns", lambda: 100)
    wide.setenv("HOME", "/home/you")
    shown = rows(
        entry("both", is_open=True, broken=True, key="01a2249b2bcfe21f5abd"),
        entry("here", folder="/srv", key="01a2249b2bdfe21f5abd", turns=1),
        entry("none", folder="", key="short", updated=MOMENT - 86_400_000),
        here="/srv",
    )
    assert [row.split() for row in shown] == [
        ["ID", "WHEN", "TURNS", "FOLDER", "TITLE"],
        ["01a2249b2bc", "*!", sessions_text.moment(MOMENT)[-5:], "1,234",
         "~/some/long/folder", "both"],
        ["01a2249b2bd", sessions_text.moment(MOMENT)[-5:], "1", "here"],
        ["short", "yesterday", "1,234", "none"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "shown"),
    [(0, "15:04"), (1, "yesterday"), (2, "Wednesday"), (6, "Saturday"), (7, "20 Mar"),
     (90, "2025-12-27"), (-1, "28 Mar"), (-400, "2027-05-01")],
)  # fmt: skip
def test_a_time_is_short_where_it_is_near(before: int, shown: str) -> None:
    now = datetime(2026, 3, 27, 15, 4).astimezone()
    then = datetime(2026, 3, 27, 15, 4).astimezone().timestamp() - before * 86_400
    found = sessions_text.moment(int(then * 1000), now)
    assert found == shown or (before > 6 and ":" not in found)  # where clocks are set in spring


@pytest.mark.parametrize("time", [-(2**63), 2**63 - 1, 10**17])
def test_a_time_that_is_none_is_a_question_mark(time: int) -> None:
    assert sessions_text.moment(time) == "?"


@given(text=st.text(max_size=40), room=st.integers(0, 30))
@settings(max_examples=50)
def test_what_is_cut_fits_and_says_so(text: str, room: int) -> None:
    safe = "".join(filter(str.isprintable, text))
    for shown in (cells.cut(safe, room), cells.cut_before(safe, room)):
        assert cells.width(shown) <= room
        assert shown == safe or "…" in shown or not shown
    assert cells.width(cells.padded(safe, room, right=True)) == room


def test_hits_stand_in_their_context_and_are_marked() -> None:
    keep("Long", "x " * 200 + "The Borrow checker\nknows " + "y " * 200, "no")
    head, row = run("search", "borrow").stdout.splitlines()
    assert head.endswith(f"{sessions_text.moment(MOMENT)}  Long")
    assert row.startswith("  You: …x x")
    assert "The »Borrow« checker knows y" in row
    assert row.endswith("…")


def test_hits_of_one_conversation_stand_together() -> None:
    keep("First", "red", "red too")
    keep("Second", "no", "red", age=1)
    rows = run("search", "red").stdout.splitlines()
    assert [row.startswith("  ") for row in rows] == [False, True, True, False, True]


def test_a_search_is_for_all_words_phrases_and_folders(tmp_path: Path) -> None:
    keep("First", "red green blue", "ok", folder=str(tmp_path))
    keep("Second", "red blue green", "ok", age=1)
    assert len(run("search", "green", "red").stdout.splitlines()) == 4
    assert len(run("search", '"green blue"').stdout.splitlines()) == 2
    assert len(run("search", "red", "--limit", "1").stdout.splitlines()) == 2
    assert "First" in run("search", "red", "--folder", str(tmp_path)).stdout
    assert run("search", "yellow").stdout == ""
    with pytest.raises(UsageError, match="nothing to search for"):
        run("search", ' " ')


@pytest.mark.parametrize("columns", [24, 40, 61, 80, 200])
def test_hits_fit_the_terminal_and_keep_the_match(columns: int, wide: pytest.MonkeyPatch) -> None:
    wide.setattr(listing, "columns", lambda: columns)
    keep(WIDE * 9, f"{WIDE * 9} needle {WIDE * 9} \x1b[2J", "needle", age=1)
    keep("short", "needle")
    shown = run("search", "needle").stdout.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert "\x1b" not in shown
    assert shown.count("»needle«") == 3
    assert all(wcswidth(row) <= columns for row in shown.splitlines())


def test_show_prints_the_branch_in_use_as_it_was_said() -> None:
    kept = keep_tree()
    title, about, rest = run("show", "owner").stdout.split("\n", 2)
    assert title == "Ownership"
    when = sessions_text.moment(MOMENT)
    assert about == f"{kept.key} · {when} · 2 turns · acme/m · /home/you/rust"
    assert rest == (
        "\nYou:\nWhat is **ownership**?\nAnd why?\n"
        "\nAssistant:\nA set of rules:\n\n```rust\nlet x = 1;\n```\n"
        "\nYou:\nAnd borrowing?\n"
        "\nAssistant:\nA \x1b[31mreference\x1b[0m that\n\n[broken off: connection reset]\n"
    )


def test_show_can_print_every_branch() -> None:
    kept = keep_tree()
    every = run("show", kept.key, "--all-branches").stdout
    assert "\n[5 after 2] You:\nAnd moves?\n\n[6] Assistant:\n" in every
    assert run("show", kept.key, "--tree").stdout.splitlines() == [
        "Ownership",
        "* 1 You: What is **ownership**?…",
        "* 2 Assistant: A set of rules:…",
        "* 3 - You: And borrowing?",
        "* 4   Assistant (broken off): A ␛[31mreference␛[0m that",
        "  5 - You (after 2): And moves?",
        "  6   Assistant: They are moves.",
    ]
    found = json.loads(run("show", kept.key, "--json").stdout)
    assert (found["id"], found["head"], len(found["messages"])) == (kept.key, "4", 6)
    with pytest.raises(UsageError, match="--tree and --json exclude each other"):
        run("show", kept.key, "--tree", "--json")


def test_G6_a_terminal_is_shown_text_and_nothing_else() -> None:
    keep_tree(EVIL)
    for command in (
        ("show", "evil"),
        ("list",),
        ("search", "reference"),
        ("show", "evil", "--tree"),
    ):
        code, shown = on_terminal("sessions", *command, COLUMNS="40")
        assert (code, "evil" in shown) == (0, True)
        assert "\x1b" not in shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert "\x07" not in shown


def test_what_standard_output_cannot_encode_is_a_question_mark() -> None:
    keep(WIDE, "hi 模", "ho")
    listed = program("sessions", "list", PYTHONIOENCODING="ascii")
    assert (listed.returncode, listed.stderr) == (0, b"")
    assert b"?" * len(WIDE) in listed.stdout
    assert "hi 模" in program("sessions", "show", "所有", PYTHONIOENCODING="ascii").stdout.decode()


@pytest.mark.parametrize("name", ["a/../b", "a\nb\x1b[2J\u2028", "x" * 10_000, "", "\udcff", "%s"])
def test_a_name_that_nothing_has_is_one_short_line(name: str) -> None:
    keep("One")
    for command in (("show", name), ("rename", name, "t"), ("delete", name), ("export", name)):
        with pytest.raises(UsageError) as caught:
            run(*command)
        assert caught.value.exit_code == 2
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200


def test_what_a_chat_that_died_was_receiving_is_shown() -> None:
    kept = keep("Died", "hi", "hello", "and?")
    with conversations() as found, found._store.write() as connection:
        (at,) = connection.execute(
            "INSERT INTO message (conversation, parent, created, role, status, content, reasoning,"
            " pinned, details, owner) SELECT conversation, id, 0, 'assistant', 'streaming', '', '',"
            " 0, '{}', 99 FROM message WHERE content = 'and?' RETURNING id"
        ).fetchone()
        connection.execute("INSERT INTO piece VALUES (?, 2, 'text', 'half a re')", (at,))
        connection.execute("UPDATE conversation SET owner = 99")
    shown = run("show", kept.key).stdout
    assert shown.endswith("\nhalf a re\n\n[broken off: the chat ended while it was coming in]\n")
    assert "broken" in run("list").stdout


def test_a_damaged_store_is_one_line_and_set_aside(home: Path) -> None:
    home.mkdir()
    default_path().write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreDamaged, match="it is kept as"):
        run("list")
    assert run("list").stdout == "There are no conversations yet.\n"


def test_what_a_newer_version_wrote_is_read_and_never_written() -> None:
    keep("From the future")
    with conversations() as kept, kept._store.write() as connection:
        connection.execute("PRAGMA user_version = 999")
    assert "From the future" in run("list").stdout
    assert "hello" in run("show", "future").stdout
    with pytest.raises(StoreError, match="a newer version of cloudllm wrote it"):
        run("rename", "future", "mine")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_what_may_not_be_written_is_read(home: Path) -> None:
    keep("Kept")
    home.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert "Kept" in run("list").stdout
    finally:
        home.chmod(stat.S_IRWXU)


def test_neither_litellm_nor_prompt_toolkit_is_imported() -> None:
    keep("One")
    source = (
        "import sys; from cloudllm.cli.root import run\n"
        "for words in (['list'], ['search', 'hi'], ['show', 'One']): run(['sessions', *words])\n"
        "print([name for name in ('litellm', 'prompt_toolkit', 'pluggy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
