"""requirements.lock: complete, pinned, hashed, and silent about where packages come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ENTRY = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[\w.]+)(?P<marker> ; .+)?")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def text(root: Path) -> str:
    """The file as it is."""
    return (root / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def entries(text: str) -> list[list[str]]:
    """For each entry its requirement and its hashes."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    logical = "\n".join(lines).replace("\\\n", "\n").split("\n")
    found: list[list[str]] = []
    for line in logical:
        if line.startswith(" "):
            found[-1].append(line.strip())
        elif line:
            found.append([line.strip()])
    return found


def test_every_entry_is_pinned_and_hashed(entries: list[list[str]]) -> None:
    assert entries
    for requirement, *hashes in entries:
        assert _ENTRY.fullmatch(requirement), requirement
        assert hashes, requirement
        assert all(_HASH.fullmatch(each) for each in hashes), requirement


def test_no_package_is_pinned_twice(entries: list[list[str]]) -> None:
    names = [requirement.split("==")[0] for requirement, *_ in entries]
    assert len(names) == len(set(names))


def test_lock_names_no_address_and_no_folder(text: str) -> None:
    body = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in body if "//" in line or line.startswith("-") or " @ " in line] == []


def test_lock_answers_every_dependency_of_pyproject(
    entries: list[list[str]], project: dict[str, Any], root: Path
) -> None:
    pins = {Requirement(requirement).name: requirement for requirement, *_ in entries}
    extras = project["optional-dependencies"].values()
    for line in (*project["dependencies"], *(line for extra in extras for line in extra)):
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{line}: run .ci/lock"
        version = pins[name].split("==")[1].split(" ")[0]
        assert wanted.specifier.contains(version), f"{line}: {version} is locked; run .ci/lock"


def test_lock_holds_what_builds_the_project(entries: list[list[str]]) -> None:
    assert any(requirement.startswith("hatchling==") for requirement, *_ in entries)
