"""A signal that ends a chat without a screen, at a moment when something is still to be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.store.stored import rows

_SCRIPT = """
import asyncio, os, signal, sys
from cloudllm.cli.compose import Options
from cloudllm.repl import plain
from cloudllm.repl.chat import Chat

class Signalled(Chat):
    async def close(self, *, patience=0.0):
        closing = asyncio.ensure_future(super().close(patience=patience))
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)
        await closing

made = lambda screen: Signalled(Options().compose, {"model": "echo/echo"}, screen)
code = plain.ask(made, "hello")
sys.stdout.flush()
os._exit(code)
"""


def files(home: Path) -> set[str]:
    return {each.name for each in home.iterdir() if each.name.startswith("store.db")}


@pytest.mark.slow
def test_G5_a_signal_while_a_chat_closes_cuts_nothing_short(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        capture_output=True, text=True, check=False, timeout=30, env=dict(os.environ),
    )  # fmt: skip
    assert done.stdout.startswith("You said: hello\n")
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")
    assert files(home) == {"store.db", "store.db.lock"}
    assert rows(home / "store.db", "SELECT status FROM message") == [("complete",)] * 2
    assert rows(home / "store.db", "SELECT owner FROM conversation") == [(None,)]
