"""How soon a chat takes keys, and how smoothly while litellm loads, against a bare prompt."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
import zipfile
from statistics import median

import pytest

from tests.benchmarks.typist import (
    CLOUDLLM,
    PROMPT_TOOLKIT,
    Typist,
    first_key,
    first_prompt,
    interleaved,
    ratios,
    wall,
)

STARTS = 26
"""The first one warms up."""

TYPED_SECONDS, LOADED_MB = 4.0, 150
"""How long keys are typed at least, and what the program takes when litellm is there."""

KEYS = "qzjkvw"
"""Letters that stand nowhere else on the screen."""


_WHEEL = {
    "bare_prompt.py": "def main():\n    input('> ')\n",
    "bare_prompt-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: bare-prompt\nVersion: 1\n",
    "bare_prompt-1.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: bare\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "bare_prompt-1.dist-info/entry_points.txt": (
        "[console_scripts]\nbare-prompt = bare_prompt:main\n"
    ),
}


@pytest.fixture(scope="module")
def bare_script(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A console script that calls `input()`, as this pip installs it, and where its module is."""
    folder = tmp_path_factory.mktemp("bare")
    wheel, site = folder / "bare_prompt-1-py3-none-any.whl", folder / "site"
    record = "bare_prompt-1.dist-info/RECORD"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {
            **_WHEEL,
            record: "".join(f"{n},,\n" for n in (*_WHEEL, record)),
        }.items():
            archive.writestr(name, text)
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(wheel)], check=True)
    return str(site / "bin" / "bare-prompt"), str(site)


def test_the_prompt_is_visible_about_as_soon_as_that_of_input(bare_script: tuple[str, str]) -> None:
    script, site = bare_script
    floor, ours = interleaved(
        lambda: first_prompt([script], PYTHONPATH=site), lambda: first_prompt([CLOUDLLM]), rounds=21
    )
    print(f"\nprompt visible: input() {floor * 1e3:.1f} ms, cloudllm {ours * 1e3:.1f} ms,"
          f" ratio {ours / floor:.2f} (at most 1.5)")  # fmt: skip
    assert ours <= 1.5 * floor


def test_a_typed_key_is_echoed_about_as_soon_as_by_a_bare_prompt() -> None:
    commands = [sys.executable, "-c", PROMPT_TOOLKIT], [CLOUDLLM]
    taken: tuple[list[tuple[float, float]], ...] = ([], [])
    for number in range(STARTS):
        for which in (0, 1) if number % 2 else (1, 0):
            taken[which].append(first_key(commands[which]))
    floor, ours = (median(seconds for seconds, _ in each[1:]) for each in taken)
    elapsed, cpu = ratios(*(each[1:] for each in taken))
    print(f"\nfirst key echoed: prompt_toolkit {floor * 1e3:.0f} ms, cloudllm {ours * 1e3:.0f} ms,"
          f" ratio {elapsed:.2f}, of CPU time {cpu:.2f} (at most 1.10)")  # fmt: skip
    assert min(elapsed, cpu) <= 1.10  # a busy machine disturbs the one or the other


def test_version_is_about_as_quick_as_the_interpreter() -> None:
    floor, ours = interleaved(
        lambda: wall([sys.executable, "-c", "pass"]), lambda: wall([CLOUDLLM, "--version"])
    )
    print(f"\n--version: python {floor * 1e3:.1f} ms, cloudllm {ours * 1e3:.1f} ms,"
          f" ratio {ours / floor:.2f} (at most 3)")  # fmt: skip
    assert ours <= 3 * floor


def test_typing_stays_smooth_while_litellm_loads(
    monkeypatch: pytest.MonkeyPatch, slowness: float
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-sent")
    worst, typical = [], []
    for _ in range(5):
        with Typist([CLOUDLLM]) as typist:
            typist.wait_for(b">")
            echoes = [typist.type("q")]
            begun = time.perf_counter()
            for key in itertools.cycle(KEYS[1:]):
                seconds = time.perf_counter() - begun
                if seconds > TYPED_SECONDS and typist.memory_mb() > LOADED_MB:
                    break
                assert seconds < 60, "litellm was not loaded, so nothing was measured"
                echoes.append(typist.type(key))
                time.sleep(0.03)
        worst.append(max(echoes[1:]))
        typical.append(median(echoes))
    print(f"\necho while litellm loads: median {median(typical) * 1e3:.1f} ms, worst"
          f" {median(worst) * 1e3:.0f} ms (at most 50; runs: "
          f"{', '.join(f'{each * 1e3:.0f}' for each in worst)})")  # fmt: skip
    assert median(worst) <= 0.050 * slowness
