"""What an error says can be done with a command of ours, done at once if the person wants it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TYPE_CHECKING

from cloudllm.errors import CloudLLMError, ConfigurationError, UsageError

if TYPE_CHECKING:
    from cloudllm.repl.chat import Chat

_COMMAND = re.compile(r"\brun: cloudllm ([\w./-]+(?: [\w./-]+)*)$")
"""How advice ends in a command; its words need no quotes."""

_YES = ("y", "yes")
_ENDING = 5.0
"""Seconds that a command which is stopped has for cleaning up."""


async def accepted(chat: Chat, error: CloudLLMError) -> bool:
    """Has the person let the command run that the advice of `error` ends in, and did it go well?

    Raises:
        CloudLLMError: `error`, if it names no command, or nobody is there to be asked.
        ConfigurationError: the command has failed; it has said why.
    """
    found = _COMMAND.search(error.advice)
    if found is None:
        raise error
    try:
        answer = await chat.screen.ask(f"{error} · Run it now? y does, Enter alone does not.")
    except UsageError:
        raise error from None
    if answer.strip().lower() not in _YES:
        return False
    await _run(chat, found[1].split(" "))
    return True


async def _run(chat: Chat, words: list[str]) -> None:
    """Run a command of ours in a process of its own, and pass on what it says, line by line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cloudllm", *words),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is ours to pass on
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        async for line in process.stdout:
            if text := line.decode(errors="replace").strip():
                chat.screen.notice(text)
        code = await process.wait()
    finally:
        await _stop(process)
    if code:
        raise ConfigurationError(f"cloudllm {' '.join(words)} has failed (exit code {code})")


async def _stop(process: Process) -> None:
    """End it as Ctrl-C would, so that it leaves nothing half done."""
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), _ENDING)
        except TimeoutError:
            process.kill()
            await process.wait()
