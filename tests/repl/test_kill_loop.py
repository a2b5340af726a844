"""G5 over the real program on a terminal: it is killed at random moments of a reply, and starts anew."""

from __future__ import annotations

import os
import random
import re
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudllm.testing import Reply, WireServer
from tests.repl.drafts import wait_for
from tests.repl.forking import Forked, Mother

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

KILLS = int(os.environ.get("TEST_KILLS", "200"))
SENDS = int(os.environ.get("TEST_SENDS", "40"))
GRACE = 0.3
"""Seconds of received text that a crash may cost, beside those in which the chat got no processor."""

WORDS = [f"w{number:05} " for number in range(4_000)]
SENT = "".join(WORDS)
WORD = re.compile(r"w(\d{5})(?!\d)")
BACK = "A draft that was not sent is back"
BROKEN = r"The last (reply was broken off|message had no reply)"


def shown(t: Forked) -> int:
    """How many words of the reply have been on the screen."""
    found = [int(number) for line in t.screen.display for number in WORD.findall(line)]
    return 1 + max(found, default=-1)


@dataclass(frozen=True, slots=True)
class Sight:
    """A look at the screen: when it was, by how many seconds the chat's threads had waited in all
    for a processor by then, and how many words were there.
    """

    time: float
    starved: float
    words: int


def starved(pid: int) -> float:
    """Seconds that the threads of a process were ready to run and did not, as the kernel counts."""
    waited = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # it has ended
            waited += int(thread.read_text().split()[1])
    return waited / 1e9


def watched(t: Forked, seconds: float) -> list[Sight]:
    """Look at the screen for so long, once at least."""
    seen: list[Sight] = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end or not seen:
        t.read(max(0.0, min(0.01, end - now)))
        seen.append(Sight(time.monotonic(), starved(t.process.pid), shown(t)))
    return seen


def due(seen: list[Sight], at: float, waited: float) -> int:
    """How many words must be on the disk if the chat was killed then."""
    late = waited + GRACE
    return max((s.words for s in seen if at - s.time > late - s.starved), default=0)


def kept(home: Path) -> str:
    """What is on the disk of the reply that was coming in, before anything puts it together."""
    with closing(sqlite3.connect(home / "store.db")) as store:
        row = store.execute("SELECT max(id) FROM message WHERE status = 'streaming'").fetchone()
        pieces = store.execute(
            "SELECT text FROM piece WHERE message = ? ORDER BY number", row
        ).fetchall()
    return "".join(text for (text,) in pieces)


def whole(home: Path) -> str:
    """What SQLite says of the file."""
    with closing(sqlite3.connect(home / "store.db")) as store:
        return str(store.execute("PRAGMA integrity_check").fetchone()[0])


def last_reply(home: Path) -> tuple[str, str]:
    with closing(sqlite3.connect(home / "store.db")) as store:
        row = store.execute(
            "SELECT status, content FROM message WHERE role = 'assistant' ORDER BY id DESC LIMIT 1"
        ).fetchone()
    return row[0], row[1]


def variables_for(home: Path, server: WireServer) -> dict[str, str]:
    return {
        "CLOUDLLM_HOME": str(home), "HOME": str(home.parent), "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": server.url,
    }  # fmt: skip


def test_G5_200_kills_lose_no_more_than_300_ms_of_the_screen(
    home: Path, server: WireServer
) -> None:
    chance = random.Random(6)
    server.default = Reply(text=WORDS, delay=0.002)
    variables = variables_for(home, server)
    before, lost, checked = "", [], 0
    with Mother() as mother:
        for number in range(KILLS):
            t = Forked(mother, variables)
            try:
                if number:
                    t.wait(BROKEN)
                    if before:
                        assert last_reply(home) == ("partial", before)
                        assert shown(t) == len(before.split())
                    if not before:
                        t.send("\x03")  # the question is back in the editor
                t.send("/new\r")
                t.wait("starts anew")
                t.screen.reset()
                t.send(f"question {number}\r\\end\r")
                first = "Waiting for the reply|w00000" if number % 4 == 0 else "w00000"
                t.wait(first, timeout=60)
                seen = watched(t, chance.uniform(0.05, 1.0))
                waited = starved(t.process.pid)
                t.kill()
                killed = time.monotonic()
            finally:
                t.close()
            before = kept(home)
            assert SENT.startswith(before), before[-200:]
            wanted = due(seen, killed, waited)
            assert len(WORDS[0]) * wanted <= len(before), (number, wanted, len(before), seen)
            checked += wanted > 0
            lost.append(seen[-1].words - len(before) // len(WORDS[0]))
            if number % 10 == 0:
                assert whole(home) == "ok"
    assert whole(home) == "ok"
    print(
        f"{KILLS} kills, {checked} of them when words were due; words on the screen that were not"
        f" on the disk: at most {max(lost)}"
    )


def test_G5_a_kill_at_any_moment_after_sending_leaves_the_message_once(
    home: Path, server: WireServer
) -> None:
    chance = random.Random(7)
    server.default = Reply(text=WORDS, delay=0.002)
    found = {"editor": 0, "conversation": 0}
    with Mother() as mother:
        for number in range(SENDS):
            t = Forked(mother, variables_for(home, server))
            try:
                if number:
                    t.wait(f"{BACK}|{BROKEN}")
                    t.settle(0.5)
                    asked = f"question {number - 1}\nof two lines"
                    where = "editor" if t.editor() else "conversation"
                    found[where] += 1
                    if where == "editor":
                        assert t.editor() == asked
                        t.send("\x03")
                    else:
                        assert re.search(rf"> question {number - 1}\n  of two lines", t.text())
                t.send("/new\r")
                t.wait("starts anew")
                t.send(f"question {number}\rof two lines")
                wait_for(home, [f"question {number}\nof two lines"])
                t.send("\r\\end\r")
                end = time.monotonic() + chance.uniform(0, 0.5)
                while (left := end - time.monotonic()) > 0:
                    t.read(left)
                t.kill()
            finally:
                t.close()
    print(f"{SENDS} kills after sending: {found}")
