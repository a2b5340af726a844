"""Files that are not what they say, or broken: one clear line, whatever they hold."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sqlite3
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudllm.archive import Archive
from cloudllm.errors import UsageError
from cloudllm.importing import read
from tests.core.importing.reading import (
    DATA,
    chatgpt,
    error_of,
    node,
    own,
    said,
    talk,
    whole_and_error,
    written,
)

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
OURS = {"format": "cloudllm", "version": 1, "conversations": [own().as_object()]}
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
JUNK: st.SearchStrategy[Any] = st.sampled_from([
    None, True, 7, -1, 1e400, float("nan"), 2**80, "", "7", "\ud800", "\0", [], {}, [[]], [None],
    {"a": 1}, "root", "hi", "1",
])  # fmt: skip


def whole(path: Path) -> list[Archive]:
    """What can be read; only a `UsageError` of one line may come of the rest."""
    found: list[Archive] = []
    error = ""
    try:
        found.extend(read(path))
    except UsageError as caught:
        error = str(caught)
    assert not error or (str(path) in error and "\n" not in error)
    return found


def mutated(value: Any, data: st.DataObject) -> Any:
    """The document with another value somewhere in it."""
    value = copy.deepcopy(value)
    places = list(_places(value))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places))
        if isinstance(holder, dict) or key < len(holder):
            holder[key] = data.draw(JUNK)
    return value


def _places(value: Any) -> Any:
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


def test_what_is_no_file_is_told_at_once(tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    with pytest.raises(UsageError, match=r"none\.json: no such file or directory"):
        read(missing)
    with pytest.raises(UsageError, match=r"it is a folder\. Name a file in it"):
        read(tmp_path)
    with pytest.raises(UsageError, match="/dev/null: it is no regular file"):
        read(Path("/dev/null"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="it is no regular file"):
        read(tmp_path / "pipe")
    with pytest.raises(UsageError, match="null"):
        read(Path("a\0b"))
    with pytest.raises(UsageError, match="it is empty"):
        read(written(tmp_path / "empty.json", ""))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\n  \n", "it holds no conversations. Name cloudllm's JSON"),
        (b"Dear diary,", "it holds no conversations"),
        (b"\0" * 99, "it holds no conversations"),
        (b'{"name": "a package"}', "it holds no conversations"),
        (b"[1, 2]", "it holds no conversations"),
        (PNG, "byte 1 is no UTF-8 text"),
        (b"SQLite format 3\0" + PNG * 50, "file is not a database"),
        (b"PK\x03\x04" + PNG, "it is a damaged zip file"),
        (b"[" * 100_000, "line 1, column 2: it is nested too deeply"),
        (b'{"mapping": ' + b'{"a":' * 100_000, "it is nested too deeply"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert said in error_of(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.json"
    text = json.dumps([chatgpt(node("€ 🌍", "root"))], ensure_ascii=False)
    path.write_bytes(text.encode(encoding))
    (found,) = read(path)
    assert said(found) == [("user", "€ 🌍")]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_bytes_that_are_no_text_are_told_of_with_their_place(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.json"
    before = json.dumps([talk("a"), talk("b")])[:-20].encode(encoding)
    path.write_bytes(before + (b"\xdf\xff" if "be" in encoding else b"\xff\xdf") * 2)
    found, error = whole_and_error(path)
    assert [archive.origin for archive in found] == ["chatgpt:a"]
    assert f"byte {len(before) + 1} is no UTF-" in error


def test_text_after_the_end_is_told_of(tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", json.dumps([talk()]) + "\n [")
    found, error = whole_and_error(path)
    assert len(found) == 1
    assert error == f"{path}: line 2, column 2: nothing should follow here"


def test_a_conversation_without_messages_is_left_out(tmp_path: Path) -> None:
    assert list(read(written(tmp_path / "x.json", [chatgpt()]))) == []


def test_half_characters_and_numbers_that_are_none_are_harmless(tmp_path: Path) -> None:
    place = node("hi", "root", parts=["\ud800"], create_time=float("nan"))
    path = written(tmp_path / "x.json", [chatgpt(place, create_time="soon", update_time=1e300)])
    (found,) = read(path)
    assert said(found) == [("user", "\ud800")]
    assert (found.created, found.updated, found.messages[0].created) == (0, 0, 0)


@pytest.mark.parametrize("when", [1e307, -1e308, "1e308", 1e300])
def test_a_time_beyond_all_numbers_is_none(tmp_path: Path, when: object) -> None:
    (found,) = read(written(tmp_path / "x.json", [chatgpt(node("hi", "root"), create_time=when)]))
    assert found.created == 0


def test_what_is_broken_is_not_kept_in_memory(tmp_path: Path) -> None:
    dangling = chatgpt(node("a", "gone", parts=["x" * 100_000]))
    path = written(tmp_path / "x.json", [dangling] * 100)
    tracemalloc.start()
    try:
        assert error_of(path).endswith("; 99 more cannot be read")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5_000_000  # of 10 million


def test_a_name_that_is_no_text_is_no_hindrance(tmp_path: Path) -> None:
    for name in (b"\xff.db", b"?#%.db"):
        path = Path(shutil.copy(DATA / "old.db", tmp_path / os.fsdecode(name)))
        assert len(list(read(path))) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"mapping": 7},
        {"mapping": {"a": 7}},
        {"mapping": {"a": {"message": "hi"}}},
        {"mapping": {"a": {"message": {}, "parent": ["b"]}}},
    ],
)
def test_wrong_types_in_a_mapping_are_told_of(tmp_path: Path, wrong: object) -> None:
    path = written(tmp_path / "x.json", [wrong])
    assert error_of(path).startswith(f"{path}: conversation 1: ")


@pytest.mark.parametrize(
    ("broken", "said"),
    [({"id": "b"}, "it has no mapping"), (7, "conversation 2 is no object"), ([], "is no object")],
)
def test_what_is_broken_in_a_list_is_told_in_the_words_of_chatgpt(
    tmp_path: Path, broken: object, said: str
) -> None:
    path = written(tmp_path / "x.json", [talk("a"), broken, talk("c")])
    found, shown = whole_and_error(path)
    assert len(found) == 2
    assert shown.startswith(f"{path}: conversation 2")
    assert said in shown
    assert "messages" not in shown


def test_locked_and_foreign_zip_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hi")
    assert "it holds no conversations" in error_of(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps([talk("a"), talk("b")]))
    data = bytearray(path.read_bytes())
    for header in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[header] |= 1  # says that it is encrypted
    path.write_bytes(data)
    assert "conversations.json: " in error_of(path)
    assert "password" in error_of(path)


def test_a_damaged_zip_file_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", json.dumps([talk(str(n)) for n in range(50)]))
    data = bytearray(path.read_bytes())
    for at in range(200, 260):
        data[at] ^= 0x55
    path.write_bytes(data)
    assert "conversations.json: it is a damaged zip file" in whole_and_error(path)[1]


@pytest.mark.parametrize("document", [[talk("a"), talk("b")], OURS])
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_only_a_usage_error_ever_comes_of_a_changed_document(
    tmp_path: Path, document: object, data: st.DataObject
) -> None:
    whole(written(tmp_path / "x.json", mutated(document, data)))


@pytest.mark.parametrize("document", [[talk("a"), talk("b")], OURS])
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_only_a_usage_error_ever_comes_of_changed_bytes(
    tmp_path: Path, document: object, data: st.DataObject
) -> None:
    content = bytearray(json.dumps(document).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.json"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    whole(path)


def _cells(path: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(path)
    tables = [
        "threads", "turns", "messages", "parts", "conversations", "responses", "tool_calls",
        "tool_results", "fragments", "attachments", "prompt_fragments", "prompt_attachments",
    ]  # fmt: skip
    cells = [
        (table, row[1])
        for table in tables
        for row in connection.execute(f"PRAGMA table_info({table})")
    ]
    connection.close()
    return cells


CELLS = _cells(DATA / "both.db")
VALUES = st.sampled_from(
    [None, 7, -1.5, "", "x", b"\xff", "[1]", '{"a":' * 2000, "{}", '{"text_ref": 1}', "2020"]
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(CELLS), VALUES), min_size=1, max_size=3))
def test_only_a_usage_error_ever_comes_of_a_changed_database(
    tmp_path: Path, changes: list[tuple[tuple[str, str], object]]
) -> None:
    path = Path(shutil.copy(DATA / "both.db", tmp_path / "logs.db"))
    connection = sqlite3.connect(path)
    for (table, column), value in changes:
        where = "rowid % 2" if column not in ("id", "hash") else "rowid = 2"
        sql = f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE {where}'
        try:
            connection.execute(sql, (value,))
        except sqlite3.IntegrityError:
            continue
    connection.commit()
    connection.close()
    whole(path)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(100, 30_000), st.integers(0, 255)), min_size=1, max_size=9))
def test_only_a_usage_error_ever_comes_of_a_damaged_database(
    tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    content = bytearray((DATA / "old.db").read_bytes())
    for at, byte in changes:
        content[at] = byte
    path = tmp_path / "logs.db"
    path.write_bytes(content)
    whole(path)
