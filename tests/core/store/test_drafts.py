"""Unsent drafts in the store: each of one chat, taken only from one that is no more."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudllm.errors import StoreError
from cloudllm.store.database import Store
from cloudllm.store.drafts import Drafts

CHAT = """
import sys
from pathlib import Path
from cloudllm.store.database import Store
from cloudllm.store.drafts import Drafts
drafts = Drafts(Store(Path(sys.argv[1])))
for line in sys.stdin:
    word, _, text = line.rstrip("\\n").partition(" ")
    print(drafts.load() if word == "load" else drafts.save(text) or "saved", flush=True)
"""


class Other:
    """Another process with a draft."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHAT, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL


@pytest.fixture
def other(path: Path) -> Iterator[Callable[[], Other]]:
    started: list[Other] = []

    def start() -> Other:
        started.append(Other(path))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_there_is_none_at_first_and_nothing_is_made_for_it(path: Path) -> None:
    assert Drafts(Store(path)).load() == ""
    assert not path.parent.exists()


def test_G5_a_draft_is_taken_over_from_a_killed_process_and_never_from_a_living_one(
    path: Path, other: Callable[[], Other]
) -> None:
    first, second = other(), other()
    assert first.do("save one") == second.do("save two") == "saved"
    mine = Drafts(Store(path))
    assert mine.load() == ""
    first.kill()
    assert mine.load() == "one"
    assert other().do("load") == ""  # it is this process's now
    second.kill()
    third = other()
    assert third.do("load") == "two"
    assert third.do("load") == ""


def test_G5_the_newest_draft_comes_first_and_the_next_start_gets_the_other(
    path: Path, other: Callable[[], Other]
) -> None:
    for text in ("older", "newer"):
        dying = other()
        dying.do("save " + text)
        dying.kill()
    assert [other().do("load"), other().do("load"), other().do("load")] == ["newer", "older", ""]


def test_G5_a_draft_that_was_taken_is_not_lost_if_the_next_process_dies_as_well(
    other: Callable[[], Other],
) -> None:
    for line in ("save kept", "load", "load"):
        dying = other()
        said = dying.do(line)
        dying.kill()
        assert said in ("saved", "kept")


def test_one_draft_takes_the_place_of_the_other_and_nothing_takes_it_away(
    path: Path, other: Callable[[], Other]
) -> None:
    dying = other()
    dying.do("save one")
    dying.do("save two")
    dying.do("save ")
    dying.kill()
    assert Drafts(Store(path)).load() == ""


@pytest.mark.parametrize("text", ["é\n\x00\x1b", "half \ud83d", "x" * 1_000_000])
def test_any_text_can_be_a_draft(path: Path, text: str) -> None:
    drafts = Drafts(Store(path))
    drafts.save(text)
    with Store(path).read() as connection:
        found = connection.execute("SELECT text FROM draft").fetchall()
    assert found == [(text.replace("\ud83d", "?"),)]


def test_the_files_are_private(path: Path) -> None:
    Drafts(Store(path)).save("x")
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}


def test_a_folder_that_cannot_be_used_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Make it and its folder writable"):
        Drafts(Store(tmp_path / "file" / "store.db")).save("x")


@pytest.mark.parametrize("length", [1, 1_000])
def test_nothing_is_left_on_disk_of_a_draft_that_was_taken_away(path: Path, length: int) -> None:
    drafts = Drafts(Store(path))
    drafts.save("precious " * length)
    drafts.save("other")
    drafts.save("")
    drafts.close()
    assert path.stat().st_size
    assert not any(b"precious" in each.read_bytes() for each in path.parent.iterdir())
