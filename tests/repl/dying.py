"""A chat in a process of its own that is killed while its reply is coming in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_SCRIPT = """
import asyncio, os, sys
from cloudllm.events import TextDelta
from cloudllm.messages import Message, Role
from cloudllm.recording import Start
from cloudllm.store.database import default_path
from cloudllm.store.journal import Journal

async def main(folder, model, asked, *pieces):
    journal = Journal(default_path(), folder=folder)
    start = Start(0, (Message(Role.USER, asked),))
    await journal.begin(start, model=model, system_prompt="Be brief")
    for piece in pieces:
        journal.add(TextDelta(piece))
    await journal.saved()
    os.kill(os.getpid(), 9)

asyncio.run(main(*sys.argv[1:]))
"""


def die(asked: str, *pieces: str, folder: Path | None = None, model: str = "echo/echo") -> None:
    """Have a chat in `folder`, or else the current one, die with so much of its reply received."""
    where = str(folder or Path.cwd())
    command = [sys.executable, "-c", _SCRIPT, where, model, asked, *pieces]
    done = subprocess.run(command, check=False, timeout=20, env=dict(os.environ))
    assert done.returncode == -signal.SIGKILL
