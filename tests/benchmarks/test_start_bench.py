"""How soon a chat takes keys, and how smoothly while litellm loads, against a bare prompt."""

from __future__ import annotations

import itertools
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Self

import pytest

ROUNDS = 9
TYPED_SECONDS = 4.0
KEYS = "qzjkvw"
"""Letters that stand nowhere else on the screen."""

FLOOR = """
import pluggy
from prompt_toolkit import PromptSession
PromptSession().prompt("> ")
"""
CLOUDLLM = str(Path(sys.executable).with_name("cloudllm"))


class Typist:
    """A program on a PTY, and the time each key takes to appear."""

    def __init__(self, command: list[str], **environ: str) -> None:
        self._master, slave = pty.openpty()
        env = os.environ | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"} | environ
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)

    def wait_for(self, wanted: bytes) -> float:
        """The moment at which `wanted` has come since this call."""
        seen = b""
        end = time.perf_counter() + 20
        while wanted not in seen:
            assert time.perf_counter() < end, f"{wanted!r} did not come: {seen!r}"
            if select.select([self._master], [], [], 0.5)[0]:
                seen += os.read(self._master, 65536)
        return time.perf_counter()

    def type(self, key: str) -> float:
        """Seconds until the key is on the screen."""
        start = time.perf_counter()
        os.write(self._master, key.encode())
        return self.wait_for(key.encode()) - start

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def first_echo(command: list[str], **environ: str) -> float:
    """Seconds from the start of the process to the first key on the screen."""
    with Typist(command, **environ) as typist:
        typist.wait_for(b">")
        typist.type("q")
        return time.perf_counter() - typist.began


def wall(command: list[str], **environ: str) -> float:
    """Seconds that the command takes."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environ)
    return time.perf_counter() - start


def interleaved(
    *measures: Callable[[], float],
    rounds: int = ROUNDS,
    typical: Callable[[Sequence[float]], float] = median,
) -> list[float]:
    """What is typical of each, measured in turns; the first round warms up."""
    taken = [[measure() for measure in measures] for _ in range(rounds + 1)][1:]
    return [typical(column) for column in zip(*taken, strict=True)]


def test_a_typed_key_is_echoed_about_as_soon_as_by_a_bare_prompt() -> None:
    floor, ours = interleaved(
        lambda: first_echo([sys.executable, "-c", FLOOR]), lambda: first_echo([CLOUDLLM])
    )
    print(f"\nfirst key echoed: bare {floor * 1e3:.0f} ms, cloudllm {ours * 1e3:.0f} ms,"
          f" ratio {ours / floor:.2f} (at most 1.25)")  # fmt: skip
    assert ours <= 1.25 * floor


def test_version_is_about_as_quick_as_the_interpreter() -> None:
    floor, ours = interleaved(
        lambda: wall([sys.executable, "-c", "pass"]), lambda: wall([CLOUDLLM, "--version"])
    )
    print(f"\n--version: python {floor * 1e3:.1f} ms, cloudllm {ours * 1e3:.1f} ms,"
          f" ratio {ours / floor:.2f} (at most 3)")  # fmt: skip
    assert ours <= 3 * floor


def test_typing_stays_smooth_while_litellm_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-sent")
    worst, typical = [], []
    for _ in range(5):
        with Typist([CLOUDLLM]) as typist:
            typist.wait_for(b">")
            echoes = [typist.type("q")]
            end = time.perf_counter() + TYPED_SECONDS
            for key in itertools.cycle(KEYS[1:]):
                if time.perf_counter() > end:
                    break
                echoes.append(typist.type(key))
                time.sleep(0.03)
            assert typist.memory_mb() > 150, "litellm was not loaded, so nothing was measured"
        worst.append(max(echoes[1:]))
        typical.append(median(echoes))
    print(f"\necho while litellm loads: median {median(typical) * 1e3:.1f} ms, worst"
          f" {median(worst) * 1e3:.0f} ms (at most 50; runs: "
          f"{', '.join(f'{each * 1e3:.0f}' for each in worst)})")  # fmt: skip
    assert median(worst) <= 0.050
