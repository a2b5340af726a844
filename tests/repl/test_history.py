"""The persistent input history."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_toolkit.history import FileHistory

from cloudllm.repl import history as module
from cloudllm.repl.history import InputHistory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history"


def _fail(notice: str) -> None:
    raise AssertionError(notice)


def _history(path: Path, limit: int = module.LIMIT) -> InputHistory:
    return InputHistory(path, _fail, limit)


def _load(history: InputHistory | FileHistory) -> list[str]:
    """What prompt_toolkit gets, oldest first."""

    async def collect() -> list[str]:
        return [entry async for entry in history.load()]

    return asyncio.run(collect())[::-1]


ENTRIES = [
    "one",
    "two\nlines",
    "",
    "+plus\n# hash\n\n",
    "ends with a newline\n",
    "é 👩‍🚀 \u2028 \r\x1b",
]


def test_entries_come_back_in_order(path: Path) -> None:
    for entry in ENTRIES:
        _history(path).append_string(entry)
    assert _load(_history(path)) == ENTRIES


def test_the_file_is_readable_by_prompt_toolkit(path: Path) -> None:
    for entry in ENTRIES:
        _history(path).append_string(entry)
    assert _load(FileHistory(path)) == ENTRIES


def test_a_file_by_prompt_toolkit_is_readable(path: Path) -> None:
    path.parent.mkdir()
    for entry in ENTRIES:
        FileHistory(path).append_string(entry)
    assert _load(_history(path)) == ENTRIES


@given(st.lists(st.text(max_size=20), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_can_be_stored(path: Path, entries: list[str]) -> None:
    path.unlink(missing_ok=True)
    history = _history(path)
    for entry in entries:
        history.append_string(entry)
    assert history.get_strings() == entries
    on_disk = [entry for entry in entries if not entry.startswith((" ", "\t"))]
    assert _load(_history(path)) == on_disk


def test_lone_surrogates_do_not_raise(path: Path) -> None:
    history = _history(path)
    history.append_string("a\ud83db")
    assert history.get_strings() == ["a\ud83db"]
    assert _load(_history(path)) == ["a?b"]


def test_an_entry_that_starts_with_a_blank_stays_in_memory(path: Path) -> None:
    history = _history(path)
    for entry in ("kept", " secret", "\tsecret"):
        history.append_string(entry)
    assert _load(history) == ["kept", " secret", "\tsecret"]
    assert _load(_history(path)) == ["kept"]


def test_the_file_is_private_from_its_first_byte(path: Path) -> None:
    old = os.umask(0)
    try:
        _history(path).append_string("x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_nothing_is_touched_before_prompt_toolkit_asks(path: Path) -> None:
    history = _history(path)
    assert history.get_strings() == []
    assert not path.parent.exists()


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_only_the_last_entries_are_read(
    path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", 100)
    entries = [f"entry {number}\nsecond line" for number in range(50)]
    for entry in entries:
        _history(path).store_string(entry)
    assert _load(_history(path, limit)) == entries[-limit:]


def test_the_cost_of_loading_is_bounded_by_the_limit(path: Path) -> None:
    path.parent.mkdir()
    entry = "\n# 2026-11-22 10:00:00.000000\n+what I asked number %d\n"
    path.write_text("".join(entry % number for number in range(20_000)))
    tail = module._tail(path, 2_000)
    assert len(tail) < 3 * module._BLOCK
    assert _load(_history(path)) == [f"what I asked number {n}" for n in range(18_000, 20_000)]


def test_a_huge_paste_in_the_file_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 3 * module._BLOCK)
    history = _history(path)
    for entry in ("old", "\n".join(["paste"] * 50_000), "new"):
        history.append_string(entry)
    assert _load(_history(path)) == ["new"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_end_costs_no_more_than_itself(path: Path, cut: int) -> None:
    history = _history(path)
    history.append_string("first")
    history.append_string("é torn")
    path.write_bytes(path.read_bytes()[:-cut])
    _history(path).append_string("after")
    loaded = _load(_history(path))
    assert loaded[0] == "first"
    assert loaded[-1] == "after"


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"\n", b"+", b"#", b"\xff", b"a"])).map(b"".join)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_no_file_content_raises(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    before = _load(_history(path))
    _history(path).append_string("new")
    assert _load(_history(path)) == [*before, "new"]


def _unusable(path: Path, kind: str) -> None:
    if kind == "directory":
        path.mkdir(parents=True)
    else:
        path.parent.write_text("a file where the folder should be")


@pytest.mark.parametrize("kind", ["directory", "no folder"])
def test_an_unusable_path_is_told_once_and_the_history_goes_on(path: Path, kind: str) -> None:
    _unusable(path, kind)
    notices: list[str] = []
    history = InputHistory(path, notices.append)
    assert _load(history) == []
    history.append_string("one")
    history.append_string("two")
    assert _load(history) == ["one", "two"]
    assert len(notices) == 1
    assert str(path) in notices[0]
    assert "\n" not in notices[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has this device")
def test_a_full_disk_is_told_once() -> None:
    notices: list[str] = []
    history = InputHistory(Path("/dev/full"), notices.append)
    history.append_string("one")
    history.append_string("two")
    assert _load(history) == ["one", "two"]
    assert len(notices) == 1
    assert "No space left" in notices[0]


def test_it_works_without_file_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "fcntl", None)
    _history(path).append_string("x")
    assert _load(_history(path)) == ["x"]


WRITER = """
import sys
from pathlib import Path
from cloudllm.repl.history import InputHistory
history = InputHistory(Path(sys.argv[1]), print)
name = sys.argv[2]
for number in range(100):
    history.store_string(f"{name} {number}\\n" + name * 3000)
"""


def test_two_processes_write_whole_entries(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    loaded = _load(_history(path))
    for name in "ab":
        mine = [entry for entry in loaded if entry.startswith(name)]
        assert mine == [f"{name} {number}\n" + name * 3000 for number in range(100)]
    assert len(loaded) == 200


@pytest.mark.parametrize("entry", ["one", "two\nlines", "é\n", "+plus", ""])
def test_a_forgotten_entry_leaves_the_file_and_nothing_else(path: Path, entry: str) -> None:
    history = _history(path)
    others = ["one more", f"{entry}\n{entry} more", "end"]
    for each in (others[0], entry, others[1], entry, others[2]):
        history.append_string(each)
    history.forget(entry)
    history.forget("was never there")
    assert _load(_history(path)) == others
    assert list(history.get_strings()).count(entry) == 2
    history.append_string("later")
    assert _load(_history(path))[-2:] == ["end", "later"]


def test_forgetting_where_there_is_no_file_is_no_trouble(path: Path) -> None:
    _history(path).forget("one")
    assert not path.exists()
