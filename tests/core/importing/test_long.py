"""What takes long: huge files, and databases made by llm as it is today."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloudllm.importing import read
from tests.core.importing import making
from tests.core.importing.reading import said, talk

pytestmark = pytest.mark.slow

COUNT = """
import sys
from pathlib import Path
from cloudllm.errors import UsageError
from cloudllm.importing import read
number = 0
try:
    for archive in read(Path(sys.argv[1])):
        number += 1
except UsageError as error:
    print(error)
# Not getrusage's: that begins with the memory of whoever started this process.
print(number, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""
MIB = 2**20


def count(path: Path) -> tuple[str, int, int]:
    """What is said of a file, how many conversations came of it, and the memory it took in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(path)], capture_output=True, text=True, check=True
    )
    *error, numbers = done.stdout.splitlines()
    number, memory = numbers.split()
    return "\n".join(error), int(number), int(memory)


def test_a_large_export_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    with path.open("w") as file:
        for number in range(1500):
            one = talk(str(number))
            one["mapping"]["hi"]["message"]["content"]["parts"] = ["word " * 40_000]
            file.write(("," if number else "[") + json.dumps(one))
        file.write("]")
    assert path.stat().st_size > 280 * MIB
    error, number, memory = count(path)
    assert (error, number) == ("", 1500)
    assert memory < 100 * 1024


@pytest.mark.parametrize("start", ['[{"mapping": "', '{"mapping": "', '{"a": "', "[" + " " * 9])
def test_one_line_of_300_megabytes_is_given_up_or_passed_over(tmp_path: Path, start: str) -> None:
    path = tmp_path / "line.json"
    with path.open("w") as file:
        file.write(start)
        for _ in range(300):
            file.write((" " if start.endswith(" ") else "a") * MIB)
    error, number, memory = count(path)
    assert number == 0
    assert error.endswith(("a value has more than 64 million characters", "it breaks off here"))
    assert memory < 700 * 1024


def test_a_file_of_nothing_but_zeros_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zeros.json"
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    error, _, memory = count(path)
    assert "it holds no conversations" in error
    assert memory < 100 * 1024


@pytest.mark.timeout(900)
def test_databases_that_llm_makes_today_are_read(tmp_path: Path) -> None:
    try:
        making.make(tmp_path)
    except RuntimeError as error:
        if "No matching distribution" in str(error):
            pytest.skip("pip has no index")
        raise
    for name, number, messages in (("old.db", 5, 19), ("both.db", 11, 47)):
        found = list(read(tmp_path / name))
        assert len(found) == number
        assert sum(len(archive.messages) for archive in found) == messages
    talk = next(archive for archive in found if archive.title == "think about it")
    assert said(talk)[-1] == ("assistant", "You said: next, asked again")
