"""Conversations in the store for tests of the command line, and `cloudllm sessions` run on them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from click.testing import CliRunner, Result

from cloudllm.archive import Archive, ArchivedMessage
from cloudllm.cli.compose import Options
from cloudllm.cli.sessions import sessions
from cloudllm.messages import Message, Role, Status
from cloudllm.store.conversations import Conversations, Entry
from cloudllm.store.database import Store, default_path

DAY = 86_400_000
MOMENT = 1_767_355_200_000
"""2026-01-02 at noon, UTC, in milliseconds."""

_TREE = (
    ("1", None, Role.USER, "What is **ownership**?\nAnd why?"),
    ("2", "1", Role.ASSISTANT, "A set of rules:\n\n```rust\nlet x = 1;\n```"),
    ("3", "2", Role.USER, "And borrowing?"),
    ("4", "3", Role.ASSISTANT, "A \x1b[31mreference\x1b[0m that"),
    ("5", "2", Role.USER, "And moves?"),
    ("6", "5", Role.ASSISTANT, "They are moves."),
)


@contextmanager
def conversations() -> Iterator[Conversations]:
    """Those in the store, which is made if need be."""
    store = Store(default_path())
    try:
        yield Conversations(store)
    finally:
        store.close()


def keep(
    title: str, *texts: str, folder: str = "", age: int = 0, status: Status = Status.COMPLETE
) -> Entry:
    """Keep a conversation of these texts, said in turns, last changed `age` days before `MOMENT`."""
    said = [
        ArchivedMessage(
            id=str(number),
            parent=str(number - 1) if number else None,
            message=Message((Role.USER, Role.ASSISTANT)[number % 2], text),
            created=MOMENT - age * DAY,
        )
        for number, text in enumerate(texts or ("hi", "hello"))
    ]
    return _added(title, said, folder=folder, age=age, status=status)


def keep_tree(title: str = "Ownership", *, age: int = 0) -> Entry:
    """Keep one with branches, whose last reply was broken off."""
    said = [
        ArchivedMessage(id=each, parent=parent, message=Message(role, text), created=MOMENT)
        for each, parent, role, text in _TREE
    ]
    return _added(title, said, folder="/home/you/rust", age=age, status=Status.PARTIAL, head=3)


def _added(
    title: str,
    said: list[ArchivedMessage],
    *,
    folder: str,
    age: int,
    status: Status,
    head: int = -1,
) -> Entry:
    last = said[head]
    said[head] = ArchivedMessage(
        id=last.id,
        parent=last.parent,
        created=last.created,
        message=Message(
            last.message.role,
            last.message.content,
            status=status,
            error="connection reset" if status is Status.PARTIAL else None,
        ),
    )
    archive = Archive(
        title=title,
        created=MOMENT - age * DAY,
        updated=MOMENT - age * DAY,
        folder=folder,
        model="acme/m",
        messages=tuple(said),
        head=last.id,
    )
    with conversations() as kept:
        entry = kept.add(archive)
        assert entry is not None
        # What is added gets a title that is fit to show; what stands in the file may be any text.
        with kept._store.write() as connection:
            connection.execute("UPDATE conversation SET title = ? WHERE id = ?", (title, entry.id))
    return replace(entry, title=title)


def kept_titles() -> list[str]:
    """The titles of all that is in the store, the newest first."""
    with conversations() as kept:
        return [entry.title for entry in kept.entries()]


def run(*arguments: str) -> Result:
    """Run `cloudllm sessions` in this process, piped; raises what it raises."""
    result = CliRunner().invoke(sessions, arguments, obj=Options())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def program(*arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run `cloudllm ARGUMENTS` as a process of its own, piped."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cloudllm", *arguments],
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
    )


def _take_terminal() -> None:
    """In the new process: Ctrl-C is for it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _conversation(host: int, answer: bytes) -> bytes:
    """All that is shown until the terminal is closed.

    The answer is given again when nothing comes of it: a key that interrupts is lost on a program
    that is just about to read.
    """
    shown = b""
    with suppress(OSError):  # the other end is closed
        while True:
            if select.select([host], [], [], 1)[0]:
                part = os.read(host, 4096)
                asked = b"[y/N]: " in part
                shown += part
            else:
                asked = b"[y/N]: " in shown
            if answer and asked:
                os.write(host, answer)
    return shown


def on_terminal(*arguments: str, answer: bytes = b"", **environ: str) -> tuple[int, str]:
    """Run it on a terminal, which it has to itself; gives the exit code and all that it showed.

    `answer` is typed when it has asked.
    """
    host, guest = pty.openpty()
    command = [sys.executable, "-P", "-m", "cloudllm", *arguments]
    with subprocess.Popen(
        command,
        stdin=guest,
        stdout=guest,
        stderr=guest,
        env=os.environ | environ,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - one thread
    ) as process:
        os.close(guest)
        try:
            shown = _conversation(host, answer)
        except BaseException:
            process.kill()  # or else this would wait for it
            raise
    os.close(host)
    return process.returncode, shown.decode().replace("\r\n", "\n")
