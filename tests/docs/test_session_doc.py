"""docs/session.md: its program runs, and its table names what a session can do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cloudllm import LLMSession

_PAGE = (Path(__file__).parents[2] / "docs" / "session.md").read_text(encoding="utf-8")


def test_the_program_runs() -> None:
    found = re.search(r"^```python\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    done = subprocess.run(
        [sys.executable, "-"], input=found[1], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "You said: And borrowing?" in done.stdout
    assert "0 messages left out" in done.stdout


def test_every_method_that_it_names_is_one() -> None:
    rows = re.findall(r"^\| (`[a-z_]+[`(][^|]*) \|", _PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)", row)}
    parameters = {"hooks", "strategies", "strategy", "accounts", "deadlines", "fallback"}
    for name in named - parameters - {"max_reply_bytes"}:
        assert callable(getattr(LLMSession, name)), name
    assert {"continue_message", "retry_message", "plan", "pin", "wait_on", "consent"} <= named
