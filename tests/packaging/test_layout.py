"""The repository itself: what lies where, how long it is, and what it must not say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_TOP = {
    "core", "providers", "plugins", "tests", "docs", "pyproject.toml", "README.md", "LICENSE",
    "CHANGELOG.md", "requirements.lock",
}  # fmt: skip
_LONGEST_MODULE = 500  # lines

# In pieces, so that this file does not find itself.
_FORBIDDEN = {
    "an unfinished mark": re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"),
    "a package registry": re.compile(
        r"py" r"pi\.org|python" r"hosted\.org|registry\.np" r"mjs|deb" r"ian\.org", re.IGNORECASE
    ),
    "a folder of one machine": re.compile(r"\.\./sha" r"red|/(wo" r"rk|ro" r"ot|tm" r"p)/"),
    "a ticket by its number": re.compile(r"\b(issue|ticket|pull request) #?\d", re.IGNORECASE),
}


def test_top_level_holds_the_allowed_names_only(source_files: list[Path]) -> None:
    tops = {file.parts[0] for file in source_files}
    assert {top for top in tops if not top.startswith(".")} == _TOP


def test_no_module_is_over_500_lines(root: Path, source_files: list[Path]) -> None:
    lengths = {file: len((root / file).read_text().splitlines()) for file in _python(source_files)}
    assert {file: length for file, length in lengths.items() if length > _LONGEST_MODULE} == {}


def test_every_module_begins_with_its_docstring(root: Path, source_files: list[Path]) -> None:
    def begins_with_docstring(file: Path) -> bool:
        tree = ast.parse((root / file).read_text())
        return ast.get_docstring(tree) is not None and tree.body[0].lineno == 1

    assert [file for file in _python(source_files) if not begins_with_docstring(file)] == []


@pytest.mark.parametrize("what", _FORBIDDEN)
def test_no_file_names(what: str, root: Path, source_files: list[Path]) -> None:
    found = [
        f"{file}:{number}: {line.strip()[:80]}"
        for file in source_files
        for number, line in enumerate(_lines(root / file), start=1)
        if _FORBIDDEN[what].search(line)
    ]
    assert found == []


def test_tests_are_no_packages(source_files: list[Path]) -> None:
    """The distributions that tests install are; they are no tests."""
    installed = Path("tests/packaging/thirdparty")
    tests = [file for file in source_files if file.parts[0] == "tests"]
    packages = [file for file in tests if file.name == "__init__.py"]
    assert [file for file in packages if not file.is_relative_to(installed)] == []


def _python(files: list[Path]) -> list[Path]:
    return [file for file in files if file.suffix == ".py"]


def _lines(file: Path) -> list[str]:
    return file.read_text(errors="replace").splitlines()
