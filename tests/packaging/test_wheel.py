"""What a person gets who installs cloudllm: content and metadata of the wheel and the sdist."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import cloudllm

PACKAGES = ("cloudllm", "cloudllm_plugins", "cloudllm_providers")


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata(wheel: Path, names: list[str]) -> Message:
    """The wheel's METADATA."""
    return Parser().parsestr(_read(wheel, names, "METADATA"))


def test_wheel_holds_three_packages_and_its_metadata(names: list[str], wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names}
    distribution, version, *_ = wheel.name.split("-")
    assert tops == {*PACKAGES, f"{distribution}-{version}.dist-info"}


def test_wheel_holds_every_module_of_the_sources(
    names: list[str], source_files: list[Path]
) -> None:
    roots = {"core", "providers", "plugins"}
    sources = {"/".join(file.parts[1:]) for file in source_files if file.parts[0] in roots}
    assert sources == {name for name in names if ".dist-info/" not in name}


def test_each_package_is_marked_as_typed(names: list[str]) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)


def test_wheel_holds_no_tests(names: list[str]) -> None:
    assert [name for name in names if "tests/" in name or "/test_" in name] == []


def test_wheel_carries_the_licence(names: list[str], wheel: Path, root: Path) -> None:
    assert _read(wheel, names, "LICENSE") == (root / "LICENSE").read_text()


def test_wheel_runs_on_any_platform(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_metadata_names_python_and_licence(metadata: Message) -> None:
    assert metadata["Name"] == "cloudllm"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("Provides-Extra") == ["dev", "local", "responses", "vertex"]


def test_version_is_the_one_that_the_package_names(metadata: Message) -> None:
    assert metadata["Version"] == cloudllm.__version__


def test_every_dependency_has_a_floor_and_an_upper_bound(metadata: Message) -> None:
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist") or ()]
    assert requirements
    for requirement in requirements:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators == {">=", "<"}, str(requirement)


def test_entry_points_are_those_of_pyproject(
    names: list[str], wheel: Path, project: dict[str, Any]
) -> None:
    written = configparser.ConfigParser(delimiters=("=",))
    written.read_string(_read(wheel, names, "entry_points.txt"))
    found = {section: dict(written[section]) for section in written.sections()}
    assert found == {"console_scripts": project["scripts"], **project["entry-points"]}


def test_sdist_builds_the_same_wheel(
    sdist: Path, wheel: Path, names: list[str], tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / wheel.name) as rebuilt:
        assert sorted(rebuilt.namelist()) == sorted(names)


def test_sdist_carries_tests_docs_and_lock(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[1].split("/")[0] for name in archive.getnames()}
    assert {"tests", "docs", "requirements.lock", "CHANGELOG.md", "README.md", "LICENSE"} <= inside


def _read(wheel: Path, names: list[str], file: str) -> str:
    """The text of the one file of that name in the wheel's metadata."""
    (member,) = (name for name in names if ".dist-info/" in name and name.endswith(f"/{file}"))
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(member).decode()
