"""G5 the hard way: many processes, a disk that fills up at every write, kills in mid-stream."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cloudllm import Journal, Status
from cloudllm.store.conversations import Conversations
from cloudllm.store.database import Store
from cloudllm.store.kept import ELSEWHERE
from tests.core.store.stored import Chat, check_file, rows

pytestmark = pytest.mark.slow

TURNS = """
import asyncio, sys
from pathlib import Path
from cloudllm import Journal, Message, Role, TextDelta
from cloudllm.recording import Start

async def main(path, name, turns, together):
    journal = Journal(Path(path))
    journal.listen(lambda line: print(line, flush=True))
    history = ()
    if together:
        loaded = await journal.ask(lambda kept: kept.load(kept.entries()[0].id))
        journal.resume(loaded)
        history = loaded.messages
    for number in range(turns):
        start = Start(len(history), (Message(Role.USER, f"{name} {number}"),))
        await journal.begin(start, model="acme/one", system_prompt="")
        for piece in range(3):
            journal.add(TextDelta(f"{name} {number} {piece}\\\\n"))
        reply = Message(Role.ASSISTANT, f"reply to {name} {number}")
        journal.settle(start.keep, (*start.head, reply))
        await journal.saved()
        history = (*history, *start.head, reply)
    journal.close(60)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "together"))
"""
STREAM = """
import asyncio, sys
from pathlib import Path
from cloudllm import Journal, Message, Role, TextDelta
from cloudllm.recording import Start

async def main():
    journal = Journal(Path(sys.argv[1]))
    for line in await journal.ask(lambda kept: kept.recover()):
        print("recovered", flush=True)
    history = ()
    while True:
        start = Start(len(history), (Message(Role.USER, f"question {len(history)}"),))
        await journal.begin(start, model="acme/one", system_prompt="")
        print("begun", start.head[0].content, flush=True)
        text = ""
        for number in range(40):
            piece = f"{number} "
            journal.add(TextDelta(piece))
            text += piece
            print("piece", piece, flush=True)
            await asyncio.sleep(0.01)
        reply = Message(Role.ASSISTANT, text)
        journal.settle(start.keep, (*start.head, reply))
        await journal.saved()
        print("saved", flush=True)
        history = (*history, *start.head, reply)

