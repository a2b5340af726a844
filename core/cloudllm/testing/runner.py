"""Runs the conformance kit in a process of its own and passes on its verdicts as they come.

    for verdict in run_check("acme"): ...

The child is `python -m cloudllm.testing.check --fd N TARGET`; it writes one JSON object a line to
the file descriptor N, which the parent made, and nothing that a plugin prints gets there:

    {"subject": "provider acme", "item": "imports"}                       # is about to run
    {"subject": "provider acme", "item": "imports", "result": "ok", "detail": "", "seconds": 0.1}
    {"error": "…", "advice": "…"}                                         # there is nothing to run
    {"done": true}

Where the child ends or hangs without a verdict, the parent says which item was running.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cloudllm.errors import UsageError
from cloudllm.paths import data_dir
from cloudllm.testing.conformance.model import Verdict
from cloudllm.words import one_line

DEADLINE = 240.0
"""Seconds for a whole run."""

SILENCE = 60.0
"""Seconds for one item."""

_FOREIGN = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|^CLOUDLLM_|^PYTEST_", re.IGNORECASE)
_WEIGHTS = "models"
_READ = 65_536
_SHOWN = 120  # characters of what the child printed last

Started = Callable[[str, str], None]


def run_check(
    target: str | Path,
    *,
    items: Collection[str] | None = None,
    deadline: float = DEADLINE,
    silence: float = SILENCE,
    started: Started | None = None,
) -> Iterator[Verdict]:
    """Check what `target` names: an installed plugin, a project folder or a single `.py` file.

    Verdicts come in order, those of one subject after the other; `verdict.subject` tells which.
    `items` chooses some by name. `deadline` is in seconds, for all of it, and `silence` for one
    item. `started` is called with the subject and the item that is about to run. Close the
    generator to stop the child.

    Raises:
        UsageError: nothing of that name is installed, the path leads to no plugin, or there is no
            such item.
    """
    with (
        tempfile.TemporaryDirectory(prefix="cloudllm-check-") as folder,
        tempfile.TemporaryFile() as printed,
    ):
        run = _Run(str(target), items, Path(folder), printed)
        try:
            yield from run.verdicts(time.monotonic() + deadline, silence, started)
        finally:
            run.close()


@dataclass(slots=True)
class _Run:
    """One child and what it has said."""

    target: str
    items: Collection[str] | None
    folder: Path
    printed: IO[bytes]
    running: tuple[str, str] | None = None
    done: bool = False
    _lines: list[bytes] = field(default_factory=lambda: [b""])
    _child: subprocess.Popen[bytes] = field(init=False)
    _pipe: int = field(init=False)

    def __post_init__(self) -> None:
        self._pipe, write = os.pipe()
        command = [sys.executable, "-P", "-m", "cloudllm.testing.check", "--fd", str(write)]
        command += [part for item in self.items or () for part in ("--item", item)]
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter
            [*command, "--", self.target],
            stdin=subprocess.DEVNULL,
            stdout=self.printed,
            stderr=self.printed,
            pass_fds=[write],
            env=_environment(self.folder),
            start_new_session=True,
        )
        os.close(write)

    def verdicts(self, end: float, silence: float, started: Started | None) -> Iterator[Verdict]:
        """What the child says, and at last what its end says."""
        patience = silence
        while not self.done:
            line = self._line(min(end, time.monotonic() + patience))
            if line is None:
                yield self._lost(silence)
                return
            said = _parsed(line)
            if "error" in said:
                raise UsageError(said["error"], advice=said.get("advice"))
            if "result" in said:
                self.running = None
                yield Verdict(**said)
            elif "item" in said:
                self.running = said["subject"], said["item"]
                if started is not None:
                    started(*self.running)
            self.done = bool(said.get("done"))

    def close(self) -> None:
        """End the child, and what it started."""
        with suppress(OSError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        os.close(self._pipe)

    def _line(self, until: float) -> bytes | None:
        """The next line; nothing if the child ends before, or does not say one in time."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            while len(self._lines) == 1:
                left = until - time.monotonic()
                if left <= 0:
                    return None
                over = self._child.poll() is not None
                if not selector.select(0.1 if over else min(left, 0.5)):
                    if over:  # and somebody it started holds the pipe open
                        return None
                    continue
                data = os.read(self._pipe, _READ)
                if not data:
                    return None
                first, *more = data.split(b"\n")
                self._lines[-1] += first
                self._lines += more
        return self._lines.pop(0)

    def _lost(self, silence: float) -> Verdict:
        """What to say when no more verdicts come."""
        subject, item = self.running or (f"plugin {self.target}", "imports")
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(0.5)
        code = self._child.poll()
        if code is None:
            how = f"it hung for {silence:.0f} s, so its process was killed"
        elif code < 0:
            how = f"its process was ended by {_signal(-code)} while this ran"
        else:
            how = f"its process ended with exit code {code} while this ran"
        said = self._last_words()
        return Verdict(
            item=item,
            result="failed",
            detail=f"{how}; it printed: {said}" if said else how,
            subject=subject,
        )

    def _last_words(self) -> str:
        self.printed.seek(0)
        text = self.printed.read().decode(errors="replace").strip()
        return one_line(text.splitlines()[-1], _SHOWN) if text else ""


def _parsed(line: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(line)
    return said


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _home(folder: Path) -> Path:
    """A home for the child: new, but for the weights of local models, which nobody fetches twice."""
    folder.mkdir()
    weights = data_dir() / _WEIGHTS
    if weights.is_dir():
        with suppress(OSError):  # where links are not allowed, it has none
            (folder / _WEIGHTS).symlink_to(weights, target_is_directory=True)
    return folder


def _environment(home: Path) -> dict[str, str]:
    """The variables of this process without keys, and with a home of the child's own."""
    kept = {name: value for name, value in os.environ.items() if not _FOREIGN.search(name)}
    return {
        **kept,
        "CLOUDLLM_HOME": str(_home(home / "cloudllm")),
        "HOME": str(home),
        "PYTHONUSERBASE": site.getuserbase(),
    }
