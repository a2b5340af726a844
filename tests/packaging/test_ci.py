""".ci/run: present, executable, and complete."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def script(root: Path) -> Path:
    """The script that a change must pass."""
    return root / ".ci" / "run"


def test_scripts_are_executable(root: Path) -> None:
    for name in ("run", "lock"):
        assert os.access(root / ".ci" / name, os.X_OK), name


def test_scripts_are_valid_and_stop_at_the_first_error(root: Path) -> None:
    for name in ("run", "lock"):
        script = root / ".ci" / name
        subprocess.run(["bash", "-n", str(script)], check=True)
        assert "set -euo pipefail" in script.read_text(), name


@pytest.mark.parametrize(
    "command",
    [
        "--require-hashes -r requirements.lock",
        "--no-deps --no-build-isolation",
        "ruff check",
        "ruff format --check",
        "-m mypy",
        "lint-imports",
        "hatchling build -t wheel",
        "cloudllm -m echo/echo",
        '"$python" tests/docs/test_readme.py run-tests',
        "'slow and not benchmark'",
        "tests 'benchmark'",
    ],
)
def test_run_names_the_step(script: Path, command: str) -> None:
    assert command in script.read_text().replace('"$bin/cloudllm"', "cloudllm")


def test_a_failing_step_is_named_and_fails_the_run(script: Path) -> None:
    functions = script.read_text().split("make_venv()")[0]
    steps = "step good true\nstep 'bad one' false\nstep after true\nsummary\n"
    done = subprocess.run(
        ["bash", "-c", functions.replace("${BASH_SOURCE[0]}", str(script)) + steps],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "FAILED: bad one"
    assert "=== after" in done.stdout
    assert "FAILED (1)   bad one" in done.stdout


def test_a_failing_requirement_ends_the_run_at_once(script: Path) -> None:
    functions = script.read_text().split("make_venv()")[0]
    steps = "require 'bad one' false\nstep after true\nsummary\n"
    done = subprocess.run(
        ["bash", "-c", functions.replace("${BASH_SOURCE[0]}", str(script)) + steps],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "=== after" not in done.stdout
