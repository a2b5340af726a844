"""`cloudllm plugins new`: the project it writes passes its own tests, types, linter and the kit."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.packaging.conftest import Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_NAME = "north-star"


@pytest.fixture(scope="module")
def project(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project."""
    folder = tmp_path_factory.mktemp("new") / "project"
    done = installed.run("cloudllm", "plugins", "new", _NAME, "--path", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    "tool",
    [
        ["pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        ["mypy", "--cache-dir=/dev/null"],
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--check", "--no-cache"],
    ],
    ids=" ".join,
)
def test_new_project_passes(tool: list[str], installed: Installed, project: Path) -> None:
    done = installed.run("python", "-m", *tool, cwd=project)
    assert done.returncode == 0, _all(done)


def test_new_project_is_checked_before_and_after_it_is_installed(
    installed: Installed, project: Path
) -> None:
    by_path = installed.run("cloudllm", "plugins", "check", str(project), plugins=None)
    assert (by_path.returncode, "FAILED" in by_path.stdout) == (0, False), _all(by_path)
    pip = ("python", "-m", "pip", "--disable-pip-version-check")
    offline = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    try:
        done = installed.run(*pip, "install", *offline, "--editable", str(project))
        assert done.returncode == 0, _all(done)
        by_name = installed.run("cloudllm", "plugins", "check", _NAME, plugins=None)
    finally:
        installed.run(*pip, "uninstall", "--yes", f"cloudllm-{_NAME}")
    assert (by_name.returncode, "FAILED" in by_name.stdout) == (0, False), _all(by_name)
    assert f"provider {_NAME}" in by_name.stdout


def test_new_project_builds_a_typed_wheel(installed: Installed, project: Path) -> None:
    done = installed.run(
        *("python", "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"),
        *("--no-build-isolation", "--no-index", "--wheel-dir", str(project.parent), str(project)),
    )
    assert done.returncode == 0, _all(done)
    (wheel,) = project.parent.glob("*.whl")
    listed = installed.run("python", "-m", "zipfile", "--list", str(wheel)).stdout
    assert "cloudllm_north_star/__init__.py" in listed
    assert "cloudllm_north_star/py.typed" in listed
    assert "test_provider" not in listed


def _all(done: CompletedProcess[str]) -> str:
    return done.stdout + done.stderr
