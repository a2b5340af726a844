"""Importing a plugin: quick, quiet, offline, and without a trace but its modules."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cloudllm.testing.conformance import engine
from cloudllm.testing.conformance.engine import check
from cloudllm.testing.conformance.model import Failed, NotApplicable
from cloudllm.testing.conformance.watch import Output, Watch

SLOW = 2.0
"""Seconds after which an import is too slow: the first question waits for it."""

_MEGABYTE = 1024 * 1024
_HEAVY = ("litellm", "prompt_toolkit")


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a module did; `problem` is what it raised, in one line."""

    seconds: float = 0.0
    megabytes: float = 0.0
    problem: str = ""
    output: str = ""
    reached: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    heavy: tuple[str, ...] = field(default=())

    @property
    def cost(self) -> str:
        """Time and memory, for the verdict."""
        return f"{self.seconds * 1000:.0f} ms, {self.megabytes:.1f} MB"


class Subject(engine.Subject, Protocol):
    """What was imported, in this process or in one of its own."""

    @property
    def imported(self) -> Imported | str | None:
        """What importing it did, or the name under which it can be tried, or nothing."""


def measure(module: str) -> Imported:
    """Import a module that is not loaded yet, and watch."""
    watch, threads = Watch(), set(threading.enumerate())
    loaded = {name for name in _HEAVY if name in sys.modules}
    problem = ""
    gc.collect()
    memory, start = _memory(), time.perf_counter()
    with Output() as output:
        with watch.on(), output.captured():
            before = _state()
            try:
                importlib.import_module(module)
            except BaseException as error:  # noqa: BLE001 - SystemExit and all
                problem = " ".join(f"{type(error).__name__}: {error}".split())
            changed = tuple(_differing(before, _state()))
        seconds, memory = time.perf_counter() - start, _memory() - memory
        printed = output.text
    return Imported(
        seconds=seconds,
        megabytes=max(0.0, memory / _MEGABYTE),
        problem=problem,
        output=printed,
        reached=tuple(dict.fromkeys((*watch.beyond, *watch.strange))),
        processes=tuple(watch.processes),
        threads=tuple(t.name for t in threading.enumerate() if t not in threads),
        changed=changed,
        heavy=tuple(name for name in _HEAVY if name in sys.modules and name not in loaded),
    )


@check("imports", "importing it is quick and quiet, opens nothing, starts nothing, changes nothing")
async def imports(subject: Subject) -> str:
    """In a process of its own; the verdict tells what it costs."""
    found = subject.imported
    if found is None:
        raise NotApplicable("it was given as an object; cloudllm plugins check imports it")
    if isinstance(found, str):
        return await asyncio.to_thread(_elsewhere, subject.name, found)
    look_at(found)
    return found.cost


def look_at(found: Imported) -> None:
    """Raise `Failed` for what an import must not do."""
    if found.problem:
        raise Failed(f"the import raised {found.problem}")
    if found.heavy:
        raise Failed(f"it imports {', '.join(found.heavy)}; that is done when it is first needed")
    if found.reached:
        raise Failed(f"the import tried to reach {', '.join(found.reached)}")
    if found.processes:
        raise Failed(f"the import started a process: {found.processes[0]}")
    if found.threads:
        raise Failed(f"the import left a thread running: {', '.join(found.threads)}")
    if found.output.strip():
        raise Failed(f"the import printed {found.output.strip().splitlines()[0]!r:.80}")
    if found.changed:
        raise Failed(f"the import changed {', '.join(found.changed)}, which is the whole program's")
    if found.seconds > SLOW:
        raise Failed(
            f"the import took {found.seconds:.1f} s; import what is heavy where it is used"
        )


def _elsewhere(subject: str, target: str) -> str:
    """Have it imported in a process of its own."""
    from cloudllm.testing.runner import run_check  # noqa: PLC0415 - it runs this

    for verdict in run_check(target, items=["imports"]):
        if verdict.subject == subject and verdict.item == "imports":
            if not verdict.passed:
                raise Failed(verdict.detail)
            return verdict.detail
    raise NotApplicable(f"{target} is not installed where another process could import it")


def _state() -> dict[str, object]:
    """What a module has no business with."""
    root = logging.getLogger()
    return {
        **{f"the variable {name}": value for name, value in os.environ.items()},
        "the working folder": _folder(),
        "logging": (root.level, tuple(map(id, root.handlers))),
        "the handling of Ctrl-C": signal.getsignal(signal.SIGINT),
        "sys.excepthook": sys.excepthook,
        "the recursion limit": sys.getrecursionlimit(),
        "the event loop policy": type(asyncio.get_event_loop_policy()),
    }


def _folder() -> str:
    with contextlib.suppress(OSError):
        return str(Path.cwd())
    return ""


def _differing(before: dict[str, object], after: dict[str, object]) -> Iterator[str]:
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield name


def _memory() -> int:
    """Bytes of this process that are in memory; 0 where nobody can tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0


@check("registers", "the plugin offers what its entry point says, and was written for these hooks")
async def registers(subject: Subject) -> None:
    """Whatever is wrong here is said before any other item runs."""
    if subject.imported is None:
        raise NotApplicable("it was given as an object")


CHECKS: tuple[engine.Check[Subject], ...] = (imports, registers)
