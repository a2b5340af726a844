"""Who is alive: known to all processes, and over as soon as a process is."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudllm.store.alive import alive
from cloudllm.store.database import Store
from cloudllm.store.drafts import Drafts

PROGRAM = """
import sys
from pathlib import Path
from cloudllm.store.alive import alive
print(alive(Path(sys.argv[1])).number, flush=True)
input()
"""
LOOK = """
import sys
from pathlib import Path
from cloudllm.store.alive import alive
print(alive(Path(sys.argv[1])).has(int(sys.argv[2])))
"""


def test_there_is_one_for_each_folder_and_nothing_is_made_before_it_is_used(tmp_path: Path) -> None:
    assert alive(tmp_path) is alive(tmp_path)
    assert alive(tmp_path) is not alive(tmp_path / "other")
    assert not alive(tmp_path).has(7)
    assert list(tmp_path.iterdir()) == []
    assert alive(tmp_path).number == alive(tmp_path).number
    assert [each.name for each in tmp_path.iterdir()] == ["alive.lock"]


def test_a_folder_by_another_way_is_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert alive(tmp_path / "link") is alive(folder) is alive(Path("data"))
    monkeypatch.chdir("/")
    assert alive(folder).number
    assert (folder / "alive.lock").exists()


def test_G5_who_lives_is_known_in_a_folder_that_was_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    number = alive(folder).number
    shutil.rmtree(folder)
    folder.mkdir()
    assert alive(folder).number == number
    assert seems_alive(folder, number)
    alive(folder).has(1)
    assert seems_alive(folder, number)


def seems_alive(folder: Path, number: int) -> bool:
    """To another process."""
    command = [sys.executable, "-c", LOOK, str(folder), str(number)]
    return subprocess.run(command, check=True, capture_output=True).stdout == b"True\n"


def test_G5_a_process_is_alive_until_it_is_killed_whoever_looks(tmp_path: Path) -> None:
    me = alive(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        number = int(other.stdout.readline())
        for _ in range(2):
            assert me.has(number)
            assert me.has_other(number)
            assert me.has(me.number)
            assert not me.has_other(me.number)
        other.kill()
    assert other.returncode == -signal.SIGKILL
    assert not me.has(number)
    assert me.has(me.number)


def test_the_draft_and_the_conversation_of_a_process_have_one_number(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    Drafts(store).save("text")
    with store.read() as connection:
        (owner,) = connection.execute("SELECT owner FROM draft").fetchone()
    assert owner == alive(tmp_path).number
    store.close()


def test_where_the_file_cannot_be_opened_nobody_else_is_alive(tmp_path: Path) -> None:
    (tmp_path / "alive.lock").mkdir()
    assert not alive(tmp_path).has(7)
