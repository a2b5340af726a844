"""`cloudllm sessions export|import`: documents whole and atomic, files taken in as far as they go."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudllm.archive import Archive
from cloudllm.errors import CloudLLMError, UsageError
from cloudllm.store.database import default_path
from tests.core.kept import conversations, keep, keep_tree, kept_titles, on_terminal, program, run

FORMATS = ["markdown", "json", "jsonl", "text", "html"]

FAILING = """
from cloudllm import Exporter, hookimpl

@hookimpl
def cloudllm_exporters():
    def write(archives):
        yield "begun"
        raise KeyError("half way")
    return [Exporter(name="failing", suffix=".fail", description="fails", write=write)]
"""


def archives() -> list[Archive]:
    """All that is in the store."""
    with conversations() as found:
        return [found.archive(entry.id) for entry in found.entries()]


def exported(tmp_path: Path, form: str = "json") -> Path:
    """All that is in the store, in a file."""
    file = tmp_path / f"all.{form}"
    run("export", "--all", "--output", str(file))
    return file


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_reaches_standard_output_and_a_file(form: str, tmp_path: Path) -> None:
    keep("One", "What is 模型?", "It is **this**.")
    piped = run("export", "one", "--format", form).stdout
    assert "模型" in piped or "\\u6a21" in piped
    file = tmp_path / "one"
    done = run("export", "one", "--format", form, "--output", str(file))
    assert done.stdout == ""
    assert done.stderr == f"Wrote 1 conversation to {file}.\n"
    assert file.read_text(encoding="utf-8") == piped


def test_the_ending_of_the_file_says_the_format(tmp_path: Path) -> None:
    keep("One")
    assert run("export", "one").stdout.startswith("# One\n")
    for ending, start in ((".md", "# One"), (".json", "{"), (".HTML", "<!doctype html>")):
        file = tmp_path / f"one{ending}"
        run("export", "one", "--output", str(file))
        assert file.read_text().lower().startswith(start.lower())
    with pytest.raises(UsageError, match=r"no export format has a file that ends in “.pdf”"):
        run("export", "one", "--output", str(tmp_path / "one.pdf"))
    with pytest.raises(UsageError, match="no export format “pdf”"):
        run("export", "one", "--format", "pdf")


def test_a_file_is_written_over_only_if_told_to(tmp_path: Path) -> None:
    keep("One")
    file = tmp_path / "one.md"
    file.write_text("before")
    with pytest.raises(UsageError, match="there already, and nothing was written"):
        run("export", "one", "--output", str(file))
    assert file.read_text() == "before"
    run("export", "one", "--output", str(file), "--force")
    assert file.read_text().startswith("# One")
    with pytest.raises(UsageError, match="is a folder"):
        run("export", "one", "--format", "json", "--output", str(tmp_path), "--force")


@pytest.mark.parametrize("force", [False, True])
def test_an_exporter_that_fails_leaves_what_was_there(
    force: bool, tmp_path: Path, install: Callable[..., str]
) -> None:
    keep("One")
    install("failing", FAILING, group="cloudllm.plugins")
    file = tmp_path / "one.fail"
    if force:
        file.write_text("before")
    with pytest.raises(CloudLLMError, match="exporter failing failed: KeyError"):
        run("export", "one", "--output", str(file), *["--force"] * force)
    assert [each.name for each in tmp_path.glob("*one*")] == ["one.fail"] * force
    assert not force or file.read_text() == "before"


def test_which_ones_to_export_must_be_said() -> None:
    keep("One")
    for arguments in ((), ("One", "--all")):
        with pytest.raises(UsageError, match="say which conversations to export"):
            run("export", *arguments)
    run("delete", "One", "--yes")
    with pytest.raises(UsageError, match="there are no conversations"):
        run("export", "--all")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_what_is_exported_comes_back_as_it_was(form: str, tmp_path: Path) -> None:
    keep_tree()
    keep("模型 and more", age=3)
    before, file = archives(), exported(tmp_path, form)
    default_path().unlink()
    assert run("import", str(file)).stdout == "Imported: 2 new, 0 updated, 0 unchanged.\n"
    assert archives() == before
    assert run("import", str(file)).stdout == "Imported: 0 new, 0 updated, 2 unchanged.\n"
    assert archives() == before


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    keep("One")
    keep("Two")
    file = exported(tmp_path)
    run("delete", "One", "--yes")
    done = run("import", "--dry-run", str(file), str(file))
    assert done.stdout == "To import: 1 new, 0 updated, 3 unchanged.\n"
    assert kept_titles() == ["Two"]
    for each in default_path().parent.iterdir():
        each.unlink()
    done = run("import", "--dry-run", str(file))
    assert done.stdout == "To import: 2 new, 0 updated, 0 unchanged.\n"
    assert not default_path().exists()


def test_what_has_grown_is_added_and_told_of(tmp_path: Path) -> None:
    keep("Grows", "one", "1")
    keep("Stays", age=1)
    before = exported(tmp_path)
    document = json.loads(before.read_text())
    grown = next(each for each in document["conversations"] if each["title"] == "Grows")
    more = {"id": "x", "parent": grown["head"], "role": "user", "content": "two"}
    grown |= {"messages": [*grown["messages"], more], "head": "x"}
    after = tmp_path / "later.json"
    after.write_text(json.dumps(document))
    whole = "To import: 0 new, 1 updated, 1 unchanged.\n"
    assert run("import", "--dry-run", str(after)).stdout == whole
    twice = run("import", "--dry-run", str(before), str(after))
    assert twice.stdout == "To import: 0 new, 1 updated, 3 unchanged.\n"
    assert run("import", str(after)).stdout == "Imported: 0 new, 1 updated, 1 unchanged.\n"
    assert run("import", str(after)).stdout == "Imported: 0 new, 0 updated, 2 unchanged.\n"
    again = run("import", "--dry-run", str(before), str(after))
    assert again.stdout == "To import: 0 new, 0 updated, 4 unchanged.\n"
    assert run("show", "Grows").stdout.endswith("You:\ntwo\n")


def test_a_conversation_about_something_else_with_the_same_id_is_left_out(tmp_path: Path) -> None:
    keep("One", "one", "1")
    file = exported(tmp_path)
    file.write_text(file.read_text().replace('"one"', '"other"'))
    for option in ((), ("--dry-run",)):
        done = run("import", *option, str(file)).stdout
        assert "1 conversation skipped: another conversation here has the id " in done
    assert "other" not in run("show", "One").stdout


@pytest.mark.parametrize(
    "content", ["[]", " [ ] ", '{"format": "cloudllm", "version": 1, "conversations": []}']
)
def test_a_file_without_conversations_is_said_and_no_error(content: str, tmp_path: Path) -> None:
    file = tmp_path / "none.json"
    file.write_text(content)
    assert run("import", str(file)).stdout == f"There are no conversations in {file}.\n"
    assert not default_path().exists()


def test_of_a_broken_file_what_is_whole_comes_in(tmp_path: Path) -> None:
    for title in ("One", "Two", "Three"):
        keep(title)
    file = exported(tmp_path)
    text = file.read_text()
    file.write_text(text[: text.rindex('"content"')])
    other = tmp_path / "none.json"
    default_path().unlink()
    done = program("sessions", "import", str(file), str(other))
    assert done.returncode == 2
    assert done.stdout == b"Imported: 2 new, 0 updated, 0 unchanged.\n"
    first, second = done.stderr.decode().splitlines()
    assert f"{file}: line " in first
    assert f"{other}: no such file or directory" in second
    assert len(kept_titles()) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "it is empty"), (b"hello", "it holds no conversations"), (b"\x00\xff" * 9, "no "),
     (b"[" * 100_000, ""), (b'{"conversations": 3}', "")],
)  # fmt: skip
def test_what_is_no_such_file_is_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "odd\nname"
    file.write_bytes(content)
    done = program("sessions", "import", str(file))
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert not default_path().exists()


def test_a_conversation_that_makes_no_tree_is_told_of(tmp_path: Path) -> None:
    keep_tree()
    keep("Two", age=1)
    file = exported(tmp_path)
    found = json.loads(file.read_text())
    found["conversations"][0]["messages"][1]["parent"] = "77"
    file.write_text(json.dumps(found))
    default_path().unlink()
    done = program("sessions", "import", str(file))
    assert done.returncode == 2
    assert done.stdout == b"Imported: 1 new, 0 updated, 0 unchanged.\n"
    assert b"77" in done.stderr
    assert kept_titles() == ["Two"]


def test_how_far_it_is_is_shown_on_a_terminal_alone(tmp_path: Path) -> None:
    for number in range(3):
        keep(f"number {number}")
    file = exported(tmp_path)
    default_path().unlink()
    code, shown = on_terminal("sessions", "import", str(file))
    assert code == 0
    assert "all.json: 1 conversation …" in shown
    assert shown.endswith("Imported: 3 new, 0 updated, 0 unchanged.\n")
    assert program("sessions", "import", str(file)).stderr == b""


def test_the_old_form_of_llm_is_taken_in(tmp_path: Path) -> None:
    file = tmp_path / "logs.db"
    with sqlite3.connect(file) as logs:
        logs.execute("CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT)")
        logs.execute(
            "CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT,"
            " prompt_json TEXT, options_json TEXT, response TEXT, response_json TEXT,"
            " conversation_id TEXT, duration_ms INTEGER, datetime_utc TEXT)"
        )
        logs.execute("INSERT INTO conversations VALUES ('c1', 'Old talk', 'gpt-4o-mini')")
        logs.execute(
            "INSERT INTO responses VALUES ('r1', 'gpt-4o-mini', 'hi', NULL, NULL, NULL, 'hello',"
            " NULL, 'c1', 1, '2024-05-06T07:08:09.123456+00:00')"
        )
    logs.close()
    assert run("import", str(file)).stdout == "Imported: 1 new, 0 updated, 0 unchanged.\n"
    assert run("import", str(file)).stdout == "Imported: 0 new, 0 updated, 1 unchanged.\n"
    assert "You:\nhi\n\nAssistant" in run("show", "Old talk").stdout


def test_a_store_of_another_machine_and_a_damaged_one_are_taken_in(tmp_path: Path) -> None:
    keep("One")
    keep("Two")
    aside = tmp_path / "store.db.damaged-20260101-000000"
    default_path().rename(aside)
    tried = run("import", "--dry-run", str(aside)).stdout
    assert tried == "To import: 2 new, 0 updated, 0 unchanged.\n"
    assert run("import", str(aside)).stdout == "Imported: 2 new, 0 updated, 0 unchanged.\n"
    aside.write_bytes(b"x" * 100 + aside.read_bytes()[100:])
    done = program("sessions", "import", str(aside))
    assert done.returncode == 2
    assert (done.stdout + done.stderr).decode().splitlines() == [
        "Imported: 0 new, 0 updated, 2 unchanged.",
        f"cloudllm: {aside}: it is damaged; 2 of 2 conversations could be read",
    ]


@pytest.mark.parametrize("name", ["store.db", "store.db-wal", "link.db"])
def test_the_store_in_use_is_not_taken_in_by_itself(name: str, tmp_path: Path) -> None:
    keep("One")
    path = tmp_path / name
    if name == "link.db":
        path.symlink_to(default_path())
    else:
        path = default_path().with_name(name)
    with conversations() as kept:
        assert len(kept.entries()) == 1  # has the file open
        with pytest.raises(UsageError) as caught:
            run("import", str(path))
    assert str(caught.value) == f"{path}: it is the store in use, so all of it is here already"
