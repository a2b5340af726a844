"""The checkout, its metadata, and what is built of it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return _ROOT


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """The table `[project]` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.fixture(scope="session")
def source_files() -> list[Path]:
    """Every file of the repository, relative to its top: committed, or new and not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = [Path(name) for name in listing.split("\0") if name]
    return sorted(name for name in names if (_ROOT / name).is_file())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build(_ROOT, "wheel", folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, built of the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    build(_ROOT, "sdist", folder)
    return next(folder.glob("*.tar.gz"))


def build(source: Path, kind: str, folder: Path) -> None:
    """Build `kind` of `source` into `folder` with the installed hatchling; no network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
