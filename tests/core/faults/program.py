"""The installed program in a process of its own, and what may be seen of a failure there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.core.faults.trying import KEY, check_secret

_LONGEST_LINE = 800


@dataclass(frozen=True)
class Ended:
    """How it ended: the exit code, both streams, and the most memory it had, in MiB."""

    code: int
    out: str
    err: str
    mebibytes: float


def ask(
    url: str, model: str, home: Path, environ: Mapping[str, str], *options: str, key: str = KEY
) -> Ended:
    """`cloudllm ask` of a model that speaks OpenAI's format at `url`."""
    given = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": url, "CLOUDLLM_HOME": str(home)}
    command = [sys.executable, "-m", "cloudllm", "ask", "-m", f"openai/{model}", *options, "Hello?"]
    out, err = home.with_name(f"{home.name}.out"), home.with_name(f"{home.name}.err")
    with out.open("wb") as to_out, err.open("wb") as to_err:
        program = subprocess.Popen(
            command,
            env={**os.environ, **given, **environ},
            stdin=subprocess.DEVNULL,
            stdout=to_out,
            stderr=to_err,
        )
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
    return Ended(
        program.returncode,
        out.read_bytes().decode(),
        err.read_bytes().decode(),
        used.ru_maxrss / 1024,
    )


def check_shown(ended: Ended, home: Path, key: str = KEY) -> None:
    """One line for each thing that is said, no traceback, and no key, in any file either."""
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    check_secret(key, [ended.out, ended.err, *(data.decode("latin-1") for data in kept)])
    assert "Traceback (most recent call last)" not in ended.out + ended.err
    for line in ended.err.splitlines():
        assert all(letter.isprintable() for letter in line), line
        assert 0 < len(line) < _LONGEST_LINE, line
    assert "warning" not in ended.err.lower()