asyncio.run(main())
"""


def all_together(path: Path, turns: int, how: str) -> str:
    """What 8 processes say that hold so many turns each at the same time."""
    command = [sys.executable, "-c", TURNS, str(path)]
    processes = [
        subprocess.Popen(
            [*command, f"chat {number}", str(turns), how],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(8)
    ]
    said = "".join(each.communicate(timeout=100)[0] for each in processes)
    assert [each.returncode for each in processes] == [0] * 8, said
    return said


def test_G5_8_processes_store_200_turns_each_and_nobody_hears_of_a_locked_database(
    path: Path,
) -> None:
    assert all_together(path, 200, "apart") == ""
    check_file(path)
    assert rows(path, "SELECT count(*) FROM conversation") == [(8,)]
    store = Store(path)
    kept = Conversations(store)
    for entry in kept.entries():
        messages = kept.load(entry.id).messages
        name = messages[0].content.removesuffix(" 0")
        said = [f"{name} {number}" for number in range(200)]
        assert [each.content for each in messages[::2]] == said
        assert [each.content for each in messages[1::2]] == [f"reply to {each}" for each in said]
    store.close()


def test_G5_8_processes_on_one_conversation_are_8_branches(path: Path) -> None:
    all_together(path, 1, "apart")
    lines = all_together(path, 20, "together").splitlines()
    assert set(lines) == {ELSEWHERE}
    assert len(lines) <= 8
    check_file(path)
    assert rows(path, "SELECT count(*) FROM message") == [(8 * 2 + 8 * 20 * 2,)]


async def _live(path: Path, fill: Callable[[Journal], object], free: Callable[[], object]) -> bool:
    """Chat while the disk is full and afterwards; nothing is lost. Was it too full, and told?"""
    told: list[str] = []
    journal = Journal(path)
    journal.listen(told.append)
    chat = Chat(journal)
    await chat.turn("first", "x" * 3000)
    await journal.ask(lambda kept: fill(journal))
    for number in range(3):
        await chat.turn(f"turn {number}", "y" * 5000)
    await chat.retry("z" * 5000)
    chat.undo()
    await journal.ask(lambda kept: free())
    await chat.turn("last", "end")
    assert journal.key is not None
    key = journal.key
    loaded = await journal.ask(lambda kept: kept.load(kept.find(key).id))
    assert loaded.messages == chat.history, told
    journal.close(5)
    failed = [line for line in told if "not saved" in line]
    assert len(failed) <= 1, told
    assert told == [*failed, *["The conversation is saved again"] * len(failed)]
    check_file(path)
    assert rows(path, "SELECT count(*) FROM message") == [(11,)]
    return bool(failed)


@pytest.mark.parametrize("pages", range(0, 40, 2))
def test_G5_a_file_that_may_not_grow_by_any_number_of_pages_loses_nothing(
    path: Path, pages: int
) -> None:
    def limit(journal: Journal, most: int | None = None) -> None:
        with journal._store.read() as connection:
            (now,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {most or now + pages}")

    async def live() -> None:
        held: list[Journal] = []

        def fill(journal: Journal) -> None:
            held.append(journal)
            limit(journal)

        await _live(path, fill, lambda: limit(held[0], 10**6))

    asyncio.run(live())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB; only root can have one."""
    mount = shutil.which("mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    if mount is None or os.geteuid():
        pytest.skip("only root can mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # alive.lock is open


def test_G5_a_disk_that_is_full_at_any_write_loses_nothing(small_disk: Path) -> None:
    full = []
    for blocks in range(0, 40, 2):
        folder = small_disk / "data"
        filler = small_disk / "filler"

        def fill(journal: Journal, room: int = blocks * 4096, filler: Path = filler) -> None:
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            os.truncate(filler, max(0, filler.stat().st_size - room))

        full.append(asyncio.run(_live(folder / "store.db", fill, filler.unlink)))
        shutil.rmtree(folder)
    assert sum(full) > 5


def test_G5_whenever_it_is_killed_what_was_said_to_be_saved_is_there(path: Path) -> None:
    chance = random.Random(6)
    for _ in range(50):
        lines = _killed(path, chance.uniform(0.05, 0.9))
        store = Store(path)
        kept = Conversations(store)
        kept.recover()
        if lines:
            loaded = kept.load(kept.entries()[0].id)
            contents = [each.content for each in loaded.messages]
            if loaded.unanswered:
                contents.append(loaded.unanswered)
            _compare(lines, contents, [each.status for each in loaded.messages])
        store.close()
        if path.exists():
            check_file(path)


def _killed(path: Path, seconds: float) -> list[tuple[float, str]]:
    """What a chat said until it was killed that long after it had begun, and when."""
    with subprocess.Popen(
        [sys.executable, "-c", STREAM, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines: list[tuple[float, str]] = []
        end = None
        for line in process.stdout:
            if line.startswith("recovered"):
                pytest.fail("it was recovered before")
            lines.append((time.monotonic(), line.rstrip("\n")))
            end = end or time.monotonic() + seconds
            if time.monotonic() >= end:
                process.kill()
        assert process.wait() == -signal.SIGKILL
    return lines


def _compare(lines: list[tuple[float, str]], contents: list[str], statuses: list[Status]) -> None:
    expected: list[str] = []
    killed_at = lines[-1][0]
    must = 0
    for when, line in lines:
        word, _, rest = line.partition(" ")
        if word == "begun":
            expected += [rest, ""]
            must = 0
        elif word == "piece":
            expected[-1] += rest
            must = len(expected[-1]) if when < killed_at - 0.3 else must
        else:
            must = len(expected[-1])
    assert contents[: len(expected) - 1] == expected[:-1]
    last = contents[len(expected) - 1] if len(contents) >= len(expected) else ""
    whole = "".join(f"{number} " for number in range(40))
    assert whole.startswith(last)
    assert len(last) >= must, (last, expected[-1], must)
    assert all(status is not Status.CANCELLED for status in statuses)
