"""Marks everything here: benchmarks are no part of the fast tests."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

_START = 0.012
"""Seconds that `python -c pass` takes at most on the machine of docs/performance.md."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.benchmark)


@pytest.fixture(scope="session")
def slowness() -> float:
    """How many times slower than the machine of docs/performance.md this one is now; 1 at least.

    Limits in milliseconds are those of that machine, so they are multiplied by this.
    """
    seconds = []
    for _ in range(15):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        seconds.append(time.perf_counter() - begun)
    times = max(1.0, median(seconds) / _START)
    print(f"\nthis machine is {times:.1f} times slower than that of docs/performance.md")
    return times
