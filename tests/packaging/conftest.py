"""The checkout, its metadata, and what is built of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloudllm.testing import Reply, WireServer

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


@dataclass(frozen=True)
class Installed:
    """A virtual environment that holds cloudllm's wheel and all of `thirdparty`."""

    folder: Path

    def run(
        self,
        *command: str,
        text: str = "",
        plugins: Collection[str] | None = (),
        cwd: Path | None = None,
        **environ: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, fed with `text`, with these third-party plugins alone.

        `None` is all of them. The current environment's variables hold, `environ` adds.
        """
        program, *arguments = command
        allowed = {} if plugins is None else {"CLOUDLLM_PLUGINS__ALLOW": json.dumps([*plugins])}
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            check=False,
            cwd=cwd,
            capture_output=True,
            text=True,
            input=text,
            env=os.environ | allowed | environ,
        )


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install everything once; the dependencies are those of the environment that runs the tests."""
    top = tmp_path_factory.mktemp("thirdparty")
    sources = shutil.copytree(Path(__file__).parent / "thirdparty", top / "sources")
    folder = top / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    reused = folder / "lib" / version / "site-packages" / "reused.pth"
    reused.write_text(sysconfig.get_path("purelib") + "\n")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install"]
    offline = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, str(wheel), *map(str, sorted(sources.iterdir()))], check=True)
    return Installed(folder)


@pytest.fixture
def acme() -> Iterator[WireServer]:
    """Acme AI, on the loopback interface."""
    with WireServer() as server:
        server.default = Reply(text="Hello from Acme.")
        yield server
