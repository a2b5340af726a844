"""docs/session.md: its programs run, and its table names what a session can do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cloudllm import LLMSession

_PAGE = (Path(__file__).parents[2] / "docs" / "session.md").read_text(encoding="utf-8")
_FIRST, _KEPT = re.findall(r"^```python\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)


def run(program: str) -> str:
    """What a program prints, if it does so without a complaint."""
    done = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_program_runs() -> None:
    shown = run(_FIRST)
    assert "You said: And borrowing?" in shown
    assert "0 messages left out" in shown


def test_the_program_that_keeps_its_conversation_runs_and_finds_it() -> None:
    shown = run(_KEPT)
    assert "  What is ownership in Rust?  1 turns\n" in shown
    assert shown.endswith("You said: And borrowing?")


def test_every_method_that_it_names_is_one() -> None:
    rows = re.findall(r"^\| (`[a-z_]+[`(][^|]*) \|", _PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)", row)}
    parameters = {"hooks", "strategies", "strategy", "accounts", "record", "deadlines", "fallback"}
    for name in named - parameters - {"max_reply_bytes"}:
        assert callable(getattr(LLMSession, name)), name
    own = {"continue_message", "retry_message", "load", "plan", "pin", "wait_on", "consent"}
    assert own <= named
