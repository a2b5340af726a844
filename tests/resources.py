"""What this process holds: memory and open files, for tests that nothing is left behind."""

from __future__ import annotations

import gc
import os
from pathlib import Path


def memory() -> float:
    """MiB of memory, after the collector has been."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    """How many file descriptors are open, sockets included."""
    return len(list(Path("/proc/self/fd").iterdir()))
